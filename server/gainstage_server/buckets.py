"""Downsampling that loses no spike: entries of a line of steps, put into a few buckets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gainstage_server.compaction.axis import Entries
from gainstage_server.compaction.rollups import (
    Bands,
    Flags,
    Floats,
    Places,
    reduced,
    side_by_side,
)

# Values that are put into buckets at a time, at least: 16 MiB of rollups.
_TOGETHER = 2**20


class Piece(NamedTuple):
    """What some entries have.

    Attributes:
        ranks: [entries], in the line, ascending.
        bands: [entries, columns]
        weights: [entries, columns] or [entries, 1], in how many frames each value is present.
    """

    ranks: Places
    bands: Bands
    weights: npt.NDArray[np.integer]

    @classmethod
    def together(cls, pieces: Sequence["Piece"]) -> "Piece":
        """All of these as one."""
        if len(pieces) == 1:
            return pieces[0]
        ranks = np.concatenate([one.ranks for one in pieces])
        order = np.argsort(ranks)
        return cls(
            ranks[order],
            Bands.together([one.bands for one in pieces], order),
            np.concatenate([one.weights for one in pieces])[order],
        )


@dataclass(frozen=True)
class Line:
    """Entries in the order of a run's steps; whoever brings one is told its rank.

    Attributes:
        entries: In order.
        ranks: One array for each of the entries that `of` was given, where those stand now.
    """

    entries: Entries
    ranks: list[Places]

    @classmethod
    def of(cls, spans: list[list[Entries]]) -> "Line":
        """The entries of some spans, which follow each other; within one they go by their steps."""
        found = [(index, one) for index, span in enumerate(spans) for one in span]
        entries = Entries.together([one for _, one in found])
        span = np.repeat([index for index, _ in found], [len(one) for _, one in found])
        order = np.lexsort((entries.seqs, entries.steps, span.astype(np.intp)))
        ranks = np.empty(len(order), np.intp)
        ranks[order] = np.arange(len(order))
        ends = accumulate((len(one) for _, one in found), initial=0)
        return cls(entries.at(order), [ranks[first:end] for first, end in pairwise(ends)])


class Buckets:
    """The smallest, largest, mean and last value of each bucket.

    The buckets hold equally many frames or one more, as far as entries of several frames let them.
    A NaN stays visible: it is smallest, largest and mean of its bucket. Values that are not present
    count nowhere.

    Attributes:
        steps: [points], step of the last frame of each bucket.
        times: [points], time of the last frame of each bucket.
        frames: [points], how many frames each bucket has.
        min: [points, columns]
        max: [points, columns]
        last: [points, columns]
    """

    def __init__(self, entries: Entries, points: int, columns: int) -> None:
        """Buckets for `entries`, at most so many `points`, without values yet."""
        total = int(entries.frames.sum())
        before = np.cumsum(entries.frames) - entries.frames
        # An entry goes as a whole where its first frame goes; what this leaves empty is no bucket.
        place = before * min(total, points) // max(1, total)
        ends = np.flatnonzero(np.diff(place, append=-1))
        self._place = np.searchsorted(place[ends], place)
        self.steps, self.times = entries.steps[ends], entries.times[ends]
        self.frames = np.bincount(self._place, entries.frames, len(ends)).astype(np.int64)
        shape = len(ends), columns
        self.min: Floats = np.full(shape, np.inf, np.float32)
        self.max: Floats = np.full(shape, -np.inf, np.float32)
        self.last: Floats = np.full(shape, np.nan, np.float32)
        self._newest = np.full(shape, -1, np.intp)  # rank of the entry that `last` comes from
        self._sum = np.zeros(shape)
        self._weight = np.zeros(shape, np.int64)

    @property
    def downsampled(self) -> bool:
        """Whether some bucket has several frames."""
        return bool((self.frames > 1).any())

    @property
    def present(self) -> Flags:
        """[points, columns], False where no frame of the bucket has a value."""
        return self._weight > 0

    @property
    def mean(self) -> Floats:
        """[points, columns], of all values of the bucket."""
        with np.errstate(invalid="ignore"):
            return (self._sum / self._weight).astype(np.float32)

    def fill(self, columns: Places, pieces: Iterable[Piece]) -> None:
        """Add what some entries have; any part of the line may come before any other.

        `columns` are those of the buckets that the columns of all pieces are.
        """
        some, size = list[Piece](), 0
        for piece in pieces:
            some.append(piece)
            size += piece.bands.last.size
            # Each time costs as much as hundreds of values.
            if size >= _TOGETHER:
                self._merge(columns, Piece.together(some))
                some, size = [], 0
        if size:
            self._merge(columns, Piece.together(some))

    def _merge(self, columns: Places, piece: Piece) -> None:
        ranks, bands, weights = piece
        places = self._place[ranks]
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        at = _at(places[starts], columns)
        bands, newest, values = _settled(ranks, starts, bands, weights)
        with np.errstate(invalid="ignore"):
            weighted = bands.mean if (weights == 1).all() else bands.mean * weights
            self._sum[at] += reduced(np.add, weighted, starts, np.float64)
            self.min[at] = np.minimum(self.min[at], reduced(np.minimum, bands.min, starts))
            self.max[at] = np.maximum(self.max[at], reduced(np.maximum, bands.max, starts))
        self._weight[at] += reduced(np.add, weights, starts, np.int64)
        known = self._newest[at]
        self.last[at] = np.where(newest > known, values, self.last[at])
        self._newest[at] = np.maximum(newest, known)


def _at(rows: Places, columns: Places) -> tuple[Any, ...]:
    """The index of these rows and columns."""
    slices = [side_by_side(one) for one in (rows, columns)]
    both = all(isinstance(one, np.ndarray) for one in slices)
    return np.ix_(rows, columns) if both else tuple(slices)


def _settled(
    ranks: Places, starts: Places, bands: Bands, weights: npt.NDArray[np.integer]
) -> tuple[Bands, Places, Floats]:
    """Bands in which what is absent changes nothing; of each bucket the newest rank and value."""
    present = weights > 0
    if present.all():
        ends = np.append(starts[1:], len(ranks)) - 1
        return bands, ranks[ends][:, None], bands.last[ends]
    newest = reduced(np.maximum, np.where(present, ranks[:, None], -1), starts)
    values = np.take_along_axis(bands.last, np.searchsorted(ranks, newest), axis=0)
    neutral = Bands(
        np.where(present, bands.min, np.float32(np.inf)),
        np.where(present, bands.max, np.float32(-np.inf)),
        np.where(present, bands.mean, np.float32(0)),
        bands.last,
    )
    return neutral, newest, values
