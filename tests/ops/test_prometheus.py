"""A real Prometheus scrapes a real server, with the checked-in configuration and rules."""

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from websockets.sync.client import connect

from gainstage import wire
from gainstage_server.app import create_server
from gainstage_server.ops import alerts
from gainstage_server.settings import Settings

OPS = Path(alerts.__file__).parent
# Prometheus starts in a second and scrapes every second; slow machines get a minute.
PATIENCE = 60.0

Query = Callable[[str], Any]


def eventually(ask: Callable[[], Any]) -> Any:
    """What `ask` returns, once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"nothing within {PATIENCE} s, last answer: {answer}"
        time.sleep(0.1)
    return answer


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


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


@contextmanager
def running_prometheus(program: str, server: int, folder: Path, token: str) -> Iterator[Query]:
    """Prometheus, with the configuration changed only where it names other containers."""
    configuration = yaml.safe_load((OPS / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    del configuration["alerting"]
    (scrape,) = configuration["scrape_configs"]
    scrape["static_configs"] = [{"targets": [f"127.0.0.1:{server}"]}]
    scrape["authorization"]["credentials_file"] = str(folder / "token")
    (folder / "token").write_text(token)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    shutil.copy(OPS / "alerts.yml", folder)
    port = free_port()
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'metrics'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def ask(path: str) -> Any:
        address = f"http://127.0.0.1:{port}/api/v1/{path}"
        try:
            with urllib.request.urlopen(address, timeout=10) as response:
                return json.load(response)["data"]
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            return None  # not up yet

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


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

    with running_prometheus(program("prometheus"), server, tmp_path, "read") as ask:
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
    with running_prometheus(program("prometheus"), server, tmp_path, "send") as ask:
        (down,) = eventually(lambda: series(ask, 'up{job="gainstage"} == 0'))
        (target,) = ask("targets")["activeTargets"]

    assert down["job"] == "gainstage"
    assert "401" in target["lastError"]
