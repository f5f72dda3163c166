"""What is read off stacks of arrays beside their sizes: [arrays, ...] in, [arrays] out."""

import math
from functools import lru_cache

import numpy as np

from gainstage.statistics import QUANTILES
from gainstage.summaries import Array, Places, Stack, Wide

# Values that quantiles are taken from: the standard error is 4 % of a standard deviation at the
# median and 12 % at the outermost quantiles of a normal distribution. Sorting is what they cost.
QUANTILE_VALUES = 1_024
# Positions whose Gram matrix gives the loudest direction of the input.
EIGEN_POSITIONS = 32
# Smallest normal and largest finite number of the formats that layers compute in.
FORMATS = {"float16": (2.0**-14, 65_504.0), "bfloat16": (2.0**-126, 2.0**128 - 2.0**120)}


def unit_levels(z: Stack, bias: Stack) -> tuple[Wide, Stack]:
    """Rms over units of mean(z - b) and of std(z), means and spreads over positions.

    Args:
        z: [arrays, positions, units].
        bias: [arrays, units].
    """
    positions = z.shape[1]
    mean = np.add.reduce(z, axis=1) / positions
    centred = z - mean[:, None]
    # What rounding left in the mean; small beside it, and all there is of it where b cancels it.
    rest = np.add.reduce(centred, axis=1) / positions
    np.square(centred, out=centred)
    flat = centred.reshape(len(z), -1)
    power = np.add.reduce(flat, axis=1) / flat.shape[1]
    aligned = np.maximum(power - _mean_square(rest), 0)
    # A bias may be out of range where z is not.
    common = np.subtract(mean, bias, dtype=np.float64) + rest
    return np.sqrt(_mean_square(common)), np.sqrt(aligned)


def _mean_square(values: Stack) -> Stack:
    return np.add.reduce(values * values, axis=1) / values.shape[1]


def quantiles(z: Array) -> Array:
    """[arrays, `QUANTILES`] by nearest rank, of evenly chosen values of each array.

    Args:
        z: [arrays, positions, units].
    """
    flat = z.reshape(len(z), -1)
    # A stride that shares no factor with the number of units visits all of them.
    stride = -(-flat.shape[1] // QUANTILE_VALUES)
    while stride > 1 and math.gcd(stride, z.shape[2]) > 1:
        stride += 1
    ranked = np.sort(flat[:, ::stride], axis=1)
    return ranked[:, _ranks(ranked.shape[1])]


@lru_cache
def _ranks(count: int) -> Places:
    return np.round(np.array(QUANTILES) * (count - 1)).astype(np.intp)


def largest_eigenvalues(x: Array) -> Wide:
    """[arrays], a tight upper bound of the largest eigenvalue of mean(x x^T).

    It is the 8-norm of the eigenvalues, (sum of their 8th powers)^(1/8), by squaring the Gram
    matrix twice: at most 32^(1/8) = 1.54 times the largest, and equal to it where one direction
    stands out. The Gram matrix is of the first positions. Few positions, too, overestimate it where
    no direction stands out: safe for a bound on a step size.

    Args:
        x: [arrays, positions, inputs].
    """
    few = x[:, :EIGEN_POSITIONS]
    flat = few.reshape(len(few), -1)
    largest = np.maximum(flat.max(axis=1), -flat.min(axis=1))
    # Scaled, since squares may leave float32's range.
    scaled = few / np.where(largest == 0, np.float32(1), largest)[:, None, None]
    gram = np.einsum("npi,nqi->npq", scaled, scaled)
    trace = np.einsum("npp->n", gram)
    # Arrays on the last axis: their Gram matrices are small, they are many.
    power = np.ascontiguousarray(gram.transpose(1, 2, 0)) / np.where(trace == 0, 1, trace)
    for _ in range(2):
        power = np.einsum("pin,iqn->pqn", power, power)
    norm = np.add.reduce(np.square(power, dtype=np.float64), axis=(0, 1)) ** (1 / 8)
    return norm * trace / few.shape[1] * np.square(largest, dtype=np.float64)


def attention(logits: Array) -> tuple[Wide, Wide]:
    """Range of the logits and entropy of their softmax, each [arrays].

    They are means over the positions that have two keys or more to choose from: range is max - min,
    entropy is divided by that of equal weights, both over the keys that are not masked. NaN where
    no position has a choice, and where a logit is NaN or +inf.

    Args:
        logits: [arrays, positions, keys], -inf where masked.
    """
    masked = logits == -np.inf
    highest = logits.max(axis=2)
    lowest = np.where(masked, np.inf, logits).min(axis=2)
    below = np.where(masked, 0, logits - highest[:, :, None])
    weight = np.where(masked, 0, np.exp(below))
    total = weight.sum(axis=2)
    entropy = np.log(total) - np.sum(weight * below, axis=2) / total
    keys = np.sum(~masked, axis=2)
    return _mean_where(highest - lowest, keys > 1), _mean_where(entropy / np.log(keys), keys > 1)


def _mean_where(values: Stack, kept: Places) -> Wide:
    return np.where(kept, values, 0).sum(axis=1, dtype=np.float64) / kept.sum(axis=1)


def beyond_format(values: Array, ends: Array) -> tuple[Places, Places]:
    """How many values are not 0 but below their format's normal range, and how many at its end.

    Args:
        values: [arrays, ...].
        ends: [arrays, 2], smallest normal and largest finite number of each array's format.
    """
    size = np.abs(values.reshape(len(values), -1))
    smallest, largest = ends.T[:, :, None]
    return np.sum((size > 0) & (size < smallest), axis=1), np.sum(size >= largest, axis=1)
