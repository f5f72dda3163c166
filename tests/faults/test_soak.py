"""Five minutes of the soak, idle for most of the time; `python -m tests.faults.soak` is an hour."""

import subprocess
import sys

import msgspec
import pytest

from .processes import ROOT
from .soak.command import GROWTH_MIB, Soaked, growth

MINUTES, TRAINERS, VIEWERS = 5, 200, 20
# In so short a time caches fill, and as many runs as retention keeps.
FILLING_MIB = 40.0


@pytest.mark.timeout(900)
def test_nothing_is_lost_and_the_server_does_not_grow_under_many_trainers_and_viewers() -> None:
    options = [f"--minutes={MINUTES}", f"--trainers={TRAINERS}", f"--viewers={VIEWERS}", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.soak", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    soaked = msgspec.json.decode(done.stdout, type=Soaked)

    assert soaked.lost == 0
    assert soaked.growth_mib <= FILLING_MIB, soaked
    # It was a soak: most trainers had a run that ended, retention had to take some of them,
    # connections were cut, viewers looked on.
    assert soaked.runs >= TRAINERS
    assert soaked.deleted > 0
    assert soaked.frames > 60 * MINUTES * TRAINERS / 10 / 2
    assert soaked.cuts > MINUTES
    assert soaked.viewer_messages > 60 * MINUTES
    assert done.returncode == (0 if soaked.holds else 1)


def test_memory_that_grows_is_noticed() -> None:
    flat = [80.0 + place % 7 for place in range(600)]
    leaking = [memory + place / 25 for place, memory in enumerate(flat)]

    assert growth(flat) <= 1.0
    assert growth(leaking) > 7.0


def test_soak_that_lost_a_message_or_grew_does_not_hold() -> None:
    fields = dict.fromkeys(Soaked.__dataclass_fields__, 0) | {"memory_mib": ()}

    assert Soaked(**fields).holds
    assert not Soaked(**fields | {"lost": 1}).holds
    assert not Soaked(**fields | {"growth_mib": GROWTH_MIB + 1}).holds
