"""What the table of contractions says of a layer, and what the layer itself does with ones."""

from typing import Any

import keras
import numpy as np

from gainstage.contractions import (
    Axes,
    Contraction,
    contraction_of,
)
from gainstage.measures import Meters
from gainstage.probe import Probe
from gainstage.statistics import INDEX

layers = keras.layers


def known(layer: Any) -> Contraction:
    contraction = contraction_of(layer)
    assert contraction is not None
    return contraction


def fan_in(layer: Any, *input_shape: int | None) -> float | None:
    """What the table says of `layer` on inputs of `input_shape`, batch axis left out."""
    if not layer.built:
        layer.build((None, *input_shape))
    shape = (None, *input_shape)
    return known(layer).fan_in(layer, shape, layer.compute_output_shape(shape))


def numbers(tensor: Any) -> Any:
    # Of variables, `convert_to_numpy` warns on TensorFlow; of tensors, torch refuses the other.
    is_variable = isinstance(tensor, keras.Variable)
    return np.asarray(tensor) if is_variable else keras.ops.convert_to_numpy(tensor)


def counted(layer: Any, *input_shape: int) -> float:
    """The mean of what `layer` makes of ones with kernels of ones: the values it sums."""
    if not layer.built:
        layer.build((None, *input_shape))
    for weight in layer.weights:
        weight.assign(np.full(weight.shape, weight.name != "bias"))
    return float(np.mean(numbers(layer(np.ones((1, *input_shape), np.float32))), dtype=np.float64))


def rows(tensor: Any, axes: Axes) -> Any:
    """[positions, units] of a tensor."""
    array = numbers(tensor)
    moved = array.transpose(axes.positions + axes.units)
    return moved.reshape(-1, int(np.prod([array.shape[axis] for axis in axes.units])))


def spread(layer: Any) -> Any:
    """The bias of `layer`, [units]; None where it has none."""
    bias = known(layer).bias(layer)
    if bias is None:
        return None
    return np.broadcast_to(numbers(bias.variable).reshape(bias.shape), bias.units).ravel()


def noise(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def measured(layer: Any, x: Any) -> dict[str, float]:
    """The statistics of `layer` as the probe reads them from a model of nothing else."""
    model = keras.Sequential([layers.Input(x.shape[1:]), layer])
    sample = Probe(model)(x)
    values, exists = Meters(sample.rows[:1]).measure(sample.readings[:1], 0)
    return {id: float(values[0, at]) for id, at in INDEX.items() if exists[0, at]}
