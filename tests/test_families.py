"""The benchmark's cases: that each fault is there, by measures that are not the diagnosis's.

Each is measured on the first case of its family, with Keras and NumPy alone.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from benchmarks.diagnosis.families import FAULTY, Case, Family
from benchmarks.diagnosis.faults import FAULTS
from benchmarks.diagnosis.healthy import FAMILIES
from benchmarks.diagnosis.healthy.kinds import COUNTS
from benchmarks.diagnosis.record import drawn

from gainstage.cases import make_ready

Array = npt.NDArray[Any]
layers = keras.layers
# Beyond these an activation's derivative is below 1 % of what it is at most.
EDGES = {
    "sigmoid": (-5.99, 5.99),
    "tanh": (-2.99, 2.99),
    "hard_sigmoid": (-3, 3),
    "hard_tanh": (-1, 1),
    "softsign": (-9, 9),
    "relu6": (-np.inf, 6),
}
REPORTED = {
    verdict: [family for family in families if family.reported]
    for verdict, families in FAULTS.items()
}


def trained(case: Case, steps: int) -> Case:
    """Trained for about that many steps of 32 examples."""
    task, count = case.task, 32 * steps
    epochs = max(1, round(count / len(task.x)))
    make_ready(case.model, task.x, task.y)
    case.model.fit(task.x[:count], task.y[:count], batch_size=32, epochs=epochs, verbose=0)
    return case


def rms(x: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(x, np.float64)))))


def decibels(x: float) -> float:
    return 20 * float(np.log10(max(x, 1e-12)))


@dataclass(frozen=True)
class Levels:
    """Levels in dB of what enters a layer, its gain and its coherence; and its pre-activation."""

    input: float
    gain: float
    coherence: float
    bias: Array
    z: Array
    activation: str

    @property
    def saturated(self) -> float:
        return self._share(self.z)

    @property
    def saturated_without_bias(self) -> float:
        return self._share(self.z - self.bias)

    def _share(self, z: Array) -> float:
        low, high = EDGES[self.activation]
        return float(np.mean((z <= low) | (z >= high)))


def levels(case: Case) -> Levels:
    """Of the layer at fault, or of the first one; by the first 128 examples held out."""
    found = [layer for layer in case.model.layers if layer.name == FAULTY]
    layer = (found or [one for one in case.model.layers if one.weights])[0]
    x = outputs(case, layer.input)
    own = getattr(layer, "cell", layer)  # the weights of a recurrent layer
    names = [own.activation.__name__, *after(case, layer)]
    bias = np.asarray(own.bias)
    if own is layer:
        kernels = [np.asarray(one) for one in layer.weights if one.name != "bias"]
        activation, layer.activation = layer.activation, keras.activations.linear
        z = np.asarray(layer(x))
        layer.activation = activation
    else:
        kernels = [np.asarray(own.kernel)]
        z = x @ kernels[0] + (bias if bias.ndim == 1 else bias[0])
    gain = float(np.sqrt(fan_in(layer, kernels[-1]))) * rms(kernels[-1])
    coherence = rms(z - (bias if own is layer else 0)) / (rms(x) * gain)
    name = next((name for name in names if name in EDGES), "")
    return Levels(decibels(rms(x)), decibels(gain), decibels(coherence), bias, z, name)


def fan_in(layer: Any, kernel: Array) -> int:
    """How many products a unit adds up."""
    if isinstance(layer, layers.DepthwiseConv2D):  # it sums over places alone
        return int(np.prod(kernel.shape[:2]))
    if isinstance(layer, layers.EinsumDense):
        axes, kept = layer.equation.split(",")[1].split("->")
        sizes = zip(axes, kernel.shape, strict=True)
        return int(np.prod([size for axis, size in sizes if axis not in kept]))
    return int(np.prod(kernel.shape[:-1]))


def after(case: Case, layer: Any) -> list[str]:
    """The name of the activation behind a layer, where it is a layer of its own."""
    behind = [one for one in case.model.layers if isinstance(one, layers.Activation)]
    return [one.activation.__name__ for one in behind if one.input is layer.output]


def outputs(case: Case, of: Any) -> Array:
    return np.asarray(keras.Model(case.model.inputs[0], of)(case.task.test_x[:128]))


def gradients(case: Case, *, penalties: bool = False) -> dict[str, float]:
    """The root mean square of the gradient by each variable, over 128 examples, of the loss without
    the penalties or of these.
    """
    model, x, y = case.model, case.task.x[:128], case.task.y[:128]
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        said = model(x, training=True)
        loss = model.compute_loss(x, tf.constant(y), said, training=True)
        added = tf.add_n([tf.zeros(()), *model.losses])
        loss = added if penalties else loss - added
    found = tape.gradient(loss, [one.value for one in variables])
    return {
        one.path: 0.0 if gradient is None else rms(tf.convert_to_tensor(gradient))
        for one, gradient in zip(variables, found, strict=True)
    }


def is_activity(case: Case) -> bool:
    found = levels(case)
    return found.saturated > 0.5 and found.gain < 11 and found.coherence > found.gain + 5


def is_kernel(case: Case) -> bool:
    found = levels(case)
    return found.saturated > 0.5 and found.gain > 20 and found.coherence < 6


def is_input(case: Case) -> bool:
    """Gates have no one pre-activation; the level that enters them is enough."""
    found = levels(case)
    loud = found.input > 30 and found.gain < 6 and found.coherence < 6
    return loud and (found.z.ndim == 3 or found.saturated > 0.5)


def is_bias(case: Case) -> bool:
    found = levels(trained(case, 30))
    return found.saturated > 0.9 and found.saturated_without_bias < 0.1


def is_dead(case: Case) -> bool:
    """Most units of some layer are zero for all the examples held out."""
    trained(case, 30)
    relu = keras.activations.relu
    rectified = [one for one in case.model.layers if getattr(one, "activation", None) is relu]
    shares = [
        float(np.all(np.reshape(said, (-1, said.shape[-1])) == 0, axis=0).mean())
        for said in (outputs(case, one.output) for one in rectified)
    ]
    return max(shares, default=0) > 0.5


def is_vanishing(case: Case) -> bool:
    """The first layer's is a thousandth of what the last one's bias gets."""
    found = list(gradients(case).values())
    return found[0] < 1e-3 * found[-1]


def is_exploding(case: Case) -> bool:
    """What comes out of the layers, or out of the steps of one, grows beyond 100 times."""
    said = [one for one in case.model.layers if not isinstance(one, layers.InputLayer)]
    grown = max(rms(outputs(case, one.output)) for one in said)
    return grown > 100 * rms(outputs(case, case.model.inputs[0]))


def is_nonfinite(case: Case) -> bool:
    trained(case, 30)
    return not all(np.isfinite(one).all() for one in case.model.get_weights())


def is_over_regularized(case: Case) -> bool:
    """A penalty's gradient rivals the loss's, or decay has taken most of the weights."""
    before = [rms(one) for one in case.model.trainable_variables if one.name != "bias"]
    trained(case, 30)
    after = [rms(one) for one in case.model.trainable_variables if one.name != "bias"]
    if not case.model.losses:
        return after[0] < 0.5 * before[0]
    added, loss = gradients(case, penalties=True), gradients(case)
    return any(added[path] > 0.5 * loss[path] for path in added if f"{FAULTY}/" in path)


def is_untrained(case: Case) -> bool:
    """Weights stand still, from the 30th step on, where one layer is at fault that one's."""
    trained(case, 30)
    watched = [one for one in case.model.trainable_variables if FAULTY in one.path]
    watched = watched or case.model.trainable_variables
    before = [np.array(one) for one in watched]
    trained(case, 30)
    moved = [rms(np.asarray(one) - old) for one, old in zip(watched, before, strict=True)]
    return max(moved) < 1e-6


