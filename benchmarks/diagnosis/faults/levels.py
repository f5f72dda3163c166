"""Layers of which a level is too high: in signals, images, words and tables."""

from typing import Any

import keras
import numpy as np

from benchmarks.diagnosis import signals
from benchmarks.diagnosis.blocks import excited, gated, highway, pooled, towers
from benchmarks.diagnosis.families import (
    FAULTY,
    Case,
    adam,
    case,
    dense,
    momentum,
    nadam,
    rmsprop,
    width,
)
from benchmarks.diagnosis.faults.overload import one_sign
from benchmarks.diagnosis.faults.ways import he
from benchmarks.diagnosis.tasks import Maker, Rng

layers, initializers = keras.layers, keras.initializers


def either(rng: Rng, least: float, most: float) -> float:
    """A number between the two, or between their negatives."""
    return float(rng.choice([-1, 1]) * rng.uniform(least, most))


def leads(rng: Rng) -> list[Any]:
    """Filters that sum all the leads, none of which is centred."""
    kernel = one_sign(rng, 0.17, 0.25)
    return [
        layers.Conv1D(
            width(rng), 11, strides=3, activation="tanh", kernel_initializer=kernel, name=FAULTY
        ),
        layers.GlobalAveragePooling1D(),
    ]


def behind_softplus(rng: Rng) -> list[Any]:
    """What a trained convolution makes positive."""
    return [
        layers.Conv1D(96, 7, strides=2, activation="softplus"),
        layers.GlobalAveragePooling1D(),
        *dense(rng, "softsign", kernel_initializer=one_sign(rng, 0.2, 0.28), name=FAULTY),
    ]


def projected(rng: Rng) -> list[Any]:
    """A projection of half days, each of 24 positive steps of 5 sensors."""
    kernel = one_sign(rng, 0.06, 0.12)
    return [
        layers.Reshape((2, 120)),
        layers.EinsumDense(
            "btc,cd->btd",
            (2, width(rng)),
            activation="hard_tanh",
            bias_axes="d",
            kernel_initializer=kernel,
            name=FAULTY,
        ),
        layers.Flatten(),
    ]


def blurring(rng: Rng) -> list[Any]:
    """Weights, all of one sign, that blur an image."""
    return [
        layers.Conv2D(16, 7, strides=2, kernel_initializer=one_sign(rng, 0.15, 0.2), name=FAULTY),
        layers.Activation("hard_sigmoid"),
        layers.Flatten(),
    ]


def shared_highway(rng: Rng) -> list[Any]:
    """A gate of 128 features from 0 to 1."""
    kernel = one_sign(rng, 0.15, 0.22)
    return [
        layers.Dense(128, activation="sigmoid"),
        highway(
            layers.Dense(128, activation="relu"),
            layers.Dense(128, activation="sigmoid", kernel_initializer=kernel, name=FAULTY),
        ),
    ]


def excitation(rng: Rng) -> list[Any]:
    """A squeeze whose means of rectified channels are all positive."""
    kernel = one_sign(rng, 0.18, 0.25)
    return [
        layers.Conv2D(96, 3, strides=2, activation="relu", kernel_initializer="he_normal"),
        excited(
            layers.Dense(96, activation="hard_sigmoid", kernel_initializer=kernel, name=FAULTY)
        ),
        layers.GlobalAveragePooling2D(),
        *dense(rng, "relu"),
    ]


def template(rng: Rng) -> Case:
    """Filters, as if loaded, that are the likeliest course of the leads."""
    task = signals.standard(signals.beats)(rng)
    hidden = [
        layers.Conv1D(24, 9, strides=2, name=FAULTY),
        layers.Activation("tanh"),
        layers.Flatten(),
        *dense(rng, "relu"),
    ]
    made = case(task, hidden, rmsprop(rng))
    seen = np.lib.stride_tricks.sliding_window_view(task.x[:200], 9, axis=1)[:, ::2]
    windows = seen.swapaxes(-1, -2).reshape(-1, 54)
    course = np.linalg.svd(windows, full_matrices=False)[2][0].reshape(9, 6)
    strength = rng.uniform(1.5, 2.5) * rng.choice([-1, 1], 24)
    made.model.get_layer(FAULTY).kernel.assign(course[..., None] * strength)
    return made


