"""Several frames as one entry: the smallest, largest, mean and last value of each cell."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


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


BANDS = len(Bands._fields)


def side_by_side(places: Places) -> Places | slice:
    """As a slice where they are neighbours: to index with it is ten times as fast."""
    if len(places) and (np.diff(places) == 1).all():
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def roll_up(bands: Bands, weights: Places, starts: Places) -> Bands:
    """Entries that begin at `starts` become one each.

    Args:
        bands: [entries, cells]
        weights: [entries], how many frames each has; at least 1.
        starts: The first entry of each new one, ascending from 0.
    """
    with np.errstate(invalid="ignore"):  # of NaN, and of infinities that meet
        weighted = bands.mean if (weights == 1).all() else bands.mean * weights[:, None]
        sums = np.add.reduceat(weighted, starts, axis=0, dtype=np.float64)
        means = sums / np.add.reduceat(weights, starts)[:, None]
        return Bands(
            np.minimum.reduceat(bands.min, starts, axis=0),
            np.maximum.reduceat(bands.max, starts, axis=0),
            means.astype(np.float32),
            bands.last[np.append(starts[1:], len(weights)) - 1],
        )
