"""A real Prometheus scrapes a real server, with the checked-in configuration and rules."""

import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import connect

from gainstage import wire
from gainstage_server.app import create_server
from gainstage_server.ops import alerts
from gainstage_server.settings import Settings

from .programs import PATIENCE, eventually, prometheus

Query = Callable[[str], Any]


@contextmanager
def running_server(folder: Path) -> Iterator[int]:
    """A server on a free port, with one token to send and another one to read."""
    settings = Settings(
        port=0, database=folder / "gainstage.db", ingest_token="send", read_token="read"
    )
    server = create_server(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=PATIENCE)


def send_a_run_with_nan(port: int) -> None:
    """A run of two layers whose second puts out NaN; returns when it is stored."""
    identity = {"run": "r1", "attempt": "a1"}
    rows = tuple(wire.Row(id=name, path=f"m/{name}", kind="Dense") for name in ("one", "two"))
    block = wire.BlockSchema((wire.Column("nonfinite_rate", 1),), mask=b"\x03")
    training = wire.Training(backend="tensorflow", keras="3.15.1")
    frame = wire.Frame(**identity, seq=2, time=time.time(), schema=1, step=10)
    with connect(
        f"ws://127.0.0.1:{port}/api/v1/ingest",
        additional_headers={"Authorization": "Bearer send"},
        compression=None,
    ) as trainer:
        for message in (
            wire.RunStart(**identity, seq=0, time=time.time(), project="p"),
            wire.Schema(
                **identity,
                seq=1,
                time=time.time(),
                rows=rows,
                blocks={"layers": block},
                training=training,
            ),
        ):
            trainer.send(wire.encode(message))
        trainer.send(wire.encode(frame, {"layers": np.array([[0.0], [0.5]], np.float32)}))
        acknowledged = -1
        while acknowledged < frame.seq:
            answer, _ = wire.decode(trainer.recv(timeout=PATIENCE))
            assert isinstance(answer, wire.Ack), answer
            acknowledged = answer.seq


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def series(ask: Query, query: str) -> list[dict[str, str]]:
    """The labels of what `query` returns."""
    data = ask(f"query?{urllib.parse.urlencode({'query': query})}")
    return [result["metric"] for result in data["result"]] if data else []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    with running_server(tmp_path) as port:
        yield port


def test_prometheus_scrapes_the_server_and_alerts(
    program: Callable[..., str], server: int, tmp_path: Path
) -> None:
    send_a_run_with_nan(server)

    with prometheus(program("prometheus"), url(server), tmp_path, token="read") as ask:
        (run,) = eventually(lambda: series(ask, "gainstage_run_info"))
        (layer,) = eventually(lambda: series(ask, "gainstage_layer_finding"))
        (alert,) = eventually(lambda: (ask("alerts") or {}).get("alerts"))
        (group,) = ask("rules")["groups"]
        failures = series(ask, "gainstage_store_commit_failures_total")
        frames = series(ask, "gainstage_run_last_frame_timestamp_seconds > 0")

    assert (run["run"], run["project"], run["status"]) == ("r1", "p", "live")
    assert (layer["layer"], layer["verdict"]) == ("m/two", "nonfinite")
    assert alert["labels"]["alertname"] == "GainstageNonfiniteFinding"
    assert alert["state"] == "firing"
    assert [rule["name"] for rule in group["rules"]] == [
        *(recording.record for recording in alerts.RECORDINGS),
        *(alert.name for alert in alerts.ALERTS),
    ]
    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    assert len(failures) == len(frames) == 1


def test_prometheus_with_another_token_sees_the_server_as_down(
    program: Callable[..., str], server: int, tmp_path: Path
) -> None:
    with prometheus(program("prometheus"), url(server), tmp_path, token="send") as ask:
        (down,) = eventually(lambda: series(ask, 'up{job="gainstage"} == 0'))
        (target,) = ask("targets")["activeTargets"]

    assert down["job"] == "gainstage"
    assert "401" in target["lastError"]
