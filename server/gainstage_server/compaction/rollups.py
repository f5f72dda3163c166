"""Several frames as one entry: the smallest, largest, mean and last value of each cell."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

# Columns from which on numpy goes through them faster start by start than by `reduceat`: at 1,000,
# in a fifth of the time.
_WIDE = 64


class Bands(NamedTuple):
    """What is known of the frames of each entry: arrays of one shape, [entries, cells].

    A NaN is smallest, largest and mean of its entry, so that it stays visible however many frames
    an entry has. An infinity is smallest or largest, and the mean unless the other one or a NaN is
    there too.
    """

    min: Floats
    max: Floats
    mean: Floats
    last: Floats

    @property
    def is_exact(self) -> bool:
        """Whether all entries are known to have one frame each."""
        return self.min is self.last

    @classmethod
    def empty(cls, entries: int, cells: int, *, exact: bool) -> "Bands":
        """Room for so much, without values yet."""
        if exact:
            return cls.exact(np.empty((entries, cells), np.float32))
        return cls(*np.empty((BANDS, entries, cells), np.float32))

    @classmethod
    def exact(cls, values: Floats) -> "Bands":
        """Entries of one frame each."""
        return cls(values, values, values, values)

    @classmethod
    def together(cls, parts: Sequence["Bands"], order: Places) -> "Bands":
        """The entries of all of these, of the same cells, in `order`."""
        if all(part.is_exact for part in parts):
            return cls.exact(np.concatenate([part.last for part in parts])[order])
        return cls(*(np.concatenate(band)[order] for band in zip(*parts, strict=True)))


BANDS = len(Bands._fields)


def side_by_side(places: Places) -> Places | slice:
    """As a slice where they are neighbours: to index with it is ten times as fast."""
    if len(places) == 1 or (len(places) and (np.diff(places) == 1).all()):
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def reduced(
    function: np.ufunc, values: npt.NDArray[Any], starts: Places, dtype: Any = None
) -> npt.NDArray[Any]:
    """[starts, columns], `function` over what stands between a start and the next one.

    In the type of `values` unless another is wanted.
    """
    dtype = dtype or values.dtype
    if values.shape[1] < _WIDE:
        return function.reduceat(values, starts, axis=0, dtype=dtype)
    found = np.empty((len(starts), values.shape[1]), dtype)
    for place, (start, end) in enumerate(pairwise([*starts.tolist(), len(values)])):
        function.reduce(values[start:end], axis=0, dtype=dtype, out=found[place])
    return found


def roll_up(bands: Bands, weights: Places, starts: Places) -> Bands:
    """Entries that begin at `starts` become one each.

    Args:
        bands: [entries, cells]
        weights: [entries], how many frames each has; at least 1.
        starts: The first entry of each new one, ascending from 0.
    """
    with np.errstate(invalid="ignore"):  # of NaN, and of infinities that meet
        weighted = bands.mean if (weights == 1).all() else bands.mean * weights[:, None]
        sums = reduced(np.add, weighted, starts, np.float64)
        means = sums / np.add.reduceat(weights, starts)[:, None]
        return Bands(
            reduced(np.minimum, bands.min, starts),
            reduced(np.maximum, bands.max, starts),
            means.astype(np.float32),
            bands.last[np.append(starts[1:], len(weights)) - 1],
        )
