"""Views of runs whose frames became chunks show what they showed before, on either database."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, TextClause, event
from sqlalchemy.engine.interfaces import CacheStats

from gainstage import units, wire
from gainstage_server.buckets import Buckets
from gainstage_server.compaction.chunk import FRAMES, SECTIONS
from gainstage_server.history import History, Window, rehearse
from gainstage_server.selection import Cell
from gainstage_server.store import store_at
from gainstage_server.store.interface import Store

from .committing import Commit, commit
from .compacting import Run, chunks, compact, frames_between, raws, waiting
from .conftest import BACKENDS

__all__ = ["commit"]  # the fixture

CELLS = [Cell("row0", "pre_db"), Cell("row2", "bias_db"), Cell("row1", "gain")]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def read_of(store: Store, what: str, window: Window) -> Buckets:
    history = History(store, "canonical")
    if what == "cells":
        return history.read(CELLS, window)
    if what == "units":
        return history.units("row1", 2, window)
    return history.logs(["loss", "accuracy"], window)


def truth(frames: Sequence[bytes], what: str) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Steps, values and presence of all frames that have what is asked for, frame by frame."""
    steps, values, present = [], [], []
    for raw in frames:
        header, blocks = wire.decode(raw)
        none = np.full((3, 2), np.nan, np.float32)
        if what == "cells":
            layers, gradients = blocks["layers"], blocks.get("gradients", none)
            values.append([layers[0, 0], layers[2, 1], gradients[1, 0]])
            present.append([True, True, "gradients" in blocks])
        elif what == "units":
            if units.UNITS not in blocks:
                continue
            values.append(blocks[units.UNITS][1, :2])
            present.append([True, True])
        else:
            values.append([header.logs.get("loss", np.nan), np.nan])
            present.append(["loss" in header.logs, False])
        steps.append(header.step)
    return steps, np.float32(values), np.array(present, bool)


def check(buckets: Buckets, frames: Sequence[bytes], what: str, points: int) -> None:
    """Each bucket is what its frames say, one after the other."""
    steps, values, present = truth(frames, what)
    assert buckets.frames.sum() == len(steps)
    assert len(buckets.steps) <= points
    ends = np.cumsum(buckets.frames)
    assert buckets.steps.tolist() == [steps[end - 1] for end in ends]
    for place, (end, count) in enumerate(zip(ends, buckets.frames, strict=True)):
        for column in range(values.shape[1]):
            there = present[end - count : end, column]
            own = values[end - count : end, column][there]
            assert buckets.present[place, column] == bool(len(own))
            if len(own):
                with np.errstate(invalid="ignore"):
                    expected = own.min(), own.max(), own[-1]
                    mean = own.mean(dtype=np.float64)
                got = (getattr(buckets, name)[place, column] for name in ("min", "max", "last"))
                np.testing.assert_array_equal(list(got), expected)
                np.testing.assert_allclose(buckets.mean[place, column], mean, 1e-4, 1e-5)


@pytest.fixture
def long(store: Store, commit: Commit) -> Iterator[list[bytes]]:
    """The frames of a run of many chunks, most of them merged, and some that are in none."""
    run = Run()
    opening = run.opening()
    frames = frames_between(run, 0, 2_400)
    commit(*opening, *frames)
    assert compact(store) == 18 + 1
    assert chunks(store) == [SECTIONS * FRAMES, FRAMES, FRAMES]
    return frames


WHAT = ("cells", "units", "logs")


