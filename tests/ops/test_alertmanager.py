"""The checked-in configuration, as a real Alertmanager applies it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .programs import ALERTMANAGERS, OPS, alertmanager, ask_json, eventually

CONFIGURATION = (OPS / "alertmanager.yml").read_text()


def alert(name: str, **labels: str) -> dict[str, Any]:
    """As Prometheus sends it."""
    return {"labels": {"alertname": f"Gainstage{name}", **labels}}


def states(url: str, sent: list[dict[str, Any]]) -> dict[tuple[str, ...], str]:
    """Alert and run -> "active" or "suppressed", of what was `sent`."""
    assert ask_json(f"{url}/api/v2/alerts", sent) is not None

    def judged() -> Any:
        found = ask_json(f"{url}/api/v2/alerts")
        done = [one for one in found if one["status"]["state"] != "unprocessed"]
        return done if len(done) == len(sent) else None

    return {
        (one["labels"]["alertname"], one["labels"].get("run", "")): one["status"]["state"]
        for one in eventually(judged)
    }


@pytest.fixture
def url(program: Callable[..., str], tmp_path: Path) -> Iterator[str]:
    soon = CONFIGURATION.replace("group_wait: 30s", "group_wait: 1s")
    with alertmanager(program(*ALERTMANAGERS), soon, tmp_path) as address:
        yield address


def test_what_is_not_finite_silences_the_rest_of_its_run(url: str) -> None:
    sent = [
        alert("NonfiniteFinding", project="p", run="r1", layer="a"),
        alert("ActivityFinding", project="p", run="r1", layer="b"),
        alert("OverheadExceeded", project="p", run="r1"),
        alert("ActivityFinding", project="p", run="r2", layer="b"),
        alert("DiskLow", instance="s"),
    ]

    assert states(url, sent) == {
        ("GainstageNonfiniteFinding", "r1"): "active",
        ("GainstageActivityFinding", "r1"): "suppressed",
        ("GainstageOverheadExceeded", "r1"): "suppressed",
        ("GainstageActivityFinding", "r2"): "active",
        ("GainstageDiskLow", ""): "active",
    }


def test_server_that_is_down_silences_what_else_is_told_of_it_and_nothing_of_another(
    url: str,
) -> None:
    sent = [
        alert("Down", instance="s"),
        alert("FramesRefused", instance="s", reason="rule"),
        alert("NoFrames", instance="other"),
        alert("RunStalled", project="p", run="r1"),
        alert("ActivityFinding", project="p", run="r1", layer="b"),
        {"labels": {"alertname": "HostSlow", "instance": "s"}},
    ]

    assert states(url, sent) == {
        ("GainstageDown", ""): "active",
        ("GainstageFramesRefused", ""): "suppressed",
        ("GainstageNoFrames", ""): "active",
        ("GainstageRunStalled", "r1"): "active",
        ("GainstageActivityFinding", "r1"): "active",
        ("HostSlow", ""): "active",
    }


@pytest.mark.parametrize(("server", "state"), [("s", "suppressed"), ("other", "active")])
def test_server_that_stores_nothing_is_told_once(url: str, server: str, state: str) -> None:
    sent = [
        alert("StoreFailing", instance="s"),
        alert("DiskLow", instance="s"),
        alert("NoFrames", instance=server),
    ]

    assert states(url, sent) == {
        ("GainstageStoreFailing", ""): "active",
        ("GainstageDiskLow", ""): "active",
        ("GainstageNoFrames", ""): state,
    }


def test_alerts_are_grouped_by_project_and_run_and_those_of_servers_by_server(url: str) -> None:
    states(
        url,
        [
            alert("ActivityFinding", project="p", run="r1", layer="a"),
            alert("DeadFinding", project="p", run="r1", layer="b"),
            alert("DeadFinding", project="q", run="r1", layer="b"),
            alert("DiskLow", instance="s1"),
            alert("DiskLow", instance="s2"),
        ],
    )

    groups = ask_json(f"{url}/api/v2/alerts/groups")

    found = [(group["labels"], len(group["alerts"])) for group in groups]
    assert sorted(found, key=str) == [
        ({"alertname": "GainstageDiskLow", "instance": "s1"}, 1),
        ({"alertname": "GainstageDiskLow", "instance": "s2"}, 1),
        ({"project": "p", "run": "r1"}, 2),
        ({"project": "q", "run": "r1"}, 1),
    ]


def test_alertmanager_reads_every_secret_from_a_file() -> None:
    secrets = ("password:", "credentials:", "api_url:", "bearer_token:", "secret:")
    lines = [line.strip(" -") for line in CONFIGURATION.splitlines()]

    assert [line for line in lines if line.startswith(secrets)] == []
    assert sum("_file: /run/secrets/" in line for line in lines) == 3
