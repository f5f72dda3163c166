"""Arrays in, numbers out: one row of statistics from what the probe read of one layer's call.

Every array is float32 of shape [positions, units]: examples and positions of a batch drawn by the
probe, with the unit axis whole. Sums run in float64, so that a large mean does not eat the spread.
"""

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.activations import TABLE, Activation
from gainstage.statistics import IDS, INDEX, QUANTILES

Array = npt.NDArray[np.float32]

# Samples over which a unit must be pinned: of units that are active in 5 % of the examples, 44 %
# look dead in one sample of 16 examples and none in 16 such samples (0.95^256 = 2e-6).
WINDOW = 16
# A unit is pinned where this share of its values is saturated: an occasional way out does not help.
PINNED_SHARE = 0.95
# Values that a quantile is taken from; its standard error at the median is below 1 % of a std.
QUANTILE_VALUES = 16_384
# Positions whose Gram matrix gives the loudest direction of the input.
EIGEN_POSITIONS = 32


@dataclass(frozen=True)
class Weights:
    """What the probe's graph reduced a kernel to."""

    mean: float
    std: float
    largest: float


@dataclass(frozen=True)
class Reading:
    """What the probe read of one call of a layer; None where the layer has no such thing.

    Attributes:
        x: What enters the contraction, [positions, inputs].
        z: Pre-activation, bias included, [positions, units].
        y: The layer's output, [positions, channels].
        post: What the activation function made of z: y, or the output of the layer behind.
        bias: [units].
        kernel: The contraction's kernel.
        moving: Fixed coordinates of the weight whose movement stands for the layer's.
        nonfinite_weights: Share of non-finite values in all weights of the layer.
    """

    x: Array | None = None
    z: Array | None = None
    y: Array | None = None
    post: Array | None = None
    bias: Array | None = None
    kernel: Weights | None = None
    moving: Array | None = None
    nonfinite_weights: float | None = None


@dataclass
class RowMeter:
    """Measures one row, sample by sample; remembers what needs a window of samples.

    Attributes:
        fan_in: Values that one pre-activation sums; None where the row is no contraction.
        activation: The function that z enters; None where there is none or it is unknown.
        pointwise: Whether z is a product with one position of x alone (a dense layer, a 1x1
            convolution), rather than a sum over a patch.
    """

    fan_in: float | None
    activation: Activation | None
    pointwise: bool = False
    _saturated: deque[Array] = field(default_factory=lambda: deque[Array](maxlen=WINDOW))
    _range: deque[tuple[Array, Array]] = field(
        default_factory=lambda: deque[tuple[Array, Array]](maxlen=WINDOW)
    )
    _weights: tuple[int, Array] | None = None

    @classmethod
    def of(cls, row: wire.Row) -> "RowMeter":
        """The meter of a row of the schema."""
        function = TABLE.get(row.activation or "linear")
        # The scale of a normalisation is a kernel of fewer axes: it sums nothing.
        pointwise = len(row.kernel_shape) > 1 and math.prod(row.kernel_shape[:-2]) == 1
        return cls(row.fan_in, function, pointwise)

    def measure(self, reading: Reading, step: int) -> dict[str, float]:
        """Statistic id -> value, of those that exist for this row.

        `step` is the optimizer's, by which the update ratio is divided.
        """
        # NaN and infinity are measured like any other value; where numpy's warnings are errors,
        # the sample that shows them must not be lost to one.
        with np.errstate(all="ignore"):
            return self._measure(reading, step)

    def _measure(self, reading: Reading, step: int) -> dict[str, float]:
        values: dict[str, float] = {}
        for name, array in (("input", reading.x), ("pre", reading.z), ("output", reading.y)):
            if array is not None:
                values |= _named(name, *summary(array))
        if reading.bias is not None:
            values |= _named("bias", *summary(reading.bias))
        if reading.kernel is not None:
            values |= _named("kernel", *_weight_summary(reading.kernel))
        if self.fan_in is not None and reading.x is not None and reading.z is not None:
            values |= _decomposition(self.fan_in, reading.z, reading.bias, values)
            values["input_eigenvalue"] = (
                largest_eigenvalue(reading.x)
                if self.pointwise
                # A convolution sums patches; their energy bounds their loudest direction.
                else self.fan_in * values["input_rms"] ** 2
            )
        if reading.z is not None:
            values |= self._saturation(reading.z)
            values |= quantiles(reading.z)
        if reading.post is not None and reading.z is not None:
            values |= self._activity(reading.post)
        values |= _health(reading)
        if reading.moving is not None:
            values |= self._movement(reading.moving, step)
        for name in ("input", "bias", "pre", "output"):
            if f"{name}_rms" in values:
                values[f"{name}_db"] = decibels(values[f"{name}_rms"])
        return values

    def _saturation(self, z: Array) -> dict[str, float]:
        if self.activation is None or self.activation.headroom is None:
            return {}
        low = -np.inf if self.activation.low is None else self.activation.low
        high = np.inf if self.activation.high is None else self.activation.high
        share = np.asarray(np.mean((z < low) | (z > high), axis=0), np.float32)
        self._saturated.append(share)
        pinned = np.mean(np.stack(self._saturated), axis=0) >= PINNED_SHARE
        return {"saturation_rate": float(share.mean()), "saturated_units": float(pinned.mean())}

    def _activity(self, post: Array) -> dict[str, float]:
        self._range.append((post.min(axis=0), post.max(axis=0)))
        lowest = np.min([low for low, _ in self._range], axis=0)
        highest = np.max([high for _, high in self._range], axis=0)
        return {
            "zero_rate": float(np.mean(post == 0)),
            "dead_units": float(np.mean(lowest == highest)),
        }

    def _movement(self, weights: Array, step: int) -> dict[str, float]:
        then, before = self._weights or (step, weights)
        self._weights = (step, weights)
        # 0/0, NaN, on the first sample and where the weights were all 0.
        path = max(0, step - then) * summary(before)[0] or float("nan")
        return {"update_ratio": summary(weights - before)[0] / path}


