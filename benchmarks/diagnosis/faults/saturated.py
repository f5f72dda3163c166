"""Layers that saturate as they do in practice: by data as they come and weights as they are given.

Those of positive inputs and weights keep their size small: it is the sum that is large.
"""

from typing import Any

import keras
import numpy as np

from benchmarks.diagnosis import practice as data
from benchmarks.diagnosis.families import (
    FAULTY,
    Case,
    Hidden,
    adam,
    adamw,
    case,
    dense,
    rmsprop,
    width,
)
from benchmarks.diagnosis.tasks import Array, Rng, Task, split

layers, initializers = keras.layers, keras.initializers


def positive(rng: Rng, least: float, most: float) -> Any:
    """Weights from 0 to a bound between the two."""
    return initializers.RandomUniform(0, rng.uniform(least, most))


def positive_weights(rng: Rng) -> list[Any]:
    """Random numbers as `random.random` gives them."""
    return dense(rng, "tanh", kernel_initializer=positive(rng, 0.12, 0.25), name=FAULTY)


def smoothing(rng: Rng) -> list[Any]:
    """Wide filters that add up what they see, on paper that is white."""
    kernel = initializers.RandomNormal(rng.uniform(0.3, 0.4), 0.03)
    return [
        layers.Conv2D(
            16, 7, strides=2, activation="sigmoid", kernel_initializer=kernel, name=FAULTY
        ),
        layers.Flatten(),
    ]


def sections(rng: Rng) -> list[Any]:
    """The same positive weights for each quarter of a spectrum."""
    return [
        layers.Reshape((4, 50)),
        layers.EinsumDense(
            "bsc,ck->bsk",
            (4, width(rng)),
            activation="hard_sigmoid",
            bias_axes="k",
            kernel_initializer=positive(rng, 0.2, 0.4),
            name=FAULTY,
        ),
        layers.Flatten(),
    ]


def examples_as_weights(rng: Rng) -> Case:
    """Each unit's weights are one of the examples, of a length of 2 to 3."""
    task = data.loads(rng)
    made = case(task, dense(rng, "tanh", separate=True, name=FAULTY), adam(rng))
    kernel = made.model.get_layer(FAULTY).kernel
    rows = task.x[rng.integers(len(task.x), size=kernel.shape[1])]
    kernel.assign(rng.uniform(2, 3) * rows.T / np.linalg.norm(rows, axis=1))
    return made


def monotone(rng: Rng) -> list[Any]:
    """Weights that may not be negative, so that a price grows with what it is made of."""
    return [
        layers.Dense(128, activation="softplus"),
        *dense(
            rng,
            "sigmoid",
            kernel_initializer=positive(rng, 0.25, 0.4),
            kernel_constraint="non_neg",
            name=FAULTY,
        ),
    ]


def sums_for_averages(rng: Rng) -> Case:
    """Filters that were to average over time, and add up instead, with either sign."""
    hidden = [
        layers.Conv1D(24, 32, strides=8, activation="tanh", name=FAULTY),
        layers.Flatten(),
    ]
    made = case(data.slow(rng), hidden, rmsprop(rng))
    kernel = made.model.get_layer(FAULTY).kernel
    signs = rng.choice([-1, 1], size=(1, *kernel.shape[1:]))
    kernel.assign(np.broadcast_to(signs * rng.uniform(0.18, 0.25), kernel.shape))
    return made


def beside(rng: Rng) -> list[Any]:
    """A day's power, and beside it what a layer makes of it, under positive weights."""
    seen = layers.Dense(16, activation="relu")
    return [
        lambda x: layers.Concatenate()([x, seen(x)]),
        *dense(rng, "hard_sigmoid", kernel_initializer=positive(rng, 0.25, 0.4), name=FAULTY),
    ]


def on_a_baseline(rng: Rng) -> list[Any]:
    """Filters of one sign over a signal that never comes near 0."""
    kernel = initializers.RandomNormal(float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.3)), 0.05)
    return [
        layers.Conv1D(16, 24, strides=4, kernel_initializer=kernel, name=FAULTY),
        layers.Activation("hard_tanh"),
        layers.Flatten(),
    ]


def deviation_for_scale(rng: Rng) -> list[Any]:
    """A deviation of several units where hundreds of inputs are added."""
    kernel = initializers.RandomNormal(0, rng.uniform(2, 4))
    return dense(rng, "tanh", kernel_initializer=kernel, name=FAULTY)


def whole_numbers(rng: Rng) -> Case:
    """Weights of 8 bits that were loaded without what they are to be multiplied by."""
    hidden = [layers.Conv2D(16, 3, strides=2, activation="sigmoid", name=FAULTY), layers.Flatten()]
    made = case(data.forms(rng), hidden, adam(rng))
    kernel = made.model.get_layer(FAULTY).kernel
    kernel.assign(np.round(127 * kernel / np.abs(kernel).max()))
    return made


