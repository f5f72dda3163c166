"""A minute of the load, with few and small runs; `python -m tests.faults.load` is ten of many."""

import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from .load.command import HEADROOM, Loaded
from .processes import ROOT

# Retention has its second turn after a minute.
SMALL = ("--json", "--minutes=1.1", "--runs=20", "--layers=50", "--every=1", "--burst=3")
MOST = 20 * 66  # frames of the steady time

Load = dict[int, subprocess.Popen[str]]


@pytest.fixture(scope="module")
def loads() -> Iterator[Load]:
    """With one server and with two, side by side: they are idle for the most part."""
    command = (sys.executable, "-m", "tests.faults.load", *SMALL, "--kill=15")
    started = {
        servers: subprocess.Popen(
            [*command, f"--servers={servers}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for servers in (1, 2)
    }
    yield started
    for load in started.values():
        load.terminate()
        load.communicate()


def result(load: subprocess.Popen[str]) -> Loaded:
    said, complained = load.communicate()
    assert said, complained
    return msgspec.json.decode(said, type=Loaded)


def assert_nothing_is_lost(loaded: Loaded) -> None:
    assert loaded.lost == 0
    assert loaded.checked == loaded.frames > MOST / 2
    # One run in eight, and all that retention has left.
    assert loaded.compared > loaded.checked / 8
    assert loaded.compacted > 0


@pytest.mark.timeout(600)
def test_nothing_is_lost_while_frames_are_compacted_and_runs_deleted(loads: Load) -> None:
    loaded = result(loads[1])

    assert_nothing_is_lost(loaded)
    assert loaded.deleted > 0
    assert loaded.kills == 0


@pytest.mark.timeout(600)
def test_nothing_is_lost_while_one_of_two_servers_is_killed_again_and_again(loads: Load) -> None:
    loaded = result(loads[2])

    assert_nothing_is_lost(loaded)
    assert loaded.kills > 1
    assert loaded.connections >= loaded.runs


def test_load_that_lost_a_frame_or_was_too_much_does_not_hold() -> None:
    fields = dict.fromkeys(Loaded.__dataclass_fields__, 0) | {
        "servers": 1,
        "runs": 1_000,
        "needed": 100.0,
        "per_second": 99.0,
        "delay_p99": 0.5,
        "burst_per_second": 100 * HEADROOM,
    }

    assert Loaded(**fields).holds
    assert not Loaded(**fields | {"lost": 1}).holds
    assert not Loaded(**fields | {"per_second": 90.0}).holds
    assert not Loaded(**fields | {"delay_p99": 10.0}).holds
    assert not Loaded(**fields | {"burst_per_second": 100 * HEADROOM - 1}).holds
    two = fields | {"servers": 2, "kill_seconds": 60.0, "burst_per_second": 0.0}
    assert Loaded(**two | {"delay_p99": 59.0}).holds
    assert not Loaded(**two | {"delay_p99": 60.0}).holds
