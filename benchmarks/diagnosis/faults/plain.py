"""Faults of plain models: dense layers and convolutions, on data as it is usual."""

from typing import Any

import keras
import numpy as np

from benchmarks.diagnosis import generated, tasks
from benchmarks.diagnosis.families import (
    ADAM,
    FAULTY,
    SGD,
    Case,
    Family,
    Hidden,
    adam,
    case,
    chosen,
    conv,
    dense,
    momentum,
    rate,
    rmsprop,
    sgd,
    stack,
)
from benchmarks.diagnosis.faults.parts import Detached, Logarithm
from benchmarks.diagnosis.faults.ways import (
    faulty,
    he,
    l1,
    l2,
    large,
    loud,
    penalised,
    separate,
    two,
)
from benchmarks.diagnosis.tasks import Maker, Rng, Task

layers, initializers = keras.layers, keras.initializers


def coherent(rng: Rng) -> dict[str, Any]:
    """Small weights of one sign, which line up with positive inputs."""
    return {"kernel_initializer": initializers.RandomNormal(rng.uniform(0.15, 0.4), 0.05)}


def biased(rng: Rng) -> dict[str, Any]:
    """A bias far beyond the headroom, on either side."""
    value = float(rng.choice([-1, 1]) * rng.uniform(15, 40))
    return {"bias_initializer": initializers.Constant(value)}


def killed(rng: Rng) -> dict[str, Any]:
    """A bias that holds rectifiers at their zero."""
    return {"bias_initializer": initializers.Constant(-float(rng.uniform(10, 20)))}


def aligned(rng: Rng) -> Case:
    """Inputs of few directions, and weights, as if loaded, that lie in them."""
    task = generated.low_rank(rng)
    made = case(task, dense(rng, "tanh", name=FAULTY), momentum(rng))
    _, _, directions = np.linalg.svd(task.x, full_matrices=False)
    kernel = made.model.get_layer(FAULTY).kernel
    kernel.assign(directions[:3].T @ rng.normal(size=(3, kernel.shape[1])))
    return made


def behind_relu(rng: Rng) -> list[Any]:
    """Inputs that are positive because of the layer in front."""
    return [layers.Dense(128, activation="relu"), *dense(rng, "tanh", name=FAULTY, **coherent(rng))]


def behind_convolution(rng: Rng) -> list[Any]:
    """The same of two convolutions: a single channel sums too few values to line up with."""
    return [
        layers.Conv2D(32, 3, activation="relu"),
        *conv(rng, "hard_tanh", name=FAULTY, **coherent(rng)),
    ]


def upstream(rng: Rng) -> list[Any]:
    """A linear layer that is too loud for the one behind it."""
    return [*dense(rng, "linear", name=FAULTY, **large(10, 40)(rng)), *dense(rng, "tanh")]


def recurrent(activation: str, least: float, most: float) -> Hidden:
    """A recurrent kernel that multiplies from step to step."""

    def hidden(rng: Rng) -> list[Any]:
        kernel: Any = initializers.Orthogonal(rng.uniform(least, most))
        return [
            layers.SimpleRNN(32, activation=activation, recurrent_initializer=kernel, name=FAULTY)
        ]

    return hidden


def growing(activation: str) -> Hidden:
    """Many layers of which each passes on twice to three times what it got."""
    return lambda rng: stack(10, 14, activation, he(rng.uniform(2, 3)))(rng)


