"""Plain trainings without a fault."""

from typing import Any

import keras

from benchmarks.diagnosis import generated, tasks
from benchmarks.diagnosis.families import (
    Case,
    Family,
    adam,
    adamw,
    case,
    chosen,
    conv,
    dense,
    momentum,
    nadam,
    rmsprop,
    sgd,
    stack,
    width,
)
from benchmarks.diagnosis.tasks import Rng

layers, regularizers = keras.layers, keras.regularizers


def normalised(kind: Any, activation: str) -> Any:
    """Dense layers with a normalisation in front of each activation."""

    def hidden(rng: Rng) -> list[Any]:
        made: list[Any] = []
        for _ in range(int(rng.integers(1, 4))):
            made += [layers.Dense(width(rng)), kind(), layers.Activation(activation)]
        return made

    return hidden


def regularized(rng: Rng) -> list[Any]:
    """Penalties as they are usual, and dropout."""
    return [
        *dense(rng, "relu", kernel_regularizer=regularizers.L2(10 ** rng.uniform(-5, -3))),
        layers.Dropout(0.3),
        *dense(rng, "tanh", activity_regularizer=regularizers.L2(10 ** rng.uniform(-6, -4))),
    ]


def convolutions(rng: Rng) -> list[Any]:
    """Two convolutions with pooling."""
    return [
        layers.Conv2D(int(rng.choice([8, 16])), 3, activation="relu", padding="same"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        *conv(rng, "relu"),
    ]


def attention(rng: Rng) -> list[Any]:
    """A small transformer over tokens."""
    size = int(rng.choice([16, 32]))
    inputs = keras.Input((None, size))
    seen = layers.MultiHeadAttention(2, size // 2)(inputs, inputs)
    x = layers.LayerNormalization()(inputs + seen)
    inner = layers.Dense(size)(layers.Dense(2 * size, activation="gelu")(x))
    block = keras.Model(inputs, layers.LayerNormalization()(x + inner))
    return [layers.Embedding(50, size), block, layers.GlobalAveragePooling1D()]


def recurrent(kind: Any) -> Any:
    """One or two recurrent layers."""

    def hidden(rng: Rng) -> list[Any]:
        first = [kind(int(rng.choice([16, 32])), return_sequences=True)]
        return [*(first if rng.integers(2) else []), kind(int(rng.choice([16, 32])))]

    return hidden


def frozen(rng: Rng) -> list[Any]:
    """A layer of random features that is not trained."""
    first = layers.Dense(width(rng), activation="relu")
    first.trainable = False
    return [first, *dense(rng, "relu")]


def one_or_two(activation: str) -> Any:
    """Plain layers."""
    return stack(1, 2, activation)


# What `various` draws from: tasks with layers that fit them, and optimizers.
KINDS = (
    (tasks.digits, stack(1, 3, "relu")),
    (tasks.digits, one_or_two("sigmoid")),
    (tasks.digits, regularized),
    (tasks.table, stack(1, 3, "tanh")),
    (tasks.table, normalised(layers.BatchNormalization, "sigmoid")),
    (tasks.features, one_or_two("sigmoid")),
    (tasks.features, normalised(layers.LayerNormalization, "tanh")),
    (generated.blobs, stack(2, 6, "gelu")),
    (generated.blobs, stack(2, 6, "elu")),
    (tasks.images, convolutions),
    (tasks.images, lambda rng: conv(rng, "tanh", separate=True)),
    (generated.sequences, recurrent(layers.LSTM)),
    (generated.sequences, recurrent(layers.GRU)),
    (generated.tokens, attention),
    (tasks.values, stack(1, 3, "relu", "he_normal")),
    (tasks.values, one_or_two("tanh")),
)
OPTIMIZERS = (sgd, momentum, adam, adamw, rmsprop, nadam)


def various(rng: Rng) -> Case:
    """A training of any kind, by any optimizer."""
    task, hidden = KINDS[rng.integers(len(KINDS))]
    return case(task(rng), hidden(rng), OPTIMIZERS[rng.integers(len(OPTIMIZERS))](rng))


PLAIN: tuple[Family, ...] = (
    chosen("ReLU", tasks.digits, one_or_two("relu"), momentum),
    chosen("sigmoid", tasks.digits, one_or_two("sigmoid"), adam),
    chosen("tanh, table", tasks.table, one_or_two("tanh"), sgd),
    chosen("convolutions", tasks.images, convolutions, adam),
    chosen("LSTM", generated.sequences, recurrent(layers.LSTM), adam),
    chosen(
        "batch normalisation", generated.blobs, normalised(layers.BatchNormalization, "relu"), sgd
    ),
    chosen("penalties", tasks.digits, regularized, adam),
    chosen("values", tasks.values, one_or_two("relu"), adam),
    chosen("tanh, digits", tasks.digits, one_or_two("tanh"), momentum),
    chosen("sigmoid, features", tasks.features, one_or_two("sigmoid"), momentum),
    chosen("GELU", generated.blobs, stack(2, 5, "gelu"), adamw),
    chosen("plain convolution", tasks.images, lambda rng: conv(rng, "tanh"), momentum),
    chosen("GRU", generated.sequences, recurrent(layers.GRU), rmsprop),
    chosen(
        "layer normalisation", tasks.features, normalised(layers.LayerNormalization, "silu"), adam
    ),
    chosen("transformer", generated.tokens, attention, adam),
    chosen("frozen", tasks.digits, frozen, momentum),
    chosen("penalties, table", tasks.table, regularized, adamw),
    chosen("ReLU, values", tasks.values, stack(2, 4, "relu", "he_normal"), rmsprop),
    Family("various", False, various),
    chosen("simple recurrent", generated.sequences, recurrent(layers.SimpleRNN), adam),
)
