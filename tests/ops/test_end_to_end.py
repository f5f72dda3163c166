"""From a layer that saturates to whoever is on call, and back: every program is the real one.

Time is shortened by configuration: the rules are those for `at_once`, and Alertmanager waits for
seconds where it waits for minutes.
"""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gainstage.served import served
from gainstage_server.ops import alerts

from .programs import ALERTMANAGERS, OPS, PATIENCE, alertmanager, eventually, prometheus

FIT = Path(__file__).with_name("fit.py")
Told = tuple[str, dict[str, Any]]  # the header that says who sends it, and what it says


@contextmanager
def receiver() -> Iterator[tuple[str, "queue.Queue[Told]"]]:
    """The address of somebody who wants to be told, and what they were told."""
    told: queue.Queue[Told] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.put((self.headers["Authorization"], json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/told", told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def fit(url: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A training in a process of its own."""
    with (folder / "fit.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(FIT), url],
            cwd=FIT.parents[2],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
        )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            ended = process.wait(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
    assert ended == 0, (folder / "fit.log").read_text()


def configured(url: str, folder: Path) -> str:
    """The checked-in configuration with its webhook chosen, which is at `url`, and in a hurry."""
    (folder / "secret").write_text("known to both")
    configuration = (OPS / "alertmanager.yml").read_text()
    for usual, here in {
        "receiver: nobody": "receiver: webhook",
        "https://hooks.example.com/gainstage": url,
        "/etc/alertmanager/secrets/webhook": str(folder / "secret"),
        "group_wait: 30s": "group_wait: 1s",
        "group_interval: 5m": "group_interval: 1s",
    }.items():
        assert usual in configuration
        configuration = configuration.replace(usual, here)
    return configuration


def test_layer_that_saturates_is_told_with_its_runbook_and_resolved_when_it_recovers(
    program: Callable[..., str], tmp_path: Path
) -> None:
    with (
        receiver() as (address, told),
        alertmanager(program(*ALERTMANAGERS), configured(address, tmp_path), tmp_path) as manager,
        served(tmp_path / "server", disk_floor="0") as url,
        prometheus(program("prometheus"), url, tmp_path, alertmanager=manager, at_once=True) as ask,
        fit(url, tmp_path) as training,
    ):

        def told_of(status: str) -> dict[str, Any]:
            """The alert about the layer, once the receiver is told that it has this status."""
            while True:
                sender, message = told.get(timeout=PATIENCE)
                assert sender == "Bearer known to both"
                for one in message["alerts"]:
                    name = one["labels"]["alertname"]
                    if (name, one["status"]) == ("GainstageKernelFinding", status):
                        assert message["groupLabels"] == {"project": "ops", "run": "recovers"}
                        return one

        firing = told_of("firing")
        assert training.stdin is not None
        training.stdin.write("recover\n")
        training.stdin.flush()
        resolved = told_of("resolved")
        goes_on = training.poll() is None
        training.stdin.close()
        # The series of the run go with it.
        eventually(lambda: (ask("query?query=gainstage_run_info") or {}).get("result") == [])

    assert firing["labels"] == {
        "alertname": "GainstageKernelFinding",
        "project": "ops",
        "run": "recovers",
        "layer": "sequential/hidden",
        "verdict": "kernel",
        "severity": "warning",
    }
    alert = alerts.FINDING_ALERTS["kernel"]
    assert firing["annotations"]["runbook_url"] == alert.runbook_url
    assert firing["annotations"]["summary"] == alert.summary
    assert resolved["fingerprint"] == firing["fingerprint"]
    assert goes_on
