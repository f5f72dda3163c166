"""From a layer that saturates to whoever is on call, and back: every program is the real one.

Time is shortened by configuration: the rules are those for `at_once`, and Alertmanager waits for
seconds where it waits for minutes.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.receiver import receiving

from gainstage.served import served
from gainstage_server.ops import alerts

from .programs import ALERTMANAGERS, OPS, PATIENCE, alertmanager, eventually, prometheus

# Importing TensorFlow takes minutes on a machine with much else to do.
TRAINING_PATIENCE = 180.0
FIT = Path(__file__).with_name("fit.py")


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
        "/run/secrets/alerts_webhook": str(folder / "secret"),
        "group_wait: 30s": "group_wait: 1s",
        "group_interval: 5m": "group_interval: 1s",
    }.items():
        assert usual in configuration
        configuration = configuration.replace(usual, here)
    return configuration


def test_layer_that_saturates_is_told_with_its_runbook_and_resolved_when_it_recovers(
    program: Callable[..., str], tmp_path: Path
) -> None:
    programs = program(*ALERTMANAGERS), program("prometheus")
    # The training takes longest to start: the others do while it imports its framework.
    with (
        receiving() as receiver,
        served(tmp_path / "server", disk_floor="0") as url,
        fit(url, tmp_path) as training,
        alertmanager(programs[0], configured(receiver.url, tmp_path), tmp_path) as manager,
        prometheus(programs[1], url, tmp_path, alertmanager=manager, at_once=True) as ask,
    ):

        def told_of(status: str) -> dict[str, Any]:
            """The alert about the layer, once the receiver is told that it has this status."""
            while True:
                told = receiver.told.get(timeout=TRAINING_PATIENCE)
                assert told.headers["Authorization"] == "Bearer known to both"
                for one in told.message["alerts"]:
                    name = one["labels"]["alertname"]
                    if (name, one["status"]) == ("GainstageKernelFinding", status):
                        assert told.message["groupLabels"] == {"project": "ops", "run": "recovers"}
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
