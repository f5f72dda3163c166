"""Hidden layers as they are usual, for each kind of input."""

from typing import Any

import keras

from benchmarks.diagnosis.families import Hidden, dense, residual, width
from benchmarks.diagnosis.tasks import Rng

layers, regularizers = keras.layers, keras.regularizers
# Activations that may be stacked, with the initializer that goes with each.
DEEP = {
    "relu": "he_normal",
    "leaky_relu": "he_normal",
    "elu": "he_uniform",
    "gelu": "glorot_uniform",
    "silu": "glorot_uniform",
    "mish": "glorot_uniform",
    "selu": "lecun_normal",
    "tanh": "glorot_uniform",
    "softsign": "glorot_uniform",
}
# Those that are used in one layer or two.
SHALLOW = ("sigmoid", "hard_sigmoid", "hard_tanh", "softplus", "relu6")


def one_of(rng: Rng, *things: Any) -> Any:
    """One of them, each as likely as the others."""
    return things[int(rng.integers(len(things)))]


def deep(rng: Rng) -> list[Any]:
    """One to four dense layers."""
    activation = one_of(rng, *DEEP)
    made: list[Any] = []
    for _ in range(int(rng.integers(1, 5))):
        made += dense(
            rng,
            activation,
            separate=bool(rng.integers(2)),
            kernel_initializer=DEEP[activation],
        )
    return made


def shallow(rng: Rng) -> list[Any]:
    """One dense layer or two."""
    activation = one_of(rng, *SHALLOW)
    return [one for _ in range(int(rng.integers(1, 3))) for one in dense(rng, activation)]


def normalised_dense(rng: Rng) -> list[Any]:
    """A normalisation in front of each activation, or behind it."""
    kind = one_of(rng, layers.BatchNormalization, layers.LayerNormalization)
    activation, before = one_of(rng, *DEEP, *SHALLOW), rng.integers(2)
    made: list[Any] = []
    for _ in range(int(rng.integers(1, 4))):
        inner = [kind(), layers.Activation(activation)]
        made += [layers.Dense(width(rng)), *(inner if before else reversed(inner))]
    return made


def penalised_dense(rng: Rng) -> list[Any]:
    """Penalties as they are usual."""
    kernel = one_of(rng, regularizers.L2, regularizers.L1)(10 ** rng.uniform(-6, -4))
    output = regularizers.L2(10 ** rng.uniform(-6, -4))
    activation = one_of(rng, "relu", "elu", "tanh")
    return [
        *dense(rng, activation, kernel_regularizer=kernel),
        *dense(rng, activation, activity_regularizer=output),
    ]


def dropped(rng: Rng) -> list[Any]:
    """Dropout, or noise, behind each layer."""
    activation = one_of(rng, "relu", "gelu", "tanh")
    made: list[Any] = []
    for _ in range(int(rng.integers(1, 3))):
        noise = one_of(rng, layers.Dropout, layers.GaussianNoise, layers.GaussianDropout)
        made += [*dense(rng, activation), noise(rng.uniform(0.1, 0.3))]
    return made


def residual_dense(rng: Rng) -> list[Any]:
    """Up to four residual blocks, the normalisation within the branch."""
    size, activation = width(rng), one_of(rng, "relu", "gelu", "silu")
    return [
        layers.Dense(size),
        *(
            residual(
                layers.LayerNormalization(),
                layers.Dense(size, activation=activation),
                layers.Dense(size),
            )
            for _ in range(int(rng.integers(1, 5)))
        ),
    ]


def gated(rng: Rng) -> list[Any]:
    """A gate, from 0 to 1, for each unit."""
    size = width(rng)
    value, gate = layers.Dense(size, activation="silu"), layers.Dense(size, activation="sigmoid")
    return [lambda x: layers.Multiply()([value(x), gate(x)]), *dense(rng, "relu")]


def bounded(rng: Rng) -> list[Any]:
    """Weights that may not grow beyond a norm."""
    bound: Any = keras.constraints.MaxNorm(rng.uniform(2, 4))
    return [*dense(rng, "relu", kernel_constraint=bound), layers.Dropout(0.2)]


def frozen(rng: Rng) -> list[Any]:
    """A layer of random features that is not trained."""
    first = layers.Dense(96, activation=one_of(rng, "relu", "tanh"))
    first.trainable = False
    return [first, *dense(rng, "relu")]


def plain_convolutions(rng: Rng) -> list[Any]:
    """One or two convolutions over images, and all that they find."""
    activation = one_of(rng, "relu", "elu", "tanh", "softsign", "gelu")
    made: list[Any] = [
        layers.Conv2D(
            int(rng.choice([8, 16])),
            int(rng.choice([3, 5])),
            strides=1 + one,
            padding="same",
            activation=activation,
        )
        for one in range(int(rng.integers(1, 3)))
    ]
    return [*made, layers.Flatten(), *(dense(rng, activation) if rng.integers(2) else [])]


