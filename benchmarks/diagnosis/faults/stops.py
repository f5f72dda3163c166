"""What stops a training: rates, penalties and operations that let nothing through."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from benchmarks.diagnosis import signals
from benchmarks.diagnosis.blocks import towers
from benchmarks.diagnosis.families import FAULTY, SGD, dense, rate, width
from benchmarks.diagnosis.faults.parts import (
    Detached,
    Distance,
    EachRecording,
    Energy,
    Hardest,
    Weighting,
)
from benchmarks.diagnosis.faults.ways import l1, l2
from benchmarks.diagnosis.tasks import Maker, Rng, Task

layers, initializers, regularizers = keras.layers, keras.initializers, keras.regularizers

eager = rate(SGD, 0.5, 1.0, momentum=0.99)
hasty = rate(keras.optimizers.AdamW, 0.3, 0.6)
clipped = rate(SGD, 0.5, 1.0, momentum=0.9, clipvalue=1.0)


def wave(rng: Rng) -> list[Any]:
    """Two plain convolutions over time: the fault is elsewhere."""
    return [
        layers.Conv1D(width(rng), 9, strides=3, activation="relu"),
        layers.Conv1D(width(rng), 3, activation="relu"),
        layers.Flatten(),
    ]


def words(rng: Rng) -> list[Any]:
    """Plain layers over the mean of words: the fault is elsewhere."""
    return [
        layers.Embedding(256, 32),
        layers.GlobalAveragePooling1D(),
        *dense(rng, "relu"),
        *dense(rng, "relu"),
    ]


def spots(rng: Rng) -> list[Any]:
    """Plain convolutions over images: the fault is elsewhere."""
    return [
        layers.Conv2D(16, 3, strides=2, activation="relu"),
        layers.Conv2D(24, 3, activation="relu"),
        layers.Flatten(),
    ]


def shifted(rng: Rng) -> list[Any]:
    """A normalisation that shifts all below the zero of the rectifiers behind it."""
    shift = initializers.Constant(-float(rng.uniform(8, 15)))
    return [
        *dense(rng, "relu"),
        layers.Dense(width(rng)),
        layers.BatchNormalization(beta_initializer=shift),
        layers.Activation("relu"),
    ]


def thousands(rng: Rng) -> Task:
    """Cells to be counted, as numbers in thousands."""
    task = signals.ranged(signals.cells)(rng)
    by = np.float32(rng.uniform(2_000, 5_000))
    return replace(task, y=by * task.y, test_y=by * task.test_y)


def silent(make: Maker) -> Maker:
    """A task with recordings of nothing."""

    def maker(rng: Rng) -> Task:
        task = make(rng)
        task.x[rng.integers(len(task.x), size=len(task.x) // 20)] = 0
        return task

    return maker


def each(rng: Rng) -> list[Any]:
    """Scales each recording by itself."""
    return [EachRecording(), *wave(rng)]


def attention(rng: Rng) -> list[Any]:
    """Attention whose scores are large."""
    kernel = initializers.RandomNormal(0, rng.uniform(20, 40))
    return [layers.Dense(32, kernel_initializer=kernel), Weighting(), *dense(rng, "relu")]


def twins(rng: Rng) -> Task:
    """Pairs of digits, of which some are one and the same."""
    task = signals.pairs(rng)
    same = rng.random(len(task.x)) < 0.1
    task.x[same, ..., 1] = task.x[same, ..., 0]
    return task


def siamese(rng: Rng) -> list[Any]:
    """How far apart two images are by the same layers."""
    shared = [layers.Flatten(), layers.Dense(width(rng), activation="tanh")]
    return [towers(shared, shared), Distance(), *dense(rng, "relu")]


def millivolts(rng: Rng) -> Task:
    """A heart in another unit, a thousand times as large."""
    return signals.beats(rng).scaled(1_000)


def energy(rng: Rng) -> list[Any]:
    """Squares in half precision."""
    return [Energy(dtype="float16"), layers.GlobalAveragePooling1D(), *dense(rng, "relu")]


def orthogonal(rng: Rng) -> list[Any]:
    """A penalty on weights that are not at right angles."""
    penalty = regularizers.OrthogonalRegularizer(10 ** rng.uniform(1.5, 2))
    return [
        layers.Embedding(256, 32),
        layers.GlobalAveragePooling1D(),
        *dense(rng, "relu", kernel_regularizer=penalty, name=FAULTY),
    ]


def penalised_steps(rng: Rng) -> list[Any]:
    """A penalty on the weights of a projection."""
    return [
        layers.Reshape((12, 20)),
        layers.EinsumDense(
            "btc,cd->btd",
            (12, width(rng)),
            activation="silu",
            bias_axes="d",
            kernel_regularizer=l2(0.3, 1)(rng),
            name=FAULTY,
        ),
        layers.Flatten(),
        *dense(rng, "relu"),
    ]


def quiet_state(rng: Rng) -> list[Any]:
    """A penalty on what a recurrent layer returns."""
    return [
        layers.GRU(24, activity_regularizer=l1(1, 1.5)(rng), name=FAULTY),
        *dense(rng, "relu"),
    ]


def penalised_bands(rng: Rng) -> list[Any]:
    """A penalty on filters of one channel each, behind others."""
    return [
        layers.Conv2D(16, 3, strides=2, activation="elu"),
        layers.DepthwiseConv2D(
            3, activation="elu", depthwise_regularizer=l2(0.7, 1.3)(rng), name=FAULTY
        ),
        layers.Flatten(),
    ]


def hardest(rng: Rng) -> list[Any]:
    """Attention that takes one step and leaves the others."""
    score = layers.Dense(1, name=FAULTY)

    def choose(x: Any) -> Any:
        return Hardest()(score(x), x)

    return [layers.Conv1D(32, 7, strides=3, activation="relu"), choose, *dense(rng, "relu")]


def still_tower(rng: Rng) -> list[Any]:
    """One of two towers is detached, as that of a teacher is."""

    def tower(**options: Any) -> list[Any]:
        return [layers.Conv2D(16, 3, activation="relu", **options), layers.Flatten()]

    return [towers(tower(), [*tower(name=FAULTY), Detached()]), *dense(rng, "relu")]
