"""Every statistic once more: slow, obvious, in float64, from the formula of the table alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gainstage.statistics import AMPLITUDES, QUANTILES

Array = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]


class AbsentError(Exception):
    """Something was asked for that the layer does not have."""


@dataclass(frozen=True)
class Seen:
    """What one sample showed of a layer; `seen.x` is that part, which may be absent.

    Parts are those of `Reading`, the kernels whole, and facts of the row: `fan_in`,
    `state_fan_in`, `activation`, `dtype`.
    """

    step: int
    parts: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        if self.parts.get(name) is None:
            raise AbsentError(name)
        return self.parts[name]

    def has(self, name: str) -> bool:
        return self.parts.get(name) is not None


History = Sequence[Seen]
Twin = Callable[[History], float]

# Where |f'(z)| < 0.01 max |f'| on a saturating side, by the derivative itself.
SATURATED: dict[str, Callable[[Wide], npt.NDArray[np.bool_]]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)) / (1 + np.exp(z)) < 0.01 / 4,
    "tanh": lambda z: 1 - np.tanh(z) ** 2 < 0.01,
    "relu6": lambda z: z > 6,
    "softplus": lambda z: 1 / (1 + np.exp(-z)) < 0.01,
}
# Smallest normal number and largest finite number.
ENDS = {"float16": (6.103515625e-05, 65504.0), "bfloat16": (1.1754943508222875e-38, 3.3895314e38)}
WINDOW = 16


def wide(array: Array) -> Wide:
    return np.asarray(array, np.float64)


def rms(array: Array | Wide) -> float:
    return float(np.sqrt(np.mean(np.asarray(array, np.float64) ** 2)))


def decibels(amplitude: float) -> float:
    return float(20 * np.log10(amplitude))


def gain(seen: Seen) -> float:
    return float(np.sqrt(seen.fan_in)) * rms(seen.kernel)


def decomposed_gain(seen: Seen) -> float:
    coherence(seen)  # of layers that are decomposed alone
    return gain(seen)


def recurrent_gain(seen: Seen) -> float:
    return float(np.sqrt(seen.state_fan_in)) * rms(seen.recurrent_kernel)


def state_rms(seen: Seen) -> float:
    if not seen.has("state_fan_in"):
        raise AbsentError("state_fan_in")
    return rms(seen.state)


def explained(seen: Seen) -> float:
    entering = rms(seen.x) * gain(seen)
    if not seen.has("state_fan_in"):
        return entering
    return float(np.sqrt(entering**2 + (state_rms(seen) * recurrent_gain(seen)) ** 2))


def signal(seen: Seen) -> Wide:
    return wide(seen.z) - (wide(seen.bias) if seen.has("bias") else 0)


def of_explained(seen: Seen, amplitude: float) -> float:
    return float(np.float64(amplitude) / np.float64(explained(seen)))


def coherence(seen: Seen) -> float:
    return of_explained(seen, rms(signal(seen)))


def common_mode(seen: Seen) -> float:
    return of_explained(seen, rms(np.mean(signal(seen), axis=0)))


def aligned(seen: Seen) -> float:
    return of_explained(seen, rms(np.std(wide(seen.z), axis=0)))


def eigenvalue(seen: Seen) -> float:
    coherence(seen)  # of layers that are decomposed alone
    if seen.fan_in != seen.x.shape[1]:
        return seen.fan_in * rms(seen.x) ** 2
    few = wide(seen.x[:32])
    if not np.isfinite(few).all():
        return float("nan")
    values = np.linalg.eigvalsh(few @ few.T / len(few))
    largest = values.max() or 1.0
    return float(largest * np.sum((values / largest) ** 8) ** (1 / 8))


def saturated(seen: Seen) -> npt.NDArray[np.bool_]:
    if seen.activation not in SATURATED:
        raise AbsentError("edges")
    return SATURATED[seen.activation](wide(seen.z))


def pinned_shares(history: History) -> Wide:
    """[units]: share of a unit's values in the window that are saturated."""
    return np.mean(np.concatenate([saturated(seen) for seen in history[-WINDOW:]]), axis=0)


def saturated_units(history: History) -> float:
    return float(np.mean(pinned_shares(history) >= 0.95))


