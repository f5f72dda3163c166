"""Every statistic once more: slow, obvious, in float64, from the formula of the table alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gainstage.statistics import QUANTILES

Array = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What one sample showed of a layer: all of its kernel, where the probe sends reductions."""

    step: int
    fan_in: float
    activation: str
    x: Array
    z: Array
    y: Array
    post: Array
    bias: Array
    kernel: Array
    moving: Array


History = Sequence[Seen]
Twin = Callable[[History], float]

# Where |f'(z)| < 0.01 max |f'| on a saturating side, by the derivative itself.
SATURATED: dict[str, Callable[[Wide], npt.NDArray[np.bool_]]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)) / (1 + np.exp(z)) < 0.01 / 4,
    "tanh": lambda z: 1 - np.tanh(z) ** 2 < 0.01,
    "relu6": lambda z: z > 6,
    "softplus": lambda z: 1 / (1 + np.exp(-z)) < 0.01,
}
WINDOW = 16


def wide(array: Array) -> Wide:
    return np.asarray(array, np.float64)


def rms(array: Array | Wide) -> float:
    return float(np.sqrt(np.mean(np.asarray(array, np.float64) ** 2)))


def decibels(amplitude: float) -> float:
    return float(20 * np.log10(amplitude))


def gain(seen: Seen) -> float:
    return float(np.sqrt(seen.fan_in)) * rms(seen.kernel)


def signal(seen: Seen) -> Wide:
    return wide(seen.z) - wide(seen.bias)


def of_unaligned(seen: Seen, amplitude: float) -> float:
    return float(np.float64(amplitude) / np.float64(rms(seen.x) * gain(seen)))


def coherence(seen: Seen) -> float:
    return of_unaligned(seen, rms(signal(seen)))


def common_mode(seen: Seen) -> float:
    return of_unaligned(seen, rms(np.mean(signal(seen), axis=0)))


def aligned(seen: Seen) -> float:
    return of_unaligned(seen, rms(np.std(signal(seen), axis=0)))


def eigenvalue(seen: Seen) -> float:
    if seen.x.shape[1] != seen.fan_in:
        return seen.fan_in * rms(seen.x) ** 2
    few = wide(seen.x[:32])
    if not np.isfinite(few).all():
        return float("nan")
    return float(np.linalg.eigvalsh(few.T @ few / len(few))[-1])


def saturated(seen: Seen) -> npt.NDArray[np.bool_]:
    return SATURATED[seen.activation](wide(seen.z))


def pinned_shares(history: History) -> Wide:
    """[units]: share of a unit's values in the window that are saturated."""
    return np.mean(np.concatenate([saturated(seen) for seen in history[-WINDOW:]]), axis=0)


def saturated_units(history: History) -> float:
    return float(np.mean(pinned_shares(history) >= 0.95))


def dead_units(history: History) -> float:
    outputs = np.concatenate([seen.post for seen in history[-WINDOW:]])
    return float(np.mean([(unit == unit[0]).all() for unit in outputs.T]))


def share_nonfinite(*arrays: Array) -> float:
    values = [value for array in arrays for value in array.ravel()]
    return sum(not np.isfinite(value) for value in values) / len(values)


def update_ratio(history: History) -> float:
    if len(history) < 2:
        return float("nan")
    before, now = history[-2], history[-1]
    moved = rms(wide(now.moving) - wide(before.moving))
    return float(np.float64(moved) / np.float64((now.step - before.step) * rms(before.moving)))


def quantile(seen: Seen, share: float) -> float:
    ranked = sorted(seen.z.ravel().tolist(), key=lambda value: (np.isnan(value), value))
    return ranked[round(share * (len(ranked) - 1))]


def now(twin: Callable[[Seen], float]) -> Twin:
    return lambda history: twin(history[-1])


TENSORS: dict[str, Callable[[Seen], Array]] = {
    "input": lambda seen: seen.x,
    "kernel": lambda seen: seen.kernel,
    "bias": lambda seen: seen.bias,
    "pre": lambda seen: seen.z,
    "output": lambda seen: seen.y,
}


def _summaries(name: str, tensor: Callable[[Seen], Array]) -> dict[str, Twin]:
    return {
        f"{name}_rms": now(lambda seen: rms(tensor(seen))),
        f"{name}_mean": now(lambda seen: float(np.mean(wide(tensor(seen))))),
        f"{name}_std": now(lambda seen: float(np.std(wide(tensor(seen))))),
        f"{name}_max": now(lambda seen: float(np.max(np.abs(wide(tensor(seen)))))),
    }


TWINS: dict[str, Twin] = {
    **{
        id: twin
        for name, tensor in TENSORS.items()
        for id, twin in _summaries(name, tensor).items()
    },
    "kernel_gain": now(gain),
    "coherence": now(coherence),
    "common_mode": now(common_mode),
    "aligned": now(aligned),
    "input_db": now(lambda seen: decibels(rms(seen.x))),
    "gain_db": now(lambda seen: decibels(gain(seen))),
    "coherence_db": now(lambda seen: decibels(coherence(seen))),
    "common_mode_db": now(lambda seen: decibels(common_mode(seen))),
    "aligned_db": now(lambda seen: decibels(aligned(seen))),
    "bias_db": now(lambda seen: decibels(rms(seen.bias))),
    "pre_db": now(lambda seen: decibels(rms(seen.z))),
    "output_db": now(lambda seen: decibels(rms(seen.y))),
    "input_eigenvalue": now(eigenvalue),
    "saturation_rate": now(lambda seen: float(np.mean(saturated(seen)))),
    "saturated_units": saturated_units,
    "dead_units": dead_units,
    "zero_rate": now(lambda seen: float(np.mean(seen.post == 0))),
    "nonfinite_rate": now(lambda seen: share_nonfinite(seen.z, seen.y)),
    "input_nonfinite_rate": now(lambda seen: share_nonfinite(seen.x)),
    "weight_nonfinite_rate": now(lambda seen: share_nonfinite(seen.kernel, seen.bias)),
    "update_ratio": update_ratio,
    **{
        f"pre_q{round(100 * share):02d}": now(lambda seen, share=share: quantile(seen, share))
        for share in QUANTILES
    },
}