def pooled_convolutions(rng: Rng) -> list[Any]:
    """Convolutions with pooling, and often dropout."""
    activation = one_of(rng, "relu", "leaky_relu", "silu")
    pool = one_of(rng, layers.MaxPooling2D, layers.AveragePooling2D)
    drop = [layers.SpatialDropout2D(0.1)] if rng.integers(2) else []
    return [
        layers.Conv2D(16, 3, padding="same", activation=activation),
        pool(2),
        *drop,
        layers.Conv2D(24, 3, padding="same", activation=activation),
        layers.Flatten(),
    ]


def normalised_convolutions(rng: Rng) -> list[Any]:
    """Convolutions, each normalised in front of its activation."""
    activation, group = one_of(rng, "relu", "relu6", "silu", "tanh"), rng.integers(2)
    made: list[Any] = []
    for _ in range(int(rng.integers(1, 4))):
        kind = layers.GroupNormalization(4) if group else layers.BatchNormalization()
        made += [layers.Conv2D(16, 3, padding="same"), kind, layers.Activation(activation)]
    return [*made, layers.MaxPooling2D(), layers.Flatten()]


def separable_convolutions(rng: Rng) -> list[Any]:
    """Convolutions over one channel at a time, and over channels at one place."""
    activation = one_of(rng, "relu", "elu", "gelu")
    return [
        layers.Conv2D(8, 3, padding="same", activation=activation),
        one_of(rng, layers.SeparableConv2D(24, 3), layers.DepthwiseConv2D(3, depth_multiplier=2)),
        layers.Activation(activation),
        layers.Conv2D(24, 1, activation=activation),
        layers.Flatten(),
    ]


def residual_convolutions(rng: Rng) -> list[Any]:
    """One or two residual blocks of two convolutions."""
    return [
        layers.Conv2D(16, 3, padding="same"),
        *(
            residual(
                layers.BatchNormalization(),
                layers.Activation("relu"),
                layers.Conv2D(16, 3, padding="same"),
                layers.Activation("relu"),
                layers.Conv2D(16, 3, padding="same"),
            )
            for _ in range(int(rng.integers(1, 3)))
        ),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.GlobalAveragePooling2D(),
    ]


def augmented(rng: Rng) -> list[Any]:
    """Images that are moved a little while training."""
    return [
        layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        *pooled_convolutions(rng),
    ]


def convolved(rng: Rng) -> list[Any]:
    """One or two convolutions over time, and what they find on average or at most."""
    kind = one_of(rng, layers.Conv1D, layers.SeparableConv1D)
    activation = one_of(rng, "relu", "elu", "gelu", "silu")
    made = [
        kind(32, int(rng.choice([3, 5])), padding="same", activation=activation)
        for _ in range(int(rng.integers(1, 3)))
    ]
    last = one_of(rng, layers.Flatten, layers.GlobalMaxPooling1D)
    return [*made, last()]


def normalised_over_time(rng: Rng) -> list[Any]:
    """Convolutions over time with normalisation."""
    return [
        layers.Conv1D(32, 5, padding="same"),
        one_of(rng, layers.BatchNormalization, layers.LayerNormalization)(),
        layers.Activation(one_of(rng, "relu", "gelu", "tanh")),
        layers.Conv1D(32, 3, strides=2, activation="relu"),
        layers.Flatten(),
    ]


def recurrent(kind: Any) -> Hidden:
    """One recurrent layer, seldom two, perhaps with dropout."""

    def hidden(rng: Rng) -> list[Any]:
        size = int(rng.choice([16, 24, 32]))
        first = [kind(size, return_sequences=True)] if rng.random() < 0.25 else []
        return [*first, kind(size, dropout=float(rng.choice([0, 0.1])))]

    return hidden


def bidirectional(rng: Rng) -> list[Any]:
    """A recurrent layer in both directions."""
    kind = one_of(rng, layers.SimpleRNN, layers.GRU)
    return [layers.Bidirectional(kind(16)), *dense(rng, "relu")]


def along(rng: Rng) -> list[Any]:
    """The same dense layers at each step, and their mean."""
    activation = one_of(rng, "relu", "gelu", "tanh")
    return [*dense(rng, activation), *dense(rng, activation), layers.GlobalAveragePooling1D()]


def transformer(rng: Rng) -> list[Any]:
    """A block of attention, with the normalisation within the branches."""
    size = int(rng.choice([16, 32]))

    def attend(x: Any) -> Any:
        return layers.MultiHeadAttention(2, size // 2)(x, x)

    inner = layers.Dense(2 * size, activation=one_of(rng, "gelu", "relu"))
    return [
        layers.Dense(size),
        residual(layers.LayerNormalization(), attend),
        residual(layers.LayerNormalization(), inner, layers.Dense(size)),
        layers.GlobalAveragePooling1D(),
    ]


def embedded(hidden: Hidden) -> Hidden:
    """Vectors for the tokens, of which there are at most 256, in front."""
    return lambda rng: [layers.Embedding(256, int(rng.choice([16, 32]))), *hidden(rng)]


def averaged(rng: Rng) -> list[Any]:
    """The mean over steps, and a dense layer."""
    return [layers.GlobalAveragePooling1D(), *dense(rng, one_of(rng, "relu", "elu", "tanh"))]
