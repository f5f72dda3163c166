"""What is remembered of each row between samples: which units are pinned or dead, how weights move.

Rows are numbers. What is remembered is one array for each row, stacked for the rows that are
measured together, so that rows may be grouped otherwise in every sample: the number of positions
may change. A row that comes with another number of units, or weights of another shape, starts anew.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gainstage.summaries import Array, Counts, Places, Wide, stacked

# Samples over which a unit must be pinned: of units that are active in 5 % of the examples, 44 %
# look dead in one sample of 16 examples and none in 16 such samples (0.95^256 = 2e-6).
WINDOW = 16
# A unit is pinned where this share of its values is saturated: an occasional way out does not help.
PINNED_SHARE = 0.95

Line = npt.NDArray[Any]
_NO_SAMPLE = -1


def _recalled(lines: Mapping[int, Line], rows: Places, new: Line) -> Line:
    """[rows, *shape of `new`], the lines of rows; `new` for a row without one of that shape."""
    found = [lines.get(row, new) for row in rows.tolist()]
    joined = np.concatenate([line if line.shape == new.shape else new for line in found])
    return joined.reshape(len(found), *new.shape)


@dataclass
class Saturation:
    """Counts saturated values; a unit is pinned where they are nearly all of its last samples'."""

    # [1 + units] of each row, in each of the last samples and in all of them: how many values a
    # unit had, and how many of each unit's were saturated.
    _samples: list[dict[int, Line]] = field(default_factory=lambda: [{} for _ in range(WINDOW)])
    _totals: dict[int, Line] = field(default_factory=dict)

    def measure(
        self, rows: Places, z: Array, edges: Array, sample: int
    ) -> tuple[Wide, Wide, Counts]:
        """Share of saturated values and share of pinned units, each [rows].

        The third is [rows, units], how many of each unit's values are saturated in this sample.

        Args:
            rows: Which rows these are.
            z: [rows, positions, units].
            edges: [rows, 2]; values below the first or above the second are saturated.
            sample: The sample's number, one more than the last one's.
        """
        _, positions, units = z.shape
        low, high = edges.T[:, :, None, None]
        counts = np.empty((len(rows), 1 + units), np.int32)
        counts[:, 0] = positions
        np.add.reduce((z < low) | (z > high), axis=1, dtype=np.int32, out=counts[:, 1:])
        oldest, none = self._samples[sample % WINDOW], np.zeros(1 + units, np.int32)
        totals = _recalled(self._totals, rows, none) + counts - _recalled(oldest, rows, none)
        oldest.update(zip(rows.tolist(), counts, strict=True))
        self._totals.update(zip(rows.tolist(), totals, strict=True))
        pinned = totals[:, 1:] / totals[:, :1] >= PINNED_SHARE
        saturated = np.add.reduce(counts[:, 1:], axis=1)
        rate, share = saturated / (positions * units), np.add.reduce(pinned, axis=1) / units
        return rate, share, counts[:, 1:]


@dataclass
class Activity:
    """Finds dead units: those that put out one and the same value throughout the last samples."""

    # [2, units] of each row: a unit's first value in the last sample, and in how many samples in a
    # row it has put out nothing but that: WINDOW where it never put out anything else.
    _last: dict[int, Line] = field(default_factory=dict)

    def measure(self, rows: Places, post: Array) -> tuple[Wide, Wide, Counts]:
        """Share of zeros and share of dead units, each [rows].

        The third is [rows, units], how many of each unit's values are 0 in this sample.

        Args:
            rows: Which rows these are.
            post: f(z), [rows, positions, units].
        """
        _, positions, units = post.shape
        first = post[:, 0]
        constant = np.logical_and.reduce(post == first[:, None], axis=1)
        last = _recalled(self._last, rows, np.full((2, units), _NO_SAMPLE, np.float32))
        value, samples = last[:, 0], last[:, 1]
        repeated = np.where(value == first, np.minimum(samples + 1, WINDOW), 1)
        samples[:] = np.where(samples == _NO_SAMPLE, WINDOW, repeated) * constant
        value[:] = first
        self._last.update(zip(rows.tolist(), last, strict=True))
        dead = np.add.reduce(samples >= WINDOW, axis=1)
        zeros = np.add.reduce(post == 0, axis=1, dtype=np.int32)
        return np.add.reduce(zeros, axis=1) / (positions * units), dead / units, zeros


_NEVER = (np.empty(0, np.float32), math.nan)


@dataclass
class Movement:
    """Follows weights: how far they moved per step since the last sample, relative to their size.

    The arrays of the last sample are kept, not copied.
    """

    _last: dict[int, tuple[Array, float]] = field(default_factory=dict)
    _step: int = 0

    def measure(self, rows: Places, weights: Sequence[Array], rms: Wide, step: int) -> Wide:
        """[rows], rms of the movement over steps times rms of the last sample's weights.

        NaN on the first sample, without a step, and where the weights were all 0.

        Args:
            rows: Which rows these are.
            weights: Coordinates that are the same in every sample.
            rms: [rows], the rms of `weights`.
            step: The optimizer's.
        """
        last = [
            (then, size) if then.shape == now.shape else (now, math.nan)
            for now, (then, size) in zip(
                weights, (self._last.get(row, _NEVER) for row in rows.tolist()), strict=True
            )
        ]
        moved = np.full(len(weights), np.nan)
        before = stacked([then for then, _ in last])
        for (places, now), (_, then) in zip(stacked(weights), before, strict=True):
            way = (now - then).reshape(len(now), -1)
            # In float64: the squares of small movements leave float32's range.
            square = np.square(way, dtype=np.float64)
            moved[places] = np.sqrt(np.add.reduce(square, axis=1) / way.shape[1])
        path = max(0, step - self._step) * np.array([size for _, size in last])
        self._last.update(zip(rows.tolist(), zip(weights, rms.tolist(), strict=True), strict=True))
        self._step = step
        return moved / np.where(path == 0, np.nan, path)
