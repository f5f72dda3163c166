"""Faults of many kinds of layers, with every optimizer."""

from typing import Any

import keras
import numpy as np

from benchmarks.diagnosis import generated, tasks
from benchmarks.diagnosis.families import (
    ADAM,
    FAULTY,
    SGD,
    Family,
    Hidden,
    adagrad,
    adam,
    adamw,
    chosen,
    dense,
    lion,
    momentum,
    nadam,
    rate,
    residual,
    rmsprop,
    sgd,
    stack,
)
from benchmarks.diagnosis.faults import overload
from benchmarks.diagnosis.faults.parts import Root, Rounded
from benchmarks.diagnosis.faults.ways import he, l1, l2, loud, two
from benchmarks.diagnosis.tasks import Maker, Rng, Task

layers, initializers, regularizers = keras.layers, keras.initializers, keras.regularizers
optimizers = keras.optimizers


def recurrent_gates(rng: Rng) -> list[Any]:
    """A recurrent layer with gates."""
    return [layers.GRU(int(rng.choice([16, 32])))]


def convolutions(least: int, most: int, activation: str, factor: tuple[float, float]) -> Hidden:
    """That many convolutions, with weights `factor` times as large as He's."""

    def hidden(rng: Rng) -> list[Any]:
        kernel, count = he(rng.uniform(*factor)), int(rng.integers(least, most + 1))
        return [
            *(
                layers.Conv2D(
                    8, 3, padding="same", activation=activation, kernel_initializer=kernel
                )
                for _ in range(count)
            ),
            layers.GlobalAveragePooling2D(),
        ]

    return hidden


def growing_residual(rng: Rng) -> list[Any]:
    """Many branches of which each adds more than it got."""
    kernel, count = he(rng.uniform(2, 3)), int(rng.integers(12, 17))
    return [
        layers.Dense(32),
        *(
            residual(layers.Dense(32, activation="relu", kernel_initializer=kernel))
            for _ in range(count)
        ),
    ]


def growing_recurrent(rng: Rng) -> list[Any]:
    """A rectified state that multiplies from step to step."""
    kernel = initializers.Orthogonal(rng.uniform(2.5, 3.5))
    return [layers.SimpleRNN(32, "relu", recurrent_initializer=kernel, name=FAULTY)]


def exponential(rng: Rng) -> list[Any]:
    """Exponentials of large values."""
    return dense(rng, "exponential", name=FAULTY)


def root(rng: Rng) -> list[Any]:
    """An operation whose gradient is infinite for some values."""
    return [*dense(rng, "linear"), Root()]


