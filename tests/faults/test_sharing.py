"""What several processes have in common: a folder, a run, or their past."""

from .conftest import Planning
from .journal import exactly_once, read
from .processes import Server, paused, sync, trainer


def test_two_trainers_on_one_folder_and_one_run(planned: Planning, lasting: Server) -> None:
    plan = planned(lasting.url, run="twice")
    with trainer(plan) as one, trainer(plan) as other:
        one.succeeds()
        other.succeeds()
    sync(plan.folder, lasting.url)

    assert exactly_once(plan.journal, lasting.database).frames == 2 * plan.frames
    assert len({attempt for _, attempt, *_ in read(plan.journal).appended}) == 2
    assert not list(plan.folder.iterdir())


def test_sync_leaves_alone_what_a_training_uses(planned: Planning, lasting: Server) -> None:
    plan = planned(lasting.url, run="shared", frames=100)
    with trainer(plan) as killed:
        killed.wait_for("ready")
        killed.kill()
    with trainer(plan) as training:
        training.wait_for("ready")
        with paused(training):
            said = sync(plan.folder, lasting.url)
            assert len(list(plan.folder.glob("*.spool"))) == 1
        training.succeeds()
    sync(plan.folder, lasting.url)

    assert "in use" in said
    assert exactly_once(plan.journal, lasting.database).frames >= plan.frames
    assert not list(plan.folder.iterdir())


def test_fork_of_a_training_neither_repeats_nor_ends_its_run(
    planned: Planning, lasting: Server
) -> None:
    plan = planned(lasting.url, run="forked")
    with trainer(plan, "forking") as training:
        training.succeeds()
    sync(plan.folder, lasting.url)

    assert exactly_once(plan.journal, lasting.database).frames == plan.frames
    assert not list(plan.folder.iterdir())
