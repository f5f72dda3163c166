"""A trainer is killed at each stage of a message's way: what it had appended is stored once."""

import signal

import pytest
from tests.monitor.serving import nowhere

from .conftest import Planning
from .crash import Crash
from .journal import ask, exactly_once, read
from .processes import Server, sync, trainer, wait_until

STAGES = [
    Crash("append", "before", 7),
    Crash("append", "after", 7),
    Crash("send", "before", 7),
    Crash("send", "after", 7),
    Crash("acknowledged", "before", 3),
    Crash("acknowledged", "after", 3),
]


@pytest.mark.parametrize("stage", STAGES, ids=lambda it: f"{it.when}-{it.place}")
def test_what_a_killed_trainer_had_appended_is_stored_once(
    stage: Crash, planned: Planning, lasting: Server
) -> None:
    plan = planned(lasting.url, run=f"{stage.when}-{stage.place}", crash=stage)

    with trainer(plan) as killed:
        killed.dies()
    sync(plan.folder, lasting.url)

    assert 0 < exactly_once(plan.journal, lasting.database).frames <= plan.frames


def test_trainer_that_starts_again_sends_what_the_killed_one_left(
    planned: Planning, lasting: Server
) -> None:
    first = planned(lasting.url, run="again", crash=Crash("append", "after", 9))
    with trainer(first) as killed:
        killed.dies()
    with trainer(planned(lasting.url, run="again")) as again:
        again.succeeds()
    sync(first.folder, lasting.url)

    assert exactly_once(first.journal, lasting.database).frames == 7 + 20
    assert len({attempt for _, attempt, *_ in read(first.journal).appended}) == 2


def test_spool_lost_with_its_disk_takes_nothing_from_the_next_attempt(
    planned: Planning, lasting: Server
) -> None:
    lost = planned(lasting.url, run="preempted", crash=Crash("acknowledged", "after", 3))
    with trainer(lost) as killed:
        killed.dies()
    again = planned(
        lasting.url,
        run="preempted",
        folder=lost.folder.with_name("other-spool"),
        journal=lost.journal.with_name("other-journal"),
    )
    with trainer(again) as second:
        second.succeeds()
    sync(again.folder, lasting.url)

    assert exactly_once(again.journal, lasting.database).frames == again.frames


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_trainer_that_is_told_to_end_leaves_a_complete_spool_and_says_that_it_was_interrupted(
    number: signal.Signals, planned: Planning, lasting: Server
) -> None:
    with nowhere() as url:
        plan = planned(url, run=number.name, frames=10_000)
        with trainer(plan) as told:
            wait_until(lambda: len(read(plan.journal).appended) > 10)
            told.signal(number)
            assert told.wait() != 0
    sync(plan.folder, lasting.url)

    assert exactly_once(plan.journal, lasting.database).frames > 8
    status = ask(lasting.database, "SELECT status FROM attempts WHERE run = ?", plan.run)
    assert status == [("interrupted",)]