def two_towers(rng: Rng) -> list[Any]:
    """What rectified filters of two images found, merged."""

    def tower() -> list[Any]:
        return [
            layers.Conv2D(12, 3, activation="relu", kernel_initializer="he_normal"),
            layers.MaxPooling2D(),
            layers.Flatten(),
        ]

    return [
        towers(tower(), tower()),
        layers.Dense(64, kernel_initializer=one_sign(rng, 0.12, 0.18), name=FAULTY),
        layers.Activation("tanh"),
        *dense(rng, "relu"),
    ]


def counting(rng: Rng) -> list[Any]:
    """A recurrent layer that adds up positive features of counts."""
    kernel = one_sign(rng, 0.25, 0.35)
    return [
        layers.Conv1D(48, 3, activation="sigmoid"),
        layers.SimpleRNN(width(rng), kernel_initializer=kernel, name=FAULTY),
    ]


def scored_words(rng: Rng) -> list[Any]:
    """Attention over words whose vectors are positive, as those of topics are."""
    kernel = one_sign(rng, 0.15, 0.25)
    return [
        layers.Embedding(256, 64, initializers.RandomUniform(0, 1)),
        pooled(layers.Dense(32, activation="tanh", kernel_initializer=kernel, name=FAULTY)),
        *dense(rng, "relu"),
    ]


def gated_wave(rng: Rng) -> list[Any]:
    """The filters, but not the gates, of a gated convolution that is dilated."""
    size, kernel = int(rng.choice([16, 32])), initializers.RandomNormal(0, rng.uniform(3, 8))
    return [
        layers.Conv1D(24, 3, padding="causal", activation="gelu"),
        layers.BatchNormalization(),
        gated(
            layers.Conv1D(
                size,
                3,
                dilation_rate=4,
                padding="causal",
                activation="tanh",
                kernel_initializer=kernel,
                name=FAULTY,
            ),
            layers.Conv1D(size, 3, dilation_rate=4, padding="causal", activation="sigmoid"),
        ),
        layers.GlobalAveragePooling1D(),
    ]


def wide_range(rng: Rng) -> list[Any]:
    """Weights between -8 and 8, or more, of what was measured in two hours."""
    edge = rng.uniform(8, 16)
    return [
        layers.Reshape((12, 20)),
        layers.EinsumDense(
            "btc,cd->btd",
            (12, width(rng)),
            bias_axes="d",
            kernel_initializer=initializers.RandomUniform(-edge, edge),
            name=FAULTY,
        ),
        layers.Activation("sigmoid"),
        layers.GlobalAveragePooling1D(),
    ]


def large_gates(rng: Rng) -> list[Any]:
    """The weights of the inputs of gates, those of the state as usual."""
    return [layers.LSTM(24, kernel_initializer=he(rng.uniform(20, 50)), name=FAULTY)]


def orthogonal(rng: Rng) -> list[Any]:
    """A gain that was meant for another initializer, behind a normalisation."""
    kernel = initializers.Orthogonal(rng.uniform(25, 60))
    return [
        layers.Dense(48, activation="relu"),
        layers.LayerNormalization(),
        layers.Dropout(0.1),
        layers.Dense(48, activation="hard_sigmoid", kernel_initializer=kernel, name=FAULTY),
    ]


def quantised(rng: Rng) -> Case:
    """Weights of 8 bits that were loaded as whole numbers, without their scale."""
    hidden = [
        layers.Conv2D(16, 3, strides=2, name=FAULTY),
        layers.Activation("softsign"),
        layers.Flatten(),
        *dense(rng, "relu"),
    ]
    made = case(signals.standard(signals.chirps)(rng), hidden, adam(rng))
    kernel = made.model.get_layer(FAULTY).kernel
    kernel.assign(np.round(127 * np.asarray(kernel) / np.abs(kernel).max()))
    return made


