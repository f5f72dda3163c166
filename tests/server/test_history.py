"""A run's line of steps through several attempts."""

from collections.abc import Sequence

import numpy as np

from gainstage import wire
from gainstage_server.buckets import Buckets
from gainstage_server.history import History, Window
from gainstage_server.selection import Cell
from gainstage_server.store.interface import Store

from .committing import Commit, commit
from .trainer import Trainer

__all__ = ["commit"]  # the fixture

PRE_DB = (Cell("row1", "pre_db"),)


def read(store: Store, cells: Sequence[Cell] = PRE_DB, **window: int) -> Buckets:
    return History(store, "canonical").read(list(cells), Window(**window))


def read_of(store: Store, worker: int, attempt: str | None = None) -> Buckets:
    return History(store, "canonical", worker, attempt).read(list(PRE_DB), Window())


def test_a_run_that_goes_on_from_a_checkpoint_shows_only_what_counts(
    store: Store, commit: Commit
) -> None:
    first, second = Trainer(), Trainer(attempt="a2", time=2_000.0)
    commit(*first.opening(), *(first.frame(step, 1.0) for step in (0, 10, 20, 30)))
    commit(*second.opening(), *(second.frame(step, 2.0) for step in (20, 40)))

    buckets = read(store)

    assert buckets.steps.tolist() == [0, 10, 20, 40]
    assert buckets.last[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0]


def test_a_run_that_starts_all_over_shows_the_new_attempt_only(
    store: Store, commit: Commit
) -> None:
    first, second = Trainer(), Trainer(attempt="a2", time=2_000.0)
    commit(*first.opening(), *(first.frame(step, 1.0) for step in (5, 10)))
    commit(*second.opening(), second.frame(0, 2.0))

    assert read(store).steps.tolist() == [0]


def test_an_attempt_shows_also_what_a_later_one_took_the_place_of(
    store: Store, commit: Commit
) -> None:
    first, second = Trainer(), Trainer(attempt="a2", time=2_000.0)
    commit(*first.opening(), *(first.frame(step, 1.0) for step in (0, 10, 20, 30)))
    commit(*second.opening(), *(second.frame(step, 2.0) for step in (20, 40)))

    assert read_of(store, 0, "a1").steps.tolist() == [0, 10, 20, 30]
    assert read_of(store, 0, "a2").steps.tolist() == [20, 40]
    assert read_of(store, 0, "a3").steps.tolist() == []


def test_each_worker_has_a_line_of_its_own(store: Store, commit: Commit) -> None:
    chief, other = Trainer(), Trainer(attempt="b1", worker=1)
    again = Trainer(attempt="b2", worker=1, time=2_000.0)
    commit(*chief.opening(), *(chief.frame(step, 1.0) for step in (0, 10)))
    commit(*other.opening(), *(other.frame(step, 2.0) for step in (5, 15)))
    commit(*again.opening(), again.frame(10, 3.0))

    assert read_of(store, 0).steps.tolist() == [0, 10]
    assert read_of(store, 1).last[:, 0].tolist() == [2.0, 3.0]
    assert read_of(store, 2).steps.tolist() == []


def test_a_window_is_inclusive_at_both_ends(store: Store, commit: Commit) -> None:
    trainer = Trainer()
    commit(*trainer.opening(), *(trainer.frame(step) for step in range(0, 60, 10)))

    assert read(store, first=10, last=30).steps.tolist() == [10, 20, 30]


def test_rows_are_found_by_their_identity_when_their_positions_change(
    store: Store, commit: Commit
) -> None:
    trainer = Trainer(statistics=("pre_db",))
    commit(*trainer.opening(), trainer.frame(0, [[0.0], [1.0], [2.0]]))
    schema = trainer.schema_message()
    rows = tuple(reversed(schema.rows))
    trainer.seq -= 1
    commit(trainer.schema(rows=rows), trainer.frame(1, [[2.5], [1.5], [0.5]]))

    cells = [Cell(f"row{index}", "pre_db") for index in range(3)]

    assert read(store, cells).last.tolist() == [[0.0, 1.0, 2.0], [0.5, 1.5, 2.5]]


def test_what_a_schema_masks_or_does_not_have_is_absent(store: Store, commit: Commit) -> None:
    trainer = Trainer(statistics=("pre_db", "bias_db"))
    mask = np.packbits([1, 1, 1, 0, 1, 1], bitorder="little").tobytes()
    columns = tuple(wire.Column(name, 1) for name in trainer.statistics)
    commit(trainer.run_start(), trainer.schema(blocks={"layers": wire.BlockSchema(columns, mask)}))
    commit(trainer.frame(0, np.nan))

    cells = [
        Cell("row1", "pre_db"),
        Cell("row1", "bias_db"),
        Cell("row1", "x"),
        Cell("x", "pre_db"),
    ]

    assert read(store, cells).present.tolist() == [[True, False, False, False]]


def test_a_block_that_was_not_sampled_is_absent(store: Store, commit: Commit) -> None:
    trainer = Trainer()
    commit(*trainer.opening(), trainer.frame(0))
    frame = wire.decode(trainer.frame(1))[0]
    commit(wire.encode(frame))

    assert read(store).present[:, 0].tolist() == [True, False]
