"""Many arrays to their sizes: arrays of equal shape are stacked and reduced together.

Sums run in float32, twice: over the values, then over what is left of them around their mean, so
that a large mean does not eat the spread. Arrays whose squares leave float32's range, NaN and
infinity included, are summed again in float64. No call goes through BLAS, whose threads and the
training's wait for each other, 0.6 ms a product.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Stack = npt.NDArray[np.floating[Any]]
Wide = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
Counts = npt.NDArray[np.int32]

# Values that are stacked at once: 256 kB stay in a core's cache, and bound the memory taken to a
# few times this or the largest single array.
STACK_VALUES = 65_536
# Columns of `summarise`.
RMS, MEAN, STD, MAX, NONFINITE, SIZE = range(6)
# Arrays whose largest magnitude is between these leave float32 room below for the square of a
# spread of 1e-7 of it, and above for a sum of a million squares.
SMALLEST, LARGEST = 1e-10, 1e15


def stacked(arrays: Sequence[Array]) -> Iterator[tuple[Places, Array]]:
    """Arrays of equal shape together: where they stand in `arrays`, and [some, *shape] of them.

    Arrays without values are left out. The stack of a single array is a view of it.
    """
    places_of: dict[tuple[int, ...], list[int]] = {}
    for place, array in enumerate(arrays):
        places_of.setdefault(array.shape, []).append(place)
    for places in places_of.values():
        size = arrays[places[0]].size
        if size == 0:
            continue
        at_once = max(1, STACK_VALUES // size)
        for start in range(0, len(places), at_once):
            some = places[start : start + at_once]
            yield np.array(some), stack([arrays[place] for place in some])


def stack(arrays: Sequence[Array]) -> Array:
    """[arrays, *shape]; several times as fast as `numpy.stack`."""
    joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return joined.reshape(len(arrays), *arrays[0].shape)


def once(arrays: Sequence[Array]) -> tuple[list[Array], list[int]]:
    """The arrays without repetitions of the same object, and where each of `arrays` is in them."""
    unique = {id(array): array for array in arrays}
    slots = dict(zip(unique, range(len(unique)), strict=True))
    return list(unique.values()), [slots[id(array)] for array in arrays]


def summarise(arrays: Sequence[Array]) -> Wide:
    """[arrays, (rms, mean, std, largest magnitude, number of non-finite values, size)].

    An array that appears several times, as the output of one layer and the input of the next, is
    summarised once. Of an array without values all is NaN but the counts.
    """
    unique, slots = once(arrays)
    table = np.full((6, len(unique)), np.nan)
    for places, some in stacked(unique):
        flat = some.reshape(len(some), -1)
        table[MAX, places] = _magnitude(flat)
        table[MEAN, places], table[STD, places] = _moments(flat)
    for place in np.flatnonzero(is_hard(table[MAX])).tolist():
        flat = unique[place].reshape(1, -1).astype(np.float64)
        (table[MEAN, place],), (table[STD, place],) = _moments(flat)
    # Of an infinite value the spread is not a number, the rms still infinite.
    table[RMS] = np.where(np.isinf(table[MAX]), np.inf, np.hypot(table[MEAN], table[STD]))
    table[NONFINITE] = _nonfinite(unique, table[MAX])
    table[SIZE] = [array.size for array in unique]
    return table.T[slots]


def _magnitude(flat: Array) -> Array:
    """[arrays], the largest magnitude in [arrays, values]; NaN where a value is NaN."""
    return np.maximum(np.maximum.reduce(flat, axis=1), -np.minimum.reduce(flat, axis=1))


def is_hard(largest: Wide) -> Bools:
    """Whether squares of arrays of these largest magnitudes need float64; zeros need no care."""
    extreme = (largest < SMALLEST) | (largest > LARGEST)
    return extreme & (largest != 0) & np.isfinite(largest)


def _nonfinite(arrays: Sequence[Array], largest: Wide) -> Wide:
    """[arrays], how many values are NaN or infinite, by their largest magnitudes at first."""
    counts = np.zeros(len(arrays))
    for place in np.flatnonzero(~np.isfinite(largest)).tolist():
        counts[place] = np.count_nonzero(~np.isfinite(arrays[place]))
    return counts


def _moments(flat: Stack) -> tuple[Stack, Stack]:
    """Mean and standard deviation, each [arrays], of [arrays, values]."""
    count = flat.shape[1]
    mean = np.add.reduce(flat, axis=1) / count
    centred = flat - mean[:, None]
    # What rounding left in the mean, which is exact enough to centre around.
    rest = np.add.reduce(centred, axis=1) / count
    np.square(centred, out=centred)
    power = np.add.reduce(centred, axis=1) / count
    return mean + rest, np.sqrt(np.maximum(power - rest * rest, 0))