SYMPTOMS: dict[str, Callable[[Case], bool]] = {
    "activity": is_activity,
    "kernel": is_kernel,
    "input": is_input,
    "bias": is_bias,
    "dead": is_dead,
    "vanishing": is_vanishing,
    "exploding": is_exploding,
    "nonfinite": is_nonfinite,
    "over_regularized": is_over_regularized,
    "untrained": is_untrained,
}


# Keras says so of a layer that no gradient reaches, which is one of the faults.
@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize(
    ("verdict", "family"),
    [
        pytest.param(verdict, family, id=family.name)
        for verdict, families in REPORTED.items()
        for family in families
    ],
)
def test_a_family_of_which_figures_are_reported_has_its_fault(verdict: str, family: Family) -> None:
    assert SYMPTOMS[verdict](drawn(family, 0))


@pytest.mark.parametrize("verdict", SYMPTOMS)
def test_a_training_without_a_fault_has_no_symptom(verdict: str) -> None:
    (plain,) = (family for family in FAMILIES if family.name == "circles")

    assert not SYMPTOMS[verdict](drawn(plain, 0))


def test_each_verdict_has_three_families_of_which_figures_are_reported() -> None:
    assert min(len(families) for families in REPORTED.values()) >= 3
    assert REPORTED.keys() == SYMPTOMS.keys()


def test_names_of_families_are_not_used_twice() -> None:
    every = [*FAMILIES, *(family for families in FAULTS.values() for family in families)]

    assert max(Counter(family.name for family in every).values()) == 1


def test_healthy_trainings_are_of_many_kinds() -> None:
    assert sum(COUNTS) == 172