def _decomposition(
    fan_in: float, z: Array, bias: Array | None, values: dict[str, float]
) -> dict[str, float]:
    signal = z.astype(np.float64)
    if bias is not None:
        signal -= bias
    common = float(np.sqrt(np.mean(np.square(signal.mean(axis=0)))))
    aligned = float(np.sqrt(np.mean(signal.var(axis=0))))
    gain = float(np.sqrt(fan_in)) * values["kernel_rms"]
    # A silent input or kernel makes it 0/0, which is NaN: the coherence of nothing.
    unaligned = values["input_rms"] * gain or float("nan")
    factors = {
        "coherence": float(np.hypot(common, aligned)) / unaligned,
        "common_mode": common / unaligned,
        "aligned": aligned / unaligned,
    }
    levels = {f"{name}_db": decibels(value) for name, value in factors.items()}
    levels |= {"kernel_gain": gain, "gain_db": decibels(gain)}
    return factors | levels


def summary(array: Array) -> tuple[float, float, float, float]:
    """(rms, mean, standard deviation, largest magnitude) of all values; NaN where one is NaN."""
    # Without BLAS: its threads and the training's wait for each other, 0.6 ms a product.
    centred = array.astype(np.float64).ravel()
    largest = float(max(centred.max(), -centred.min()))
    mean = float(centred.mean())
    centred -= mean
    np.square(centred, out=centred)
    std = math.sqrt(centred.mean())
    return math.hypot(mean, std), mean, std, largest


def _weight_summary(weights: Weights) -> tuple[float, float, float, float]:
    return math.hypot(weights.mean, weights.std), weights.mean, weights.std, weights.largest


def quantiles(z: Array) -> dict[str, float]:
    """The quantiles of `QUANTILES`, by nearest rank, of evenly chosen values."""
    values = z.ravel()
    # A stride that shares no factor with the number of units visits all of them.
    stride = -(-values.size // QUANTILE_VALUES)
    while stride > 1 and np.gcd(stride, z.shape[1]) > 1:
        stride += 1
    ranked = np.sort(values[::stride])
    places = np.round(np.array(QUANTILES) * (ranked.size - 1)).astype(int)
    return {
        f"pre_q{round(100 * q):02d}": float(value)
        for q, value in zip(QUANTILES, ranked[places], strict=True)
    }


def largest_eigenvalue(x: Array) -> float:
    """Largest eigenvalue of mean(x x^T), from the Gram matrix of the first positions.

    Few positions overestimate it where no direction stands out: safe for a bound on a step size.
    """
    few = x[:EIGEN_POSITIONS]
    gram = (few @ few.T) / few.shape[0]
    return float(np.linalg.eigvalsh(gram)[-1]) if np.isfinite(gram).all() else float("nan")


def decibels(value: float) -> float:
    """20 log10(value); minus infinity for 0."""
    with np.errstate(divide="ignore"):
        return float(20 * np.log10(value))


def _named(name: str, rms: float, mean: float, std: float, largest: float) -> dict[str, float]:
    return {
        f"{name}_rms": rms,
        f"{name}_mean": mean,
        f"{name}_std": std,
        f"{name}_max": largest,
    }


def _health(reading: Reading) -> dict[str, float]:
    values: dict[str, float] = {}
    outputs = [array for array in (reading.z, reading.y) if array is not None]
    if outputs:
        bad = sum(int(np.count_nonzero(~np.isfinite(array))) for array in outputs)
        values["nonfinite_rate"] = bad / sum(array.size for array in outputs)
    if reading.x is not None:
        values["input_nonfinite_rate"] = float(np.mean(~np.isfinite(reading.x)))
    if reading.nonfinite_weights is not None:
        values["weight_nonfinite_rate"] = reading.nonfinite_weights
    return values


def as_row(values: dict[str, float]) -> tuple[Array, npt.NDArray[np.bool_]]:
    """`values` in the order of the table of statistics, and which of them exist."""
    row = np.zeros(len(IDS), np.float32)
    exists = np.zeros(len(IDS), bool)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite
        for id, value in values.items():
            row[INDEX[id]] = value
            exists[INDEX[id]] = True
    return row, exists