def poisoned(make: Maker) -> Maker:
    """A task with NaN among its inputs."""

    def maker(rng: Rng) -> Task:
        task = make(rng)
        task.x[rng.integers(len(task.x), size=len(task.x) // 5)] *= np.float32(np.nan)
        return task

    return maker


def logarithm(rng: Rng) -> list[Any]:
    """An operation that is infinite for some values."""
    return [*dense(rng, "linear"), Logarithm()]


def half_precision(rng: Rng) -> list[Any]:
    """Sums beyond what float16 holds."""
    big: Any = he(rng.uniform(1_000, 3_000))
    return [layers.Dense(64, kernel_initializer=big, dtype="float16", name=FAULTY)]


def detached(rng: Rng) -> list[Any]:
    """A layer that no gradient reaches."""
    return [*dense(rng, "relu", name=FAULTY), Detached(), *dense(rng, "relu")]


PLAIN: dict[str, tuple[Family, ...]] = {
    "activity": (
        chosen("coherent", tasks.features, faulty(dense, "sigmoid", coherent), momentum),
        chosen("coherent behind ReLU", generated.blobs, behind_relu, sgd),
        Family("few directions", False, aligned),
        chosen(
            "coherent, separate",
            tasks.features,
            faulty(dense, "tanh", separate(coherent)),
            momentum,
        ),
        chosen("coherent convolution", tasks.images, behind_convolution, sgd),
        chosen("coherent, Adam", tasks.features, faulty(dense, "hard_sigmoid", coherent), adam),
    ),
    "kernel": (
        chosen("large weights", tasks.features, faulty(dense, "sigmoid", large(40, 100)), momentum),
        chosen("large weights before", generated.blobs, upstream, sgd),
        chosen("large weights, table", tasks.table, faulty(dense, "tanh", large(10, 40)), momentum),
        chosen(
            "large convolution", tasks.images, faulty(conv, "tanh", separate(large(10, 40))), adam
        ),
    ),
    "input": (
        chosen("loud features", loud(tasks.features), two("sigmoid"), momentum),
        chosen("loud blobs", loud(generated.blobs), two("tanh"), adam),
        chosen("measurements as they are", tasks.measurements, two("tanh"), sgd),
        chosen("loud images", loud(tasks.images), lambda rng: conv(rng, "sigmoid"), momentum),
    ),
    "bias": (
        chosen("large bias", tasks.digits, faulty(dense, "sigmoid", biased), momentum),
        chosen("large bias, tanh", generated.blobs, faulty(dense, "tanh", separate(biased)), adam),
        chosen("large bias, table", tasks.table, faulty(dense, "hard_sigmoid", biased), sgd),
        chosen("large bias, convolution", tasks.images, faulty(conv, "tanh", biased), momentum),
    ),
    "dead": (
        chosen("negative bias", generated.blobs, faulty(dense, "relu", killed), momentum),
        chosen("rate too high", tasks.digits, two("relu"), rate(ADAM, 0.5, 1.0, 2.0)),
        chosen("negative bias, images", tasks.images, faulty(conv, "relu", killed), adam),
        chosen("rate too high, SGD", tasks.features, two("relu"), rate(SGD, 2.0, 5.0)),
    ),
    "vanishing": (
        chosen("many sigmoids", tasks.digits, stack(8, 14, "sigmoid"), momentum),
        chosen("small weights, ReLU", tasks.digits, stack(12, 20, "relu", he(0.3)), momentum),
        chosen("many sigmoids, Adam", generated.blobs, stack(8, 14, "sigmoid"), adam),
        chosen("small weights", generated.blobs, stack(10, 20, "tanh", he(0.15)), sgd),
    ),
    "exploding": (
        chosen("growing ReLU", generated.blobs, growing("relu"), adam),
        chosen("recurrent tanh", generated.sequences, recurrent("tanh", 2.5, 4.0), adam),
        chosen("growing GELU", tasks.digits, growing("gelu"), rmsprop),
        chosen("recurrent linear", generated.sequences, recurrent("linear", 1.25, 1.4), adam),
    ),
    "nonfinite": (
        chosen("divergence", tasks.values, two("gelu"), rate(SGD, 5.0, 20.0)),
        chosen("NaN in the data", poisoned(tasks.table), two("relu"), adam),
        chosen("logarithm of 0", generated.blobs, logarithm, adam),
        chosen("beyond float16", loud(tasks.table), half_precision, adam),
    ),
    "over_regularized": (
        chosen(
            "kernel penalty", tasks.digits, penalised("kernel_regularizer", l2(-0.3, 0.7)), adam
        ),
        chosen(
            "activity penalty",
            generated.blobs,
            penalised("activity_regularizer", l2(0.5, 1.5)),
            adam,
        ),
        chosen(
            "absolute penalty", generated.blobs, penalised("kernel_regularizer", l1(-1, 0)), adam
        ),
        chosen(
            "weight decay",
            tasks.digits,
            two("relu"),
            rate(keras.optimizers.AdamW, 1e-3, weight_decay=50.0),
        ),
    ),
    "untrained": (
        chosen("rate too small", tasks.digits, two("relu"), rate(SGD, 1e-7, 1e-8)),
        chosen("detached", generated.blobs, detached, adam),
        chosen("clipped", generated.blobs, two("tanh"), rate(SGD, 0.01, 0.05, clipnorm=1e-6)),
        chosen("detached, images", tasks.digits, detached, momentum),
    ),
}
