"""Downsampling that loses no spike, and a run's line of steps through several attempts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gainstage import wire
from gainstage_server.commit import Committer, Sent
from gainstage_server.history import Buckets, Cell, History, Window
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store.sqlite import SQLiteStore

from .fold import NoFold
from .trainer import Trainer

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


def slow_band(values: list[np.float32], pick: str) -> np.float32 | None:
    """The reference: one bucket of one column, value by value; None where it has none."""
    if not values:
        return None
    if pick != "last" and any(np.isnan(value) for value in values):
        return np.nan
    return {"min": min, "max": max, "last": lambda found: found[-1]}[pick](values)


@given(
    data=st.data(),
    frames=st.integers(1, 40),
    points=st.integers(1, 50),
    columns=st.integers(1, 3),
)
def test_buckets_agree_with_the_slow_reference(
    data: Any, frames: int, points: int, columns: int
) -> None:
    values = data.draw(arrays(np.float32, (frames, columns), elements=FLOATS))
    present = data.draw(arrays(bool, (frames, columns)))
    buckets = Buckets(frames, points, columns)
    for index in range(frames):
        buckets.add(index * 10, index / 2, values[index], present[index])

    size = min(frames, points)
    members = [[i for i in range(frames) if i * size // frames == place] for place in range(size)]
    assert buckets.steps.tolist() == [10 * found[-1] for found in members]
    assert buckets.times.tolist() == [found[-1] / 2 for found in members]
    for pick in ("min", "max", "last"):
        band = getattr(buckets, pick)
        for place, column in np.ndindex(size, columns):
            found = [values[i, column] for i in members[place] if present[i, column]]
            expected = slow_band(found, pick)
            assert buckets.present[place, column] == (expected is not None)
            if expected is not None:
                np.testing.assert_array_equal(band[place, column], expected)


@given(frames=st.integers(1, 500), points=st.integers(1, 100))
def test_buckets_hold_equally_many_frames_or_one_more(frames: int, points: int) -> None:
    size = min(frames, points)
    counts = np.bincount([index * size // frames for index in range(frames)])

    assert len(counts) == size
    assert counts.max() - counts.min() <= 1


def test_a_single_spike_among_many_frames_survives() -> None:
    buckets = Buckets(10_000, 100, 1)
    for step in range(10_000):
        loud = 1e6 if step == 4_321 else 1.0
        buckets.add(step, 0.0, np.float32([loud]), np.array([True]))

    assert buckets.max.max() == 1e6
    assert np.count_nonzero(buckets.max == 1e6) == 1
    assert buckets.last.max() == 1.0


Commit = Callable[..., None]
PRE_DB = (Cell("row1", "pre_db"),)


@pytest.fixture
def commit(store: SQLiteStore) -> Commit:
    runs = Runs(store, 60.0)
    committer = Committer(Settings(disk_floor=0), store, NoFold(), runs)

    def commit(*messages: bytes) -> None:
        committed = committer.commit([Sent(message) for message in messages])
        assert not any(isinstance(outcome, wire.Refuse) for outcome in committed.outcomes)
        runs.apply(committed)

    return commit


def read(store: SQLiteStore, cells: Sequence[Cell] = PRE_DB, **window: int) -> Buckets:
    return History(store, "canonical").read(list(cells), Window(**window))


def read_of(store: SQLiteStore, worker: int, attempt: str | None = None) -> Buckets:
    return History(store, "canonical", worker, attempt).read(list(PRE_DB), Window())


def test_a_run_that_goes_on_from_a_checkpoint_shows_only_what_counts(
    store: SQLiteStore, commit: Commit
) -> None:
    first, second = Trainer(), Trainer(attempt="a2", time=2_000.0)
    commit(*first.opening(), *(first.frame(step, 1.0) for step in (0, 10, 20, 30)))
    commit(*second.opening(), *(second.frame(step, 2.0) for step in (20, 40)))

    buckets = read(store)

    assert buckets.steps.tolist() == [0, 10, 20, 40]
    assert buckets.last[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0]


def test_a_run_that_starts_all_over_shows_the_new_attempt_only(
    store: SQLiteStore, commit: Commit
) -> None:
    first, second = Trainer(), Trainer(attempt="a2", time=2_000.0)
    commit(*first.opening(), *(first.frame(step, 1.0) for step in (5, 10)))
    commit(*second.opening(), second.frame(0, 2.0))

    assert read(store).steps.tolist() == [0]


def test_an_attempt_shows_also_what_a_later_one_took_the_place_of(
    store: SQLiteStore, commit: Commit
) -> None:
    first, second = Trainer(), Trainer(attempt="a2", time=2_000.0)
    commit(*first.opening(), *(first.frame(step, 1.0) for step in (0, 10, 20, 30)))
    commit(*second.opening(), *(second.frame(step, 2.0) for step in (20, 40)))

    assert read_of(store, 0, "a1").steps.tolist() == [0, 10, 20, 30]
    assert read_of(store, 0, "a2").steps.tolist() == [20, 40]
    assert read_of(store, 0, "a3").steps.tolist() == []


def test_each_worker_has_a_line_of_its_own(store: SQLiteStore, commit: Commit) -> None:
    chief, other = Trainer(), Trainer(attempt="b1", worker=1)
    again = Trainer(attempt="b2", worker=1, time=2_000.0)
    commit(*chief.opening(), *(chief.frame(step, 1.0) for step in (0, 10)))
    commit(*other.opening(), *(other.frame(step, 2.0) for step in (5, 15)))
    commit(*again.opening(), again.frame(10, 3.0))

    assert read_of(store, 0).steps.tolist() == [0, 10]
    assert read_of(store, 1).last[:, 0].tolist() == [2.0, 3.0]
    assert read_of(store, 2).steps.tolist() == []


def test_a_window_is_inclusive_at_both_ends(store: SQLiteStore, commit: Commit) -> None:
    trainer = Trainer()
    commit(*trainer.opening(), *(trainer.frame(step) for step in range(0, 60, 10)))

    assert read(store, first=10, last=30).steps.tolist() == [10, 20, 30]


def test_rows_are_found_by_their_identity_when_their_positions_change(
    store: SQLiteStore, commit: Commit
) -> None:
    trainer = Trainer(statistics=("pre_db",))
    commit(*trainer.opening(), trainer.frame(0, [[0.0], [1.0], [2.0]]))
    schema = trainer.schema_message()
    rows = tuple(reversed(schema.rows))
    trainer.seq -= 1
    commit(trainer.schema(rows=rows), trainer.frame(1, [[2.5], [1.5], [0.5]]))

    cells = [Cell(f"row{index}", "pre_db") for index in range(3)]

    assert read(store, cells).last.tolist() == [[0.0, 1.0, 2.0], [0.5, 1.5, 2.5]]


def test_what_a_schema_masks_or_does_not_have_is_absent(store: SQLiteStore, commit: Commit) -> None:
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


def test_a_block_that_was_not_sampled_is_absent(store: SQLiteStore, commit: Commit) -> None:
    trainer = Trainer()
    commit(*trainer.opening(), trainer.frame(0))
    frame = wire.decode(trainer.frame(1))[0]
    commit(wire.encode(frame))

    assert read(store).present[:, 0].tolist() == [True, False]
