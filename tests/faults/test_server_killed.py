"""A server is killed at each stage of a commit: the next one goes on, and repeats nothing."""

import signal

import pytest

from .conftest import Planning
from .crash import Crash
from .journal import exactly_once, waiting_in
from .processes import Server, sync, trainer

STAGES = [
    Crash("commit", "before", 3),
    Crash("commit", "after", 3),
    Crash("answer", "before", 3),
    Crash("answer", "after", 3),
    Crash("acknowledge", "after", 3),
]


@pytest.mark.parametrize("stage", STAGES, ids=lambda it: f"{it.when}-{it.place}")
def test_trainer_outlives_a_killed_server_and_all_is_stored_once(
    stage: Crash, planned: Planning, killable: Server
) -> None:
    plan = planned(killable.url)

    killable.start(stage)
    with trainer(plan) as training:
        killable.process.dies()
        killable.start()
        training.succeeds()
    sync(plan.folder, killable.url)

    assert exactly_once(plan.journal, killable.database).frames == plan.frames


def test_server_that_starts_long_after_the_trainer_is_sent_everything(
    planned: Planning, killable: Server
) -> None:
    plan = planned(killable.url, patience=0.2)
    with trainer(plan) as training:
        training.succeeds()
    assert waiting_in(plan.folder) == plan.frames + 3

    killable.start()
    sync(plan.folder, killable.url)

    assert exactly_once(plan.journal, killable.database).frames == plan.frames


def test_server_that_is_told_to_end_loses_nothing_and_the_next_one_goes_on(
    planned: Planning, server: Server
) -> None:
    plan = planned(server.url, frames=60)
    with trainer(plan) as training:
        training.wait_for("ready")
        server.holds_frames(10)
        server.process.signal(signal.SIGTERM)
        assert server.process.wait() in {0, -signal.SIGTERM}
        server.start()
        training.succeeds()
    sync(plan.folder, server.url)

    assert exactly_once(plan.journal, server.database).frames == plan.frames
