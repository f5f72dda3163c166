"""What the server logs: one event a line, with the run and the request that it belongs to."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gainstage.served import served
from gainstage_server.journal import REQUEST
from gainstage_server.store.migrations import revisions

from .trainer import Trainer, send, wait_until

OF_RUN = {"run": "canonical", "attempt": "a1", "worker": 0}


class Logged:
    """A server process, and what it has logged so far."""

    def __init__(self, url: str, file: Path) -> None:
        self.url, self._file = url, file

    def lines(self) -> list[str]:
        return self._file.read_text().splitlines()

    def events(self, name: str) -> list[dict[str, Any]]:
        read = map(json.loads, self.lines())
        return [event for event in read if event["event"] == name]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    """After a run that was loud and then quiet, one frame of which was refused."""
    folder = tmp_path_factory.mktemp("journal")
    with served(folder, disk_floor="0", log_level="debug") as url:
        trainer = Trainer()
        loud = [*trainer.opening(), *(trainer.loud(10 * step) for step in range(5))]
        send(url.replace("http", "ws"), loud)
        messages = [trainer.quiet(50 + 10 * step) for step in range(40)]
        messages += [trainer.frame(999, schema=77), trainer.run_end(frames=45, thinned=2)]
        send(url.replace("http", "ws"), messages)
        it = Logged(url, folder / "server.log")
        wait_until(lambda: len(it.events("trainer disconnected")) == 2)
        yield it


def without_time(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("timestamp", "logger")}


def test_runs_tell_when_they_begin_and_how_they_end(logged: Logged) -> None:
    (started,), (ended,) = logged.events("run started"), logged.events("run ended")

    assert without_time(started) == OF_RUN | {
        "event": "run started",
        "level": "info",
        "project": "digits",
    }
    assert without_time(ended) == OF_RUN | {
        "event": "run ended",
        "level": "info",
        "status": "completed",
        "frames": 45,
        "thinned": 2,
    }
    assert started["timestamp"].endswith("Z")


def test_revisions_of_the_store_are_one_event(logged: Logged) -> None:
    (made,) = logged.events("store migrated")
    loggers = {json.loads(line)["logger"] for line in logged.lines()}

    assert made["revision"] == revisions()[-1]
    assert made["database"].endswith("gainstage.db")
    assert not [name for name in loggers if name.startswith("alembic")]


def test_text_in_a_file_has_no_colours(tmp_path: Path) -> None:
    with served(tmp_path, disk_floor="0", log_format="text"):
        pass

    text = (tmp_path / "server.log").read_text()
    assert "store migrated" in text
    assert "\x1b" not in text


def test_findings_tell_when_they_open_and_close(logged: Logged) -> None:
    (opened,), (closed,) = logged.events("finding opened"), logged.events("finding closed")

    assert (opened["run"], opened["layer"], opened["verdict"]) == (
        "canonical",
        "dense_1",
        "activity",
    )
    assert closed["layer"] == "dense_1"


def test_trainer_that_is_refused_is_a_warning_with_the_reason(logged: Logged) -> None:
    (refused,) = logged.events("message refused, the first of this trainer")
    _, gone = logged.events("trainer disconnected")

    assert (refused["level"], refused["runs"]) == ("warning", ["canonical"])
    assert "77" in refused["reason"]
    assert gone["refused"] == 1
    assert gone["request"] == refused["request"]


@pytest.mark.parametrize("given", ["balancer-7", ""])
def test_request_has_one_name_in_its_answer_and_in_the_log(logged: Logged, given: str) -> None:
    answer = httpx.get(f"{logged.url}/api/v1/runs/nothing", headers={REQUEST: given})
    name = answer.headers[REQUEST]

    assert name == given or len(name) == 32
    wait_until(lambda: any(e["request"] == name for e in logged.events("request answered")))
    (event,) = [one for one in logged.events("request answered") if one["request"] == name]
    assert (event["level"], event["method"], event["path"], event["status"]) == (
        "debug",
        "GET",
        "/api/v1/runs/nothing",
        404,
    )


def test_name_that_could_forge_a_line_is_not_taken(logged: Logged) -> None:
    answer = httpx.get(f"{logged.url}/healthz", headers={REQUEST: 'x", "event": "forged'})

    assert answer.headers[REQUEST].isalnum()
    assert logged.events("forged") == []


def test_nothing_below_the_level_is_logged(tmp_path: Path) -> None:
    with served(tmp_path, disk_floor="0", log_level="info") as url:
        httpx.get(f"{url}/healthz")

    lines = (tmp_path / "server.log").read_text()
    assert "Uvicorn running on" in lines
    assert "request answered" not in lines


def test_people_at_a_terminal_read_text(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gainstage.cli", "serve", "--port", "0"],
        env=os.environ | {"GAINSTAGE_DATABASE": str(tmp_path / "g.db")},
        stderr=theirs,
        stdout=subprocess.DEVNULL,
    )
    os.close(theirs)
    read = b""
    try:
        while b"running on" not in read:
            read += os.read(ours, 4096)
    finally:
        process.terminate()
        process.wait(20)
        os.close(ours)

    first = read.decode().splitlines()[0]
    with pytest.raises(json.JSONDecodeError):
        json.loads(first)
    assert "info" in first
