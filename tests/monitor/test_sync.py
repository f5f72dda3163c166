"""`gainstage sync`: what it sends, what it leaves, what it says of each, and how it exits."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gainstage import wire
from gainstage.cli import app
from gainstage.client import Client
from gainstage.spool import Spool
from gainstage.sync import THINNED, Outcome, send_all

from .serving import nowhere, serving

TOKEN = "send"
BLOCKS = {"layers": np.zeros((64, 64), np.float32)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server"), ingest_token=TOKEN) as url:
        yield url


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "SPOOL"):
        monkeypatch.delenv(f"GAINSTAGE_{name}", raising=False)


def left_behind(
    folder: Path, run: str, *, ended: bool = True, notices: int = 2, frames: int = 0
) -> Path:
    """A spool as a training leaves it, of 1 MiB; its frames refer to a schema that is not there."""
    identity = {"run": run, "attempt": "00ff"}
    spool = Spool(folder / f"{run}.0.00ff.spool", max_bytes=2**20)
    messages: list[wire.Message] = [wire.RunStart(**identity, seq=0, time=time.time(), project="p")]
    for seq in range(1, notices + 1):
        messages.append(
            wire.Notice(**identity, seq=seq, time=time.time(), level="info", code="c", text="t")
        )
    for message in messages:
        spool.append(message.seq, wire.encode(message), frame=False)
    for seq in range(notices + 1, notices + 1 + frames):
        frame = wire.Frame(**identity, seq=seq, time=time.time(), schema=10**6, step=seq)
        spool.append(seq, wire.encode(frame, BLOCKS), frame=True)
    if ended:
        end = wire.RunEnd(
            **identity, seq=notices + frames + 1, time=time.time(), status="completed", frames=0
        )
        spool.append(end.seq, wire.encode(end), frame=False)
    spool.close()
    return spool.path or folder


def sync(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sync", *map(str, arguments)])


def status_of(run: str, url: str) -> str:
    return Client(url, TOKEN).run(run)["status"]


def test_spools_are_sent_one_after_the_other_and_deleted(server: str, tmp_path: Path) -> None:
    left_behind(tmp_path, "v1.2-a")
    left_behind(tmp_path, "v1.2-b", ended=False)

    result = sync(tmp_path, "--url", server, "--token", TOKEN)

    assert result.stdout.splitlines() == [
        "v1.2-a: 4 messages sent.",
        "v1.2-b: 3 messages sent. Its training did not say that it ended: "
        "unless another attempt went on, the run shows as lost.",
        f"Spools in {tmp_path}: 2 sent, 0 left, 0 in use.",
    ]
    assert result.exit_code == 0
    assert list(tmp_path.iterdir()) == []
    assert status_of("v1.2-a", server) == "ended"
    assert status_of("v1.2-b", server) != "ended"


def test_spool_of_a_training_that_goes_on_is_left_to_it(server: str, tmp_path: Path) -> None:
    path = left_behind(tmp_path, "goes-on")
    spool = Spool(path)

    result = sync(tmp_path, "--url", server, "--token", TOKEN)

    spool.close()
    assert result.stdout.splitlines() == [
        "goes-on: in use by a training, which sends it itself.",
        f"Spools in {tmp_path}: 0 sent, 0 left, 1 in use.",
    ]
    assert result.exit_code == 0
    assert path.exists()


def test_without_a_server_all_is_left_after_the_patience_for_one(tmp_path: Path) -> None:
    for number in range(20):
        left_behind(tmp_path, f"run-{number:02}")

    began = time.monotonic()
    with nowhere() as url:
        result = sync(tmp_path, "--url", url, "--patience", "1")

    assert result.stdout.splitlines()[0] == "run-00: 4 of 4 messages left."
    assert result.stdout.splitlines()[-1] == f"Spools in {tmp_path}: 0 sent, 20 left, 0 in use."
    assert result.exit_code == 1
    assert len(list(tmp_path.iterdir())) == 20
    assert time.monotonic() - began < 15


def test_server_that_wants_another_token_gets_nothing(
    server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = left_behind(tmp_path, "secret")

    result = sync(tmp_path, "--url", server, "--token", "wrong", "--patience", "1")

    assert result.stdout.startswith("secret: 4 of 4 messages left.")
    assert result.exit_code == 1
    assert path.exists()
    assert any("refused the connection" in record.getMessage() for record in caplog.records)


def test_messages_that_the_server_refuses_are_counted(server: str, tmp_path: Path) -> None:
    left_behind(tmp_path, "odd", frames=2)

    (outcome,) = send_all(tmp_path, server, TOKEN, 30)

    assert outcome == Outcome("odd", "sent", waited=6, refused=2)
    assert "The server refused 2 of them, and they are gone." in str(outcome)


def test_what_a_killed_training_could_not_say_of_thinned_frames_is_said_once(
    server: str, tmp_path: Path
) -> None:
    path = left_behind(tmp_path, "killed", ended=False, frames=200)
    with nowhere() as url:
        for _ in range(2):
            (outcome,) = send_all(tmp_path, url, None, 0)
    spool = Spool(path)
    newest, thinned, count = spool.newest(), spool.thinned, len(spool)
    spool.close()

    assert newest is not None
    notice = wire.decode_header(newest[1])
    assert isinstance(notice, wire.Notice)
    assert (notice.code, notice.run, notice.seq) == (THINNED, "killed", 203)
    assert notice.text.startswith(f"{thinned} frames were dropped because the spool was full.")
    assert (outcome.state, outcome.left) == ("left", count)
    assert thinned > 100


def test_training_that_said_how_many_frames_were_thinned_is_not_spoken_for(tmp_path: Path) -> None:
    left_behind(tmp_path, "ended", frames=200)

    with nowhere() as url:
        before, after = [next(send_all(tmp_path, url, None, 0)) for _ in range(2)]

    assert before == after
    assert before.ended


def test_files_that_are_no_spools_stop_none_and_are_left_as_they_are(
    server: str, tmp_path: Path
) -> None:
    (tmp_path / "a.spool").write_bytes(b"something else, that is longer than a header of SQLite")
    (tmp_path / "b.spool").touch()
    left_behind(tmp_path, "c")

    result = sync(tmp_path, "--url", server, "--token", TOKEN)

    assert [line.partition(" ")[0] for line in result.stdout.splitlines()] == ["a:", "c:", "Spools"]
    assert "cannot be used as a spool" in result.stdout
    assert f"Spools in {tmp_path}: 1 sent, 1 left, 0 in use." in result.stdout
    assert result.exit_code == 1
    assert (tmp_path / "a.spool").read_bytes().startswith(b"something else")
    assert (tmp_path / "b.spool").exists()


class Slow:
    """Takes three messages between two looks."""

    met, arrived = True, 0

    def __init__(self, spool: Spool, *_: object) -> None:
        self.spool = spool

    def drain(self, patience: float) -> None:
        threading.Event().wait(patience / 2)
        self.take()

    def take(self) -> None:
        self.spool.remove_through(self.spool.after(-1, 3)[-1][0])

    def close(self) -> None:
        pass


class Slower(Slow):
    """Takes the first message in eight pieces."""

    def take(self) -> None:
        self.arrived += 1
        if self.arrived >= 8:
            super().take()


def test_spool_of_a_later_release_is_not_blamed_on_the_server(
    server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path / "later.0.00ff.spool")
    spool.append(0, b"GS\x63\x00" + bytes(60), frame=False)
    spool.close()

    (outcome,) = send_all(tmp_path, server, TOKEN, 1)

    assert (outcome.state, outcome.left) == ("left", 1)
    (text,) = [record.getMessage() for record in caplog.records if record.name == "gainstage"]
    assert text.startswith(f"gainstage: A message that waits in {tmp_path} cannot be read")
    assert "Received version 99: bring trainer and server to the same release" in text


def test_spool_that_vanishes_meanwhile_is_passed_over(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "glob", lambda folder, _: iter([folder / "gone.0.00ff.spool"]))

    assert list(send_all(tmp_path, server, TOKEN, 1)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("uplink", "progress"),
    [(Slow, [22, 19, 16, 13, 10, 7, 4, 1]), (Slower, [22] * 8 + [19, 16, 13, 10, 7, 4, 1])],
)
def test_progress_is_told_and_renews_the_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uplink: type[Slow], progress: list[int]
) -> None:
    """A slow connection is not given up as long as something arrives."""
    left_behind(tmp_path, "slow", notices=20)
    told: list[int] = []
    monkeypatch.setattr("gainstage.sync.Uplink", uplink)

    (outcome,) = send_all(tmp_path, "http://host", None, 0.05, lambda run, left: told.append(left))

    assert outcome.state == "sent"
    assert told == progress
