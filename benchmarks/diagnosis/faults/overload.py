"""Layers whose weights, bias or inputs are beyond what their activation takes."""

from typing import Any

import keras
import numpy as np

from benchmarks.diagnosis import generated, tasks
from benchmarks.diagnosis.families import (
    FAULTY,
    Case,
    adam,
    adamw,
    case,
    dense,
    nadam,
    residual,
    width,
)
from benchmarks.diagnosis.faults.parts import Drift
from benchmarks.diagnosis.faults.ways import he
from benchmarks.diagnosis.tasks import Maker, Rng, Task

layers, initializers = keras.layers, keras.initializers


def one_sign(rng: Rng, least: float, most: float) -> Any:
    """Weights of one sign, whose mean is between the two, and that differ little."""
    return initializers.RandomNormal(rng.uniform(least, most), 0.05)


def coherent_spectra(rng: Rng) -> list[Any]:
    """A convolution over positive levels."""
    kernel = one_sign(rng, 0.15, 0.3)
    return [
        layers.Conv1D(width(rng), 5, strides=2, kernel_initializer=kernel, name=FAULTY),
        layers.Activation("tanh"),
        layers.Flatten(),
    ]


def matched_filters(rng: Rng) -> Case:
    """Weights, as if loaded, that are sums of what the inputs are sums of."""
    task = generated.tones(rng)
    made = case(task, dense(rng, "hard_sigmoid", name=FAULTY), adam(rng))
    _, _, directions = np.linalg.svd(task.x, full_matrices=False)
    kernel = made.model.get_layer(FAULTY).kernel
    filters = directions[:3].T @ rng.normal(size=(3, kernel.shape[1]))
    kernel.assign(rng.uniform(1.5, 2.5) * filters / np.linalg.norm(filters, axis=0))
    return made


def prototypes(rng: Rng) -> Case:
    """Weights, as if loaded: each unit's are an example of positive features."""
    task = tasks.features(rng)
    made = case(task, dense(rng, "tanh", name=FAULTY), adam(rng))
    kernel = made.model.get_layer(FAULTY).kernel
    filters = task.x[rng.choice(len(task.x), kernel.shape[1])].T
    kernel.assign(rng.uniform(1.5, 3) * filters / np.linalg.norm(filters, axis=0))
    return made


def loaded_sums(rng: Rng) -> Case:
    """Filters, as if loaded, that add up grey values."""
    hidden = [
        layers.Conv2D(16, 5, strides=2, name=FAULTY),
        layers.Activation("hard_sigmoid"),
        layers.Flatten(),
        *dense(rng, "relu"),
    ]
    made = case(generated.stripes(rng), hidden, nadam(rng))
    kernel = made.model.get_layer(FAULTY).kernel
    kernel.assign(rng.choice([-1, 1], 16) * rng.normal(rng.uniform(0.5, 0.8), 0.1, kernel.shape))
    return made


def coherent_embedding(rng: Rng) -> list[Any]:
    """Vectors of tokens that are positive, as few initializers make them."""
    return [
        layers.Embedding(256, 64, initializers.RandomUniform(0, 1)),
        layers.Flatten(),
        *dense(rng, "tanh", kernel_initializer=one_sign(rng, 0.04, 0.08), name=FAULTY),
    ]


def coherent_residual(rng: Rng) -> list[Any]:
    """Inputs that grew positive along a residual branch, into units that stop at 6."""
    return [
        layers.Dense(128, activation="relu", kernel_initializer="he_normal"),
        residual(layers.Dense(128, activation="relu", kernel_initializer="he_normal")),
        *dense(rng, "relu6", kernel_initializer=one_sign(rng, 0.2, 0.3), name=FAULTY),
    ]


def coherent_grey(rng: Rng) -> list[Any]:
    """Grey values that are not centred."""
    kernel = one_sign(rng, 0.15, 0.3)
    return [layers.Flatten(), *dense(rng, "sigmoid", kernel_initializer=kernel, name=FAULTY)]