def infinite(make: Maker) -> Maker:
    """A task with infinite values in one feature, as after a division by 0."""

    def maker(rng: Rng) -> Task:
        task = make(rng)
        task.x[rng.integers(len(task.x), size=len(task.x) // 20), 0] = np.inf
        return task

    return maker


def penalised_convolution(rng: Rng) -> list[Any]:
    """Both penalties on the weights of a convolution."""
    penalty = regularizers.L1L2(10 ** rng.uniform(-3, -2), 10 ** rng.uniform(1, 1.3))
    return [
        layers.Conv2D(
            int(rng.choice([8, 16])),
            3,
            activation="tanh",
            kernel_regularizer=penalty,
            name=FAULTY,
        ),
        layers.Flatten(),
        *dense(rng, "tanh"),
    ]


def penalised_recurrent(rng: Rng) -> list[Any]:
    """A penalty on the weights of inputs and state."""
    penalty = l2(0.5, 1)(rng)
    return [layers.LSTM(24, kernel_regularizer=penalty, recurrent_regularizer=penalty, name=FAULTY)]


def penalised_embedding(rng: Rng) -> list[Any]:
    """A penalty on the vectors of tokens."""
    return [
        layers.Embedding(8, 16, embeddings_regularizer=l2(1, 1.5)(rng), name=FAULTY),
        layers.GlobalAveragePooling1D(),
        *dense(rng, "relu"),
    ]


def penalised_outputs(rng: Rng) -> list[Any]:
    """An absolute penalty on what a convolution returns."""
    return [
        layers.Conv1D(
            16, 5, activation="gelu", activity_regularizer=l1(0.7, 1.3)(rng), name=FAULTY
        ),
        layers.Flatten(),
        *dense(rng, "gelu"),
    ]


def rounded(rng: Rng) -> list[Any]:
    """A convolution whose outputs are made whole numbers."""
    return [
        layers.Conv1D(16, 7, strides=2, name=FAULTY),
        Rounded(),
        layers.Flatten(),
        *dense(rng, "relu"),
    ]


def shut(rng: Rng) -> list[Any]:
    """A residual branch behind a gate that is shut."""
    branch = layers.Dense(32, activation="gelu", name=FAULTY)
    return [layers.Dense(32, activation="gelu"), residual(branch, layers.Rescaling(0.0))]


def conv_pair(activation: str) -> Hidden:
    """Two plain convolutions: the fault is elsewhere."""
    return lambda rng: [
        layers.Conv2D(int(rng.choice([8, 16])), 3, activation=activation),
        layers.Conv2D(int(rng.choice([8, 16])), 3, strides=2, activation=activation),
        layers.Flatten(),
    ]


def conv_separate(rng: Rng) -> list[Any]:
    """A convolution, and softsign in a layer of its own."""
    return [
        layers.Conv2D(int(rng.choice([8, 16])), 3),
        layers.Activation("softsign"),
        layers.Flatten(),
    ]


def halved_each_step(rng: Rng) -> Any:
    """A decay that was meant for epochs."""
    return optimizers.RMSprop(optimizers.schedules.ExponentialDecay(1e-3, 1, 0.5))


VARIED: dict[str, tuple[Family, ...]] = {
    "activity": (
        chosen("coherent spectra", generated.spectra, overload.coherent_spectra, rmsprop),
        Family("matched filters", False, overload.matched_filters),
        Family("prototypes", False, overload.prototypes),
        Family("loaded sums", False, overload.loaded_sums),
        chosen("coherent embedding", tasks.prose, overload.coherent_embedding, adamw),
        chosen("coherent behind residual", generated.friedman, overload.coherent_residual, lion),
        chosen("coherent grey values", generated.stripes, overload.coherent_grey, adagrad),
    ),
    "kernel": (
        chosen("large depthwise", generated.tints, overload.large_depthwise, rmsprop),
        chosen("large recurrent", generated.copying, overload.large_recurrent, nadam),
        chosen("large uniform", generated.walks, overload.large_uniform, adagrad),
        Family("weights multiplied", False, overload.scaled_weights),
    ),
    "input": (
        chosen(
            "grey values to 255",
            lambda rng: generated.shades(rng).scaled(255),
            conv_separate,
            nadam,
        ),
        chosen("units of the clinic", tasks.patients, two("hard_tanh"), rmsprop),
        chosen("loud walks", loud(generated.walks), recurrent_gates, adamw),
        chosen("one loud feature", overload.one_loud(generated.friedman), two("sigmoid"), adagrad),
    ),
    "bias": (
        chosen("bias drift", generated.moons, overload.drifting, adam),
        chosen("biases of both signs", generated.tints, overload.biased_separable, nadam),
        chosen("bias, recurrent", generated.copying, overload.biased_recurrent, rmsprop),
        chosen("bias, words", tasks.prose, overload.biased_words, adamw),
    ),
    "dead": (
        chosen("bias drift, ReLU", generated.flat_waves, overload.sinking, sgd),
        chosen("negative weights", generated.spectra, overload.negative_weights, adamw),
        chosen(
            "rate too high, RMSprop",
            generated.tints,
            conv_pair("relu"),
            rate(optimizers.RMSprop, 0.1, 0.3),
        ),
        chosen("rate too high, Lion", tasks.iris, two("relu"), rate(optimizers.Lion, 0.3, 1.0)),
    ),
    "vanishing": (
        chosen("many hard sigmoids", generated.spirals, stack(8, 12, "hard_sigmoid"), nadam),
        chosen(
            "many small convolutions",
            generated.tints,
            convolutions(8, 12, "softsign", (0.1, 0.15)),
            rmsprop,
        ),
        chosen("small weights, GELU", generated.circles, stack(12, 16, "gelu", he(0.3)), adamw),
    ),
    "exploding": (
        chosen(
            "growing convolutions",
            generated.stripes,
            convolutions(10, 12, "leaky_relu", (2.5, 3.5)),
            nadam,
        ),
        chosen("growing residuals", generated.friedman, growing_residual, lion),
        chosen("recurrent ReLU", generated.walks, growing_recurrent, adamw),
    ),
    "nonfinite": (
        chosen("exponential", loud(generated.flat_waves), exponential, momentum),
        chosen("root of 0", generated.surface, root, rmsprop),
        chosen("infinite in the data", infinite(tasks.iris), two("tanh"), nadam),
        chosen("divergence, values as they are", tasks.progress, two("elu"), rate(SGD, 0.5, 1.0)),
    ),
    "over_regularized": (
        chosen(
            "penalty, convolution", generated.shades, penalised_convolution, rate(SGD, 0.01, 0.02)
        ),
        chosen("penalty, LSTM", generated.walks, penalised_recurrent, nadam),
        chosen("penalty, embedding", generated.symbols, penalised_embedding, adam),
        chosen("absolute penalty on outputs", generated.spectra, penalised_outputs, adamw),
        chosen(
            "weight decay, Lion",
            generated.circles,
            two("silu"),
            rate(optimizers.Lion, 3e-4, weight_decay=100.0),
        ),
    ),
    "untrained": (
        chosen("epsilon too large", generated.spirals, two("silu"), rate(ADAM, 1e-3, epsilon=1e6)),
        chosen("rate halved each step", generated.tints, conv_pair("elu"), halved_each_step),
        chosen("rounded", generated.waves, rounded, momentum),
        chosen("gate shut", generated.circles, shut, sgd),
    ),
}