def test_buckets_of_chunks_are_those_of_their_frames(store: Store, long: list[bytes]) -> None:
    for what, points in product(WHAT, (2_000, 300, 93, 60, 11, 2, 1)):
        buckets = read_of(store, what, Window(points=points))

        check(buckets, long, what, points)
        # An entry of several frames is in one bucket, and no larger than what two should have.
        assert buckets.frames.max() <= 2 * -(-buckets.frames.sum() // points)


def test_window_that_cuts_through_chunks_holds_its_ends(store: Store, long: list[bytes]) -> None:
    windows = ((0, 0), (100, 140), (127, 128), (2_047, 2_060), (65, 1_300), (0, 2_047), (1, 2_399))
    for what, (first, last), points in product(WHAT, windows, (600, 8)):
        buckets = read_of(store, what, Window(first, last, points))

        check(buckets, long[first : last + 1], what, points)
    assert len(read_of(store, "cells", Window(3_000, 4_000)).steps) == 0


def test_coarse_views_read_no_finer_parts(store: Store, long: list[bytes]) -> None:
    read: list[tuple[int, int]] = []
    with store.past() as past:
        kind = type(past)
    original = kind.parts

    def parts(self: Any, stream: Any, seqs: Any, factor: int, **rest: Any) -> Any:
        read.append((factor, len(seqs)))
        return original(self, stream, seqs, factor, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "parts", parts)
        for points in (2_000, 200, 30):  # half of them are enough
            read_of(store, "cells", Window(points=points))

    # Of two blocks, those of 18 sections and chunks, or of a merged chunk and of two others.
    frames, middle, coarse = [(1, 18)], [(16, 1), (16, 2)], [(128, 1), (128, 2)]
    assert read == 2 * frames + 2 * middle + 2 * coarse


def test_after_a_rehearsal_no_statement_is_compiled_for_the_first_view(
    database: str, long: list[bytes]
) -> None:
    read: list[CacheStats] = []

    def note(*given: Any) -> None:
        compiled = getattr(given[4], "compiled", None)
        # Of what was written as text, next to nothing is left to do.
        if compiled is not None and not isinstance(compiled.statement, TextClause):
            read.append(given[4].cache_hit)

    fresh = store_at(database)
    rehearse(fresh)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        read_of(fresh, "cells", Window())
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        fresh.close()

    assert len(read) >= 5
    assert CacheStats.CACHE_MISS not in read


def test_a_later_attempt_cuts_the_chunks_of_an_earlier_one(store: Store, commit: Commit) -> None:
    first, second = Run(), Run(attempt="a2", time=2_000.0)
    before = [*first.opening(), *frames_between(first, 0, 300)]
    after = [*second.opening(), *frames_between(second, 100, 400)]
    commit(*before, first.run_end())
    commit(*after, second.run_end())
    compact(store)

    for points in (1_000, 20, 3):
        buckets = read_of(store, "cells", Window(points=points))
        check(buckets, [*before[2:102], *after[2:]], "cells", points)


# -- What comes late, or goes wrong ----------------------------------------------------------------


def test_frames_that_come_late_are_shown_in_their_place_before_and_after_they_are_compacted(
    store: Store, commit: Commit
) -> None:
    run = Run()
    opening = run.opening()
    frames = frames_between(run, 0, 400)
    late = [frames[step] for step in (0, 5, 6, 130, 250)]
    commit(*opening, *(frame for frame in frames if frame not in late))
    compact(store)

    commit(*late)
    check(read_of(store, "cells", Window(points=1_000)), frames, "cells", 1_000)
    commit(run.run_end())
    compact(store)

    check(read_of(store, "cells", Window(points=1_000)), frames, "cells", 1_000)
    for points in (20, 3):
        check(read_of(store, "cells", Window(points=points)), frames, "cells", points)
    assert waiting(store) == [399]
    assert raws(store) == frames


def test_frames_that_come_late_go_beside_a_section_of_a_merged_chunk(
    store: Store, commit: Commit
) -> None:
    run, full = Run(), SECTIONS * FRAMES
    opening = run.opening()
    frames = frames_between(run, 0, full + 2 * FRAMES)
    batches = [(2_040,), (500, 700), (5, 100)]  # of steps, the latest first
    late = {step for steps in batches for step in steps}
    commit(*opening, *(frame for step, frame in enumerate(frames) if step not in late))
    # As if over after each: what is late would wait for more otherwise.
    for steps in [(), *batches]:
        commit(*(frames[step] for step in steps))
        compact(store, clock=1e12)

    # Those of one section together, so that none is shown far from its place.
    assert chunks(store) == [full, 2, 1, 1, 1, FRAMES, FRAMES - len(late) - 1]
    assert raws(store) == frames
    check(read_of(store, "cells", Window(points=3_000)), frames, "cells", 3_000)
    for points in (20, 3):
        buckets = read_of(store, "cells", Window(points=points))
        assert (buckets.frames.sum(), buckets.steps[-1]) == (len(frames), len(frames) - 1)


def test_a_training_whose_steps_begin_again_is_compacted_once(store: Store, commit: Commit) -> None:
    run = Run()
    opening = run.opening()
    frames = [run.any(step) for _ in range(3) for step in range(100)]
    stuck = [run.any(50) for _ in range(300)]
    commit(*opening, *frames, *stuck, run.run_end())

    made = compact(store)

    by_step = sorted([*frames, *stuck], key=lambda raw: wire.decode(raw)[0].step)
    assert made <= 6
    assert raws(store) == [*frames, *stuck]
    check(read_of(store, "cells", Window(points=5_000)), by_step, "cells", 5_000)