def negative_weights(rng: Rng) -> list[Any]:
    """Negative weights for inputs that are positive."""
    kernel = one_sign(rng, -0.3, -0.15)
    return [
        layers.Conv1D(
            width(rng), 5, strides=2, activation="relu", kernel_initializer=kernel, name=FAULTY
        ),
        layers.Flatten(),
    ]


def large_depthwise(rng: Rng) -> list[Any]:
    """Filters of 9 weights each that are far too large."""
    kernel = initializers.RandomNormal(0, rng.uniform(10, 30))
    return [
        layers.DepthwiseConv2D(
            3,
            depth_multiplier=int(rng.choice([4, 8])),
            activation="softsign",
            depthwise_initializer=kernel,
            name=FAULTY,
        ),
        layers.Flatten(),
    ]


def large_recurrent(rng: Rng) -> list[Any]:
    """The weights of a recurrent layer's inputs, those of its state as usual."""
    kernel = he(rng.uniform(10, 40))
    return [layers.SimpleRNN(width(rng), kernel_initializer=kernel, name=FAULTY)]


def large_uniform(rng: Rng) -> list[Any]:
    """A range of weights as for inputs of another unit."""
    edge = rng.uniform(8, 20)
    kernel = initializers.RandomUniform(-edge, edge)
    return [
        layers.Conv1D(16, 3, kernel_initializer=kernel, name=FAULTY),
        layers.Activation("hard_sigmoid"),
        layers.Flatten(),
    ]


def scaled_weights(rng: Rng) -> Case:
    """Weights that were multiplied after they had been initialized, as when loaded wrongly."""
    hidden = [*dense(rng, "tanh"), *dense(rng, "tanh", name=FAULTY)]
    made = case(generated.surface(rng), hidden, adamw(rng))
    kernel = made.model.get_layer(FAULTY).kernel
    kernel.assign(kernel * rng.uniform(20, 60))
    return made


def one_loud(make: Maker) -> Maker:
    """A task of which one feature is 1,000 to 4,000 times as large."""

    def maker(rng: Rng) -> Task:
        task = make(rng)
        by = np.float32(rng.uniform(1_000, 4_000))
        for x in (task.x, task.test_x):
            x[:, 0] *= by
        return task

    return maker


def drifting(rng: Rng) -> list[Any]:
    """A bias that moves on by itself with each update."""
    step = float(rng.choice([-1, 1]) * rng.uniform(0.4, 0.8))
    return dense(rng, "sigmoid", bias_constraint=Drift(step), name=FAULTY)


def sinking(rng: Rng) -> list[Any]:
    """The same downwards, of rectifiers."""
    step = -float(rng.uniform(0.4, 0.8))
    return dense(rng, "relu", bias_constraint=Drift(step), name=FAULTY)


def biased_separable(rng: Rng) -> list[Any]:
    """Biases of both signs."""
    bias = initializers.RandomNormal(0, rng.uniform(40, 80))
    return [
        layers.SeparableConv2D(24, 3, activation="tanh", bias_initializer=bias, name=FAULTY),
        layers.Flatten(),
    ]


def biased_recurrent(rng: Rng) -> list[Any]:
    """A bias that outweighs inputs and state."""
    bias = initializers.Constant(float(rng.choice([-1, 1]) * rng.uniform(10, 30)))
    return [layers.SimpleRNN(width(rng), bias_initializer=bias, name=FAULTY)]


def biased_words(rng: Rng) -> list[Any]:
    """Units that stop at 6, and a bias beyond that."""
    bias = initializers.Constant(float(rng.uniform(10, 30)))
    return [
        layers.Embedding(256, 32),
        layers.GlobalAveragePooling1D(),
        layers.Dense(width(rng), bias_initializer=bias, name=FAULTY),
        layers.Activation("relu6"),
    ]