def counts(rng: Rng) -> list[Any]:
    """Filters of counts."""
    return [
        layers.Conv1D(width(rng), 3, strides=2, activation="hard_tanh"),
        layers.Flatten(),
    ]


def converted(make: Maker) -> Maker:
    """A task in whole numbers of a converter that is centred at 2,048 and has 800 to the unit."""

    def maker(rng: Rng) -> Any:
        task = make(rng)
        for x in (task.x, task.test_x):
            x[...] = (2_048 + 800 * x).round().clip(0, 4_095)
        return task

    return maker


def beat(rng: Rng) -> list[Any]:
    """A convolution of each of the leads, and one of all of them."""
    return [
        layers.DepthwiseConv1D(7, strides=2, activation="hard_sigmoid", depth_multiplier=4),
        layers.Conv1D(width(rng), 3, strides=2, activation="relu"),
        layers.GlobalMaxPooling1D(),
    ]


def deep_table(rng: Rng) -> list[Any]:
    """A layer with a function that saturates, and others that do not."""
    return [
        *dense(rng, "sigmoid", separate=True),
        *dense(rng, "gelu"),
        layers.Dropout(0.2),
        *dense(rng, "gelu"),
    ]


def multiplied(rng: Rng) -> list[Any]:
    """Multiplies by what it should divide by, values that were divided before."""
    return [
        layers.Rescaling(255.0),
        layers.Conv2D(16, 3, activation="tanh"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        *dense(rng, "relu"),
    ]


def lstm(rng: Rng) -> list[Any]:
    """A recurrent layer with gates."""
    return [layers.LSTM(int(rng.choice([16, 24, 32]))), *dense(rng, "relu")]


def offset_steps(rng: Rng) -> Case:
    """Biases of a projection, as if loaded, each on a side of its own."""
    hidden = [
        layers.Reshape((8, 30)),
        layers.EinsumDense(
            "btc,cd->btd",
            (8, 32),
            activation="tanh",
            bias_axes="d",
            kernel_initializer=he(0.5),
            name=FAULTY,
        ),
        layers.Flatten(),
    ]
    made = case(signals.standard(signals.sensors)(rng), hidden, nadam(rng))
    made.model.get_layer(FAULTY).bias.assign([either(rng, 12, 30) for _ in range(32)])
    return made


def loaded_bias(rng: Rng) -> Case:
    """A bias that was loaded from a model of values in another unit."""
    hidden = [
        layers.BatchNormalization(),
        layers.Dense(48, activation="relu"),
        layers.Dense(32, name=FAULTY),
        layers.Activation("sigmoid"),
    ]
    made = case(signals.standard(signals.applicants)(rng), hidden, momentum(rng))
    bias = made.model.get_layer(FAULTY).bias
    bias.assign(rng.normal(either(rng, 60, 120), 10, bias.shape))
    return made


def closed_highway(rng: Rng) -> list[Any]:
    """Gates that are closed at first, as advised, but ten times as far."""
    bias = initializers.Constant(-float(rng.uniform(20, 40)))
    return [
        layers.Dense(32, activation="relu"),
        highway(
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="sigmoid", bias_initializer=bias, name=FAULTY),
        ),
    ]


def offset_leads(rng: Rng) -> list[Any]:
    """One bias for all the filters of leads."""
    bias = initializers.Constant(either(rng, 40, 90))
    return [
        layers.DepthwiseConv1D(
            9,
            strides=2,
            depth_multiplier=4,
            activation="softsign",
            bias_initializer=bias,
            name=FAULTY,
        ),
        layers.GlobalAveragePooling1D(),
        *dense(rng, "gelu"),
    ]
