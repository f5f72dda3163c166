"""Downsampling that loses no spike, whatever the order in which its parts are read."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gainstage_server.buckets import Buckets, Line, Piece
from gainstage_server.compaction.axis import Entries
from gainstage_server.compaction.rollups import Bands, roll_up

SPECIAL = np.float32([0, np.nan, np.inf, -np.inf, 1e30])


def entries(steps: Any, frames: Any = None) -> Entries:
    steps = np.asarray(steps, np.int64)
    counts = np.ones(len(steps), np.intp) if frames is None else np.asarray(frames, np.intp)
    return Entries(steps, steps * 10, steps / 2, counts)


def slow(values: list[np.float32], name: str) -> np.float32:
    """The reference: one bucket of one column, value by value."""
    if name == "last":
        return values[-1]
    if any(np.isnan(value) for value in values):
        return np.float32(np.nan)
    return {"min": min, "max": max}[name](values)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(1, 60),
    points=st.integers(1, 80),
    pieces=st.integers(1, 4),
)
def test_buckets_agree_with_the_slow_reference(
    seed: int, frames: int, points: int, pieces: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(frames, 3)).astype(np.float32)
    values = np.where(rng.random(values.shape) < 0.2, rng.choice(SPECIAL, values.shape), values)
    present = rng.random(values.shape) < 0.7
    piece = rng.integers(0, pieces, frames)
    own = [np.flatnonzero(piece == one) for one in range(pieces)]
    line = Line.of([[entries(steps) for steps in own]])
    buckets = Buckets(line.entries, points, 3)
    for columns, together in (([2, 0], pieces), ([1], 1)):
        added: list[Piece] = []
        for index in rng.permutation(pieces):
            at = np.ix_(own[index], columns)
            bands, weights = Bands.exact(values[at]), present[at].astype(np.intp)
            added.append(Piece(line.ranks[index], bands, weights))
        for first in range(0, pieces, together):
            buckets.fill(np.array(columns), added[first : first + together])

    size = min(frames, points)
    members = [[i for i in range(frames) if i * size // frames == place] for place in range(size)]
    assert buckets.steps.tolist() == [10 * found[-1] for found in members]
    assert buckets.times.tolist() == [found[-1] / 2 for found in members]
    assert buckets.frames.tolist() == list(map(len, members))
    for place, column in np.ndindex(size, 3):
        found = [values[i, column] for i in members[place] if present[i, column]]
        assert buckets.present[place, column] == bool(found)
        if found:
            for name in ("min", "max", "last"):
                got = getattr(buckets, name)[place, column]
                np.testing.assert_array_equal(got, slow(found, name))
            with np.errstate(invalid="ignore"):
                mean = np.mean(found, dtype=np.float64)
            np.testing.assert_allclose(buckets.mean[place, column], mean, 1e-6, 1e-6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 200), points=st.integers(1, 50))
def test_entries_of_several_frames_come_to_the_same_as_their_frames(
    seed: int, frames: int, points: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(frames, 2)).astype(np.float32)
    starts = np.flatnonzero(rng.random(frames) < 0.2)
    starts = np.unique(np.append(0, starts))
    ends = np.append(starts[1:], frames)
    rolled = roll_up(Bands.exact(values), np.ones(frames, np.intp), starts)
    found = Buckets(entries(ends - 1, ends - starts), points, 2)

    piece = Piece(np.arange(len(starts)), rolled, (ends - starts)[:, None])
    found.fill(np.arange(2), [piece])

    until = np.cumsum(found.frames)
    assert until[-1] == frames
    assert found.steps.tolist() == (10 * (until - 1)).tolist()
    for first, end, place in zip(np.append(0, until), until, range(len(until)), strict=False):
        np.testing.assert_array_equal(found.min[place], values[first:end].min(axis=0))
        np.testing.assert_array_equal(found.max[place], values[first:end].max(axis=0))
        np.testing.assert_array_equal(found.last[place], values[end - 1])
        np.testing.assert_allclose(found.mean[place], values[first:end].mean(axis=0), 1e-4, 1e-6)


@given(frames=st.integers(1, 500), points=st.integers(1, 100))
def test_buckets_hold_equally_many_frames_or_one_more(frames: int, points: int) -> None:
    counts = Buckets(entries(range(frames)), points, 1).frames

    assert len(counts) == min(frames, points)
    assert counts.max() - counts.min() <= 1


def test_a_single_spike_among_many_frames_survives() -> None:
    values = np.ones((10_000, 1), np.float32)
    values[4_321] = 1e6
    buckets = Buckets(entries(range(10_000)), 100, 1)

    piece = Piece(np.arange(10_000), Bands.exact(values), np.ones((10_000, 1), int))
    buckets.fill(np.array([0]), [piece])

    assert buckets.downsampled
    assert np.count_nonzero(buckets.max == 1e6) == 1
    assert buckets.last.max() == 1.0


def test_spans_follow_each_other_and_within_one_steps_decide() -> None:
    line = Line.of([[entries([5, 9]), entries([7])], [entries([1])]])

    assert line.entries.steps.tolist() == [50, 70, 90, 10]
    assert [ranks.tolist() for ranks in line.ranks] == [[0, 2], [1], [3]]


def test_nothing_has_no_buckets() -> None:
    line = Line.of([])

    assert len(Buckets(line.entries, 10, 3).steps) == 0
