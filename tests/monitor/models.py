"""Models, batches, and what a sample of them holds, for the tests of the probe."""

from typing import Any

import keras
import numpy as np

from gainstage.readings import Reading
from gainstage.sample import Sample

layers = keras.layers
EXAMPLES = 6


def batch(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=(EXAMPLES, *shape)).astype(np.float32)


def array(value: Any, dtype: Any = None) -> Any:
    """A tensor or variable of any backend as numpy's."""
    return np.asarray(keras.ops.convert_to_numpy(value), dtype)


def sequential(*inner: Any, shape: tuple[int, ...] = (5,)) -> Any:
    return keras.Sequential([layers.Input(shape), *inner])


def rows_of(sample: Sample) -> list[tuple[str, str | None, bool, tuple[int, ...]]]:
    """Name, activation, whether it is fused, and what feeds it, of each row."""
    return [
        (row.path.rpartition("/")[2], row.activation, row.fused, row.inputs) for row in sample.rows
    ]


def reading(sample: Sample, name: str, call: int = 0) -> Reading:
    (place,) = [
        place
        for place, row in enumerate(sample.rows)
        if row.path.rpartition("/")[2] == name and row.call == call
    ]
    return sample.readings[place]


def unjudged(sample: Sample) -> list[str]:
    return [row.unjudged for row in sample.rows]


def same_rows(some: Any, others: Any) -> bool:
    """Whether two [positions, units] hold the same positions, in whatever order and number."""
    here, there = (
        values.reshape(-1, values.shape[-1]).astype(np.float64)
        for values in (array(some), array(others))
    )
    near = np.abs(here[:, None] - there[None]).max(axis=-1) < 1e-5
    return bool(near.any(axis=1).all())


def stateful_model() -> Any:
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(3, 3, activation="relu", kernel_regularizer="l2")(inputs)
    x = layers.BatchNormalization(momentum=0.5)(x)
    x = layers.SpatialDropout2D(0.3)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(4, activation="tanh", activity_regularizer="l1")(x)
    x = layers.GaussianNoise(0.1)(x)
    model = keras.Model(inputs, layers.Activation("sigmoid")(x))
    model.compile("sgd", "mse")
    model.fit(batch(6, 6, 2), np.zeros((EXAMPLES, 4)), verbose=0)
    return model
