"""Models whose depth, in layers or steps, lets values or gradients shrink or grow."""

from typing import Any

import keras

from benchmarks.diagnosis.blocks import densely
from benchmarks.diagnosis.families import FAULTY, residual
from benchmarks.diagnosis.faults.ways import he
from benchmarks.diagnosis.tasks import Rng

layers, initializers = keras.layers, keras.initializers


def sigmoids(rng: Rng) -> list[Any]:
    """Many convolutions over time, each with a sigmoid."""
    return [
        *(
            layers.Conv1D(
                24, 3, strides=2 if one in (0, 3) else 1, padding="same", activation="sigmoid"
            )
            for one in range(int(rng.integers(8, 12)))
        ),
        layers.GlobalAveragePooling1D(),
    ]


def gates(rng: Rng) -> list[Any]:
    """Many gates one behind the other, each of which lets half of its inputs through."""

    def gate(x: Any) -> Any:
        return layers.Multiply()([x, layers.Dense(32, activation="sigmoid")(x)])

    return [layers.Dense(32, activation="tanh"), *[gate] * int(rng.integers(16, 20))]


def projections(rng: Rng) -> list[Any]:
    """Projections of each word whose weights are small, many one behind the other."""
    kernel = he(rng.uniform(0.2, 0.3))
    return [
        layers.Embedding(256, 32),
        *(
            layers.EinsumDense(
                "btc,cd->btd",
                (None, 32),
                activation="tanh",
                bias_axes="d",
                kernel_initializer=kernel,
            )
            for _ in range(int(rng.integers(8, 12)))
        ),
        layers.GlobalAveragePooling1D(),
    ]


def damped(rng: Rng) -> list[Any]:
    """Blocks of which each passes on a fifth, or less, of what it got."""
    made: list[Any] = [layers.Conv1D(24, 7, strides=3, activation="elu")]
    for _ in range(int(rng.integers(9, 12))):
        made += [
            layers.Conv1D(24, 3, padding="same", activation="elu"),
            layers.Rescaling(float(rng.uniform(0.1, 0.2))),
        ]
    return [*made, layers.GlobalAveragePooling1D()]


def waves(rng: Rng) -> list[Any]:
    """Residual convolutions over time, without a normalisation, of which each adds much."""
    kernel = he(rng.uniform(2, 3))
    return [
        layers.Conv1D(16, 1),
        *(
            residual(
                layers.Conv1D(16, 3, padding="same", activation="elu", kernel_initializer=kernel)
            )
            for _ in range(int(rng.integers(8, 12)))
        ),
        layers.GlobalAveragePooling1D(),
    ]


def state(rng: Rng) -> list[Any]:
    """A state that is passed on as it is, and somewhat more of it."""
    kernel = initializers.Identity(rng.uniform(1.25, 1.4))
    return [layers.SimpleRNN(24, "leaky_relu", recurrent_initializer=kernel, name=FAULTY)]


def mixer(rng: Rng) -> list[Any]:
    """Layers that mix doors and hours in turn (Tolstikhin et al. 2021), without normalisation."""
    kernel = he(rng.uniform(2, 3))
    made: list[Any] = []
    for _ in range(int(rng.integers(4, 7))):
        made += [
            layers.Dense(16, activation="gelu", kernel_initializer=kernel),
            layers.Permute((2, 1)),
            layers.Dense(24, activation="gelu", kernel_initializer=kernel),
            layers.Permute((2, 1)),
        ]
    return [*made, layers.Flatten()]


def dense_net(rng: Rng) -> list[Any]:
    """Layers that see all those before them, and grow with each."""
    kernel = he(rng.uniform(4, 5))
    steps = [
        [layers.Dense(24, activation="silu", kernel_initializer=kernel)]
        for _ in range(int(rng.integers(9, 12)))
    ]
    return [densely(*steps)]