def activity(seen: Seen) -> Array:
    return seen.post if seen.has("z") else seen.z


def dead_units(history: History) -> float:
    outputs = np.concatenate([activity(seen) for seen in history[-WINDOW:]])
    return float(np.mean([(unit == unit[0]).all() for unit in outputs.T]))


def share(condition: Callable[[float], bool], *arrays: Array) -> float:
    values = [float(value) for array in arrays for value in array.ravel()]
    return sum(map(condition, values)) / len(values)


def share_nonfinite(*arrays: Array) -> float:
    return share(lambda value: not np.isfinite(value), *arrays)


def outputs(seen: Seen) -> list[Array]:
    arrays = [seen.parts[name] for name in ("z", "y") if seen.has(name)]
    if not arrays:
        raise AbsentError("outputs")
    return arrays


def ends(seen: Seen) -> tuple[float, float]:
    if seen.dtype not in ENDS:
        raise AbsentError("format")
    return ENDS[seen.dtype]


def underflow(seen: Seen) -> float:
    smallest, _ = ends(seen)
    return share(lambda value: value != 0 and abs(value) < smallest, *outputs(seen))


def overflow(seen: Seen) -> float:
    _, largest = ends(seen)
    return share(lambda value: abs(value) >= np.float32(largest), *outputs(seen))


def over_choices(seen: Seen, measure: Callable[[Wide], float]) -> float:
    """Mean of `measure` over the positions with two keys or more that are not masked."""
    choices = [wide(keys[keys != -np.inf]) for keys in seen.logits]
    values = [measure(keys) for keys in choices if len(keys) > 1]
    return sum(values) / len(values) if values else float("nan")


def entropy(keys: Wide) -> float:
    weights = np.exp(keys - np.max(keys))
    weights /= weights.sum()
    terms = [weight * np.log(weight) for weight in weights if weight != 0]
    return -float(sum(terms)) / float(np.log(len(keys)))


def update_ratio(history: History) -> float:
    now = history[-1].moving
    if len(history) < 2:
        return float("nan")
    before = history[-2].moving
    path = (history[-1].step - history[-2].step) * rms(before)
    return float(np.float64(rms(wide(now) - wide(before))) / np.float64(path))


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


AMPLITUDE_TWINS: dict[str, Twin] = {
    **{
        id: twin
        for name, tensor in TENSORS.items()
        for id, twin in _summaries(name, tensor).items()
    },
    "kernel_gain": now(decomposed_gain),
    "recurrent_gain": now(recurrent_gain),
    "state_rms": now(state_rms),
    "coherence": now(coherence),
    "common_mode": now(common_mode),
    "aligned": now(aligned),
    "input_eigenvalue": now(eigenvalue),
    "saturation_rate": now(lambda seen: float(np.mean(saturated(seen)))),
    "saturated_units": saturated_units,
    "dead_units": dead_units,
    "zero_rate": now(lambda seen: float(np.mean(activity(seen) == 0))),
    "nonfinite_rate": now(lambda seen: share_nonfinite(*outputs(seen))),
    "input_nonfinite_rate": now(lambda seen: share_nonfinite(seen.x)),
    "weight_nonfinite_rate": now(lambda seen: share_nonfinite(seen.weights)),
    "update_ratio": update_ratio,
    "logit_range": now(lambda seen: over_choices(seen, np.ptp)),
    "score_entropy": now(lambda seen: over_choices(seen, entropy)),
    "underflow_rate": now(underflow),
    "overflow_rate": now(overflow),
    **{
        f"pre_q{round(100 * share):02d}": now(lambda seen, share=share: quantile(seen, share))
        for share in QUANTILES
    },
}


def _level(amplitude: Twin) -> Twin:
    return lambda history: decibels(amplitude(history))


TWINS: dict[str, Twin] = AMPLITUDE_TWINS | {
    id: _level(AMPLITUDE_TWINS[source]) for id, source in AMPLITUDES.items()
}


def expected(history: History) -> dict[str, float]:
    """Statistic -> value, of those that exist for this layer."""
    values: dict[str, float] = {}
    for id, twin in TWINS.items():
        try:
            values[id] = twin(history)
        except AbsentError:
            continue
    return values