def orthogonal(rng: Rng) -> list[Any]:
    """A gain of an orthogonal kernel as if it were a percentage."""
    kernel = initializers.Orthogonal(rng.uniform(40, 80))
    return [
        layers.Conv1D(24, 5, strides=2, kernel_initializer=kernel, name=FAULTY),
        layers.Activation("hard_tanh"),
        layers.Flatten(),
    ]


def summed_checkpoints(rng: Rng) -> Case:
    """The sum of 20 to 50 checkpoints where their mean was meant."""
    hidden = [
        layers.Dense(64),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        *dense(rng, "hard_sigmoid", name=FAULTY),
    ]
    made = case(data.customers(rng), hidden, adamw(rng))
    kernel = made.model.get_layer(FAULTY).kernel
    kernel.assign(kernel * int(rng.integers(20, 51)))
    return made


def large_heads(rng: Rng) -> list[Any]:
    """A projection to two heads, its weights in a range as for a table of numbers."""
    edge = rng.uniform(10, 20)
    return [
        layers.Dense(32, activation="relu"),
        layers.LayerNormalization(),
        layers.EinsumDense(
            "btc,chk->bthk",
            (None, 2, 16),
            activation="softsign",
            bias_axes="hk",
            kernel_initializer=initializers.RandomUniform(-edge, edge),
            name=FAULTY,
        ),
        layers.Reshape((-1, 32)),
        layers.GlobalAveragePooling1D(),
    ]


def not_adapted(rng: Rng) -> list[Any]:
    """A normalisation that was never shown the data."""
    return [layers.Normalization(), *dense(rng, "tanh", name=FAULTY), *dense(rng, "tanh")]


def pressures(rng: Rng) -> list[Any]:
    """A convolution over whatever the sensors give."""
    return [
        layers.Conv1D(16, 5, padding="same", name=FAULTY),
        layers.Activation("softsign"),
        layers.GlobalAveragePooling1D(),
    ]


def with_minutes(rng: Rng) -> Task:
    """Customers, and when each was asked, in minutes since 1970."""
    task = data.customers(rng)
    x = np.concatenate([task.x, task.test_x])
    asked = rng.uniform(2.7e7, 2.9e7, (len(x), 1)).astype(np.float32)
    y = np.concatenate([task.y, task.test_y])
    return split(rng, np.concatenate([x, asked], axis=1), y, task.classes)


def late_minutes(rng: Rng) -> list[Any]:
    """The last column past the first layer."""
    seen = layers.Dense(32, activation="relu")
    return [
        lambda x: layers.Concatenate()([seen(x[:, :-1]), x[:, -1:]]),
        *dense(rng, "sigmoid", name=FAULTY),
    ]


def price_as_bias(rng: Rng) -> list[Any]:
    """The mean price in thousands, meant for the output, as the bias of a hidden layer."""
    bias = initializers.Constant(float(rng.uniform(150, 400)))
    return [*dense(rng, "tanh"), *dense(rng, "tanh", bias_initializer=bias, name=FAULTY)]


def means_as_bias(rng: Rng) -> list[Any]:
    """The means of channels that go to 255 taken away, though these inputs are standardised."""
    bias = initializers.Constant(-float(rng.uniform(103, 124)))
    return [
        layers.Conv2D(16, 3, strides=2, activation="sigmoid", bias_initializer=bias, name=FAULTY),
        layers.Flatten(),
    ]


def biased_steps(rng: Rng) -> list[Any]:
    """The same bias at each word, far above what the words make."""
    low = rng.uniform(10, 30)
    return [
        layers.Embedding(64, 24),
        layers.EinsumDense(
            "btc,ck->btk",
            (None, width(rng)),
            activation="hard_tanh",
            bias_axes="k",
            bias_initializer=initializers.RandomUniform(low, 2 * low),
            name=FAULTY,
        ),
        layers.GlobalAveragePooling1D(),
    ]


def seed_as_deviation(rng: Rng) -> list[Any]:
    """A seed in the place of the deviation of a bias."""
    bias = initializers.RandomNormal(0.0, float(rng.choice([123, 1337, 2024])))
    return [
        layers.Conv1D(24, 7, strides=2, bias_initializer=bias, name=FAULTY),
        layers.Activation("tanh"),
        layers.Flatten(),
    ]


def to_unit_range(x: Array) -> Array:
    """Each feature from 0 to 1."""
    low, high = x.min(axis=0), x.max(axis=0)
    return (x - low) / (high - low)


def recurrent(kind: Any) -> Hidden:
    """One recurrent layer: the fault is elsewhere."""
    return lambda rng: [kind(int(rng.choice([16, 24, 32])))]
