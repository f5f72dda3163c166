"""Hidden layers as they are usual in models that branch, that gate, or that normalise."""

from typing import Any

import keras

from benchmarks.diagnosis.blocks import densely, excited, gated, highway, pooled, side_by_side
from benchmarks.diagnosis.families import dense, residual
from benchmarks.diagnosis.healthy.architectures import one_of
from benchmarks.diagnosis.tasks import Rng

layers = keras.layers
ops: Any = keras.ops


def wide_and_deep(rng: Rng) -> list[Any]:
    """The inputs as they are beside what two layers make of them (Cheng et al. 2016)."""
    deep = [*dense(rng, "relu"), layers.Dropout(0.1), *dense(rng, "relu")]
    return [side_by_side([], deep)]


def highways(rng: Rng) -> list[Any]:
    """Up to three highways, their gates half closed at first."""
    size, bias = int(rng.choice([24, 32, 48])), keras.initializers.Constant(-1.0)
    return [
        layers.Dense(size, activation="tanh"),
        *(
            highway(
                layers.Dense(size, activation=one_of(rng, "relu", "tanh")),
                layers.Dense(size, activation="sigmoid", bias_initializer=bias),
            )
            for _ in range(int(rng.integers(1, 4)))
        ),
    ]


def maxout(rng: Rng) -> list[Any]:
    """The largest of two or three linear units (Goodfellow et al. 2013)."""
    size, pieces = int(rng.choice([16, 24, 32])), int(rng.integers(2, 4))
    inner = [layers.Dense(size) for _ in range(pieces)]
    return [lambda x: layers.Maximum()([one(x) for one in inner]), *dense(rng, "elu")]


def experts(rng: Rng) -> list[Any]:
    """Two to four experts, each weighted by a softmax (Jacobs et al. 1991)."""
    count = int(rng.integers(2, 5))
    ways = [dense_pair(24) for _ in range(count)]
    share = layers.Dense(count, activation="softmax")

    def mixed(x: Any) -> Any:
        said = ops.stack([last(first(x)) for first, last in ways], axis=1)
        return ops.sum(share(x)[..., None] * said, axis=1)

    return [mixed]


def dense_pair(units: int) -> tuple[Any, Any]:
    """Two layers of so many units."""
    return layers.Dense(units, activation="relu"), layers.Dense(units, activation="gelu")


def hourglass(rng: Rng) -> list[Any]:
    """Through a narrow place and out again, as an autoencoder."""
    activation = one_of(rng, "elu", "gelu", "tanh")
    return [layers.Dense(units, activation=activation) for units in (48, 16, 8, 32)]


def dense_net(rng: Rng) -> list[Any]:
    """Three steps that see all those before them, each normalised."""
    return [
        densely(
            *(
                [
                    layers.LayerNormalization(),
                    layers.Dense(24, activation=one_of(rng, "relu", "silu")),
                ]
                for _ in range(3)
            )
        )
    ]


def parametric(rng: Rng) -> list[Any]:
    """Slopes below 0 that are learned (He et al. 2015)."""
    sizes = rng.choice([24, 32, 48], int(rng.integers(1, 4)))
    return [one for size in sizes for one in (layers.Dense(int(size)), layers.PReLU())]


def spectral(rng: Rng) -> list[Any]:
    """Weights whose largest singular value is 1 (Miyato et al. 2018)."""
    activation = one_of(rng, "relu", "leaky_relu", "elu")
    return [
        layers.SpectralNormalization(
            layers.Dense(int(rng.choice([32, 48])), activation=activation)
        ),
        *dense(rng, activation),
    ]


def crossed(rng: Rng) -> list[Any]:
    """Products of inputs and layers, beside plain layers (Wang et al. 2017)."""
    units = 24
    cross = [layers.Dense(units) for _ in range(2)]

    def products(x: Any) -> Any:
        first = x
        for one in cross:
            x = layers.Add()([first * one(x), x])
        return x

    return [
        layers.Dense(units, activation="tanh"),
        side_by_side([products], dense(rng, "relu")),
        layers.LayerNormalization(),
    ]


def inception(rng: Rng) -> list[Any]:
    """Filters of several lengths side by side (Szegedy et al. 2015)."""
    activation = one_of(rng, "relu", "elu", "gelu")
    branches = [
        [layers.Conv1D(12, taps, padding="same", activation=activation)] for taps in (1, 3, 7, 15)
    ]
    return [side_by_side(*branches), layers.Dropout(0.1), _over_time(rng)]


def dilated(rng: Rng) -> list[Any]:
    """Causal convolutions, each dilated twice as far as the one before (Bai et al. 2018)."""
    blocks = [
        residual(
            layers.Conv1D(24, 3, dilation_rate=2**one, padding="causal"),
            layers.LayerNormalization(),
            layers.Activation("relu"),
            layers.Conv1D(24, 3, dilation_rate=2**one, padding="causal", activation="relu"),
        )
        for one in range(int(rng.integers(2, 4)))
    ]
    return [layers.Conv1D(24, 1), *blocks, _over_time(rng)]


def gated_waves(rng: Rng) -> list[Any]:
    """Convolutions whose filters have gates (van den Oord et al. 2016)."""

    def filters(activation: str) -> Any:
        return layers.Conv1D(24, 5, padding="same", activation=activation)

    return [
        layers.Conv1D(24, 3, strides=2, padding="same"),
        residual(gated(filters("tanh"), filters("sigmoid"))),
        _over_time(rng),
    ]


def stacked(rng: Rng) -> list[Any]:
    """Two recurrent layers behind a convolution, with a normalisation between them."""
    kind = one_of(rng, layers.LSTM, layers.GRU)
    return [
        layers.Conv1D(24, 5, strides=3, padding="same", activation="relu"),
        kind(24, return_sequences=True),
        layers.LayerNormalization(),
        kind(24),
    ]


def u_shaped(rng: Rng) -> list[Any]:
    """To half as many steps and back, beside the way past it (Ronneberger et al. 2015)."""
    activation = one_of(rng, "relu", "gelu")
    down = [
        layers.AveragePooling1D(2),
        layers.Conv1D(32, 5, padding="same", activation=activation),
        layers.Conv1D(32, 3, padding="same", activation=activation),
        layers.UpSampling1D(2),
    ]
    return [
        layers.Conv1D(16, 5, padding="same", activation=activation),
        side_by_side([], down),
        layers.Conv1D(16, 3, padding="same", activation=activation),
        _over_time(rng),
    ]


def weighted(rng: Rng) -> list[Any]:
    """Steps weighted by attention."""
    return [
        layers.Conv1D(32, 9, strides=2, padding="same"),
        layers.BatchNormalization(),
        layers.Activation(one_of(rng, "relu", "silu")),
        pooled(layers.Dense(16, activation="tanh")),
    ]


def squeezed(rng: Rng) -> list[Any]:
    """Channels of a signal that excite each other."""
    gate = [layers.Dense(8, activation="relu"), layers.Dense(32, activation="sigmoid")]
    return [
        layers.Conv1D(32, 7, padding="same", activation=one_of(rng, "relu", "gelu")),
        excited(*gate),
        layers.SeparableConv1D(32, 5, strides=2, activation="relu"),
        _over_time(rng),
    ]


def _over_time(rng: Rng) -> Any:
    return one_of(rng, layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D, layers.Flatten)()


def mixed_filters(rng: Rng) -> list[Any]:
    """Filters of several sizes over images, and a pooling, side by side."""
    activation = one_of(rng, "relu", "elu")
    pool = [layers.MaxPooling2D(3, strides=1, padding="same"), layers.Conv2D(8, 1)]
    branches = [
        [layers.Conv2D(8, size, padding="same", activation=activation)] for size in (1, 3, 5)
    ]
    return [side_by_side(*branches, pool), layers.MaxPooling2D(), layers.Flatten()]


def excited_images(rng: Rng) -> list[Any]:
    """A residual block whose channels excite each other."""
    gate = [layers.Dense(4, activation="relu"), layers.Dense(16, activation="sigmoid")]
    return [
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        residual(
            layers.Conv2D(16, 3, padding="same", activation=one_of(rng, "relu", "silu")),
            layers.Conv2D(16, 3, padding="same"),
            excited(*gate),
        ),
        layers.LayerNormalization(),
        layers.Flatten(),
    ]


def grouped(rng: Rng) -> list[Any]:
    """Groups of channels that are normalised together (Wu & He 2018)."""
    return [
        layers.Conv2D(16, 3, padding="same"),
        layers.GroupNormalization(4),
        layers.Activation(one_of(rng, "relu", "silu", "mish")),
        layers.AveragePooling2D(2),
        layers.Conv2D(24, 3, groups=2, activation="relu"),
        layers.Flatten(),
    ]


def dense_images(rng: Rng) -> list[Any]:
    """Convolutions that see all those before them."""
    steps = [
        [layers.Conv2D(8, 3, padding="same", activation=one_of(rng, "relu", "gelu"))]
        for _ in range(3)
    ]
    return [densely(*steps), layers.AveragePooling2D(2), layers.Flatten()]


def u_shaped_images(rng: Rng) -> list[Any]:
    """To half the size and back, beside the way past it."""
    down = [
        layers.MaxPooling2D(2),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.Conv2DTranspose(16, 2, strides=2),
    ]
    return [
        layers.Conv2D(8, 3, padding="same", activation=one_of(rng, "relu", "elu")),
        side_by_side([], down),
        layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
        layers.Flatten(),
    ]


def learned_slopes(rng: Rng) -> list[Any]:
    """Convolutions with one learned slope for each channel."""
    return [
        layers.Conv2D(int(rng.choice([8, 16])), 3, strides=2),
        layers.PReLU(shared_axes=[1, 2]),
        layers.SpectralNormalization(layers.Conv2D(16, 3)),
        layers.PReLU(shared_axes=[1, 2]),
        layers.Flatten(),
    ]


def many_lengths(rng: Rng) -> list[Any]:
    """The best fit of filters of two to four words (Kim 2014)."""
    filters = [
        [layers.Conv1D(16, taps, activation="relu"), layers.GlobalMaxPooling1D()]
        for taps in (2, 3, 4)
    ]
    return [side_by_side(*filters), layers.Dropout(0.2)]


def attended(rng: Rng) -> list[Any]:
    """Words weighted by attention."""
    return [pooled(layers.Dense(16, activation="tanh")), *dense(rng, one_of(rng, "relu", "gelu"))]


def gated_words(rng: Rng) -> list[Any]:
    """A convolution over words, with gates."""
    value, gate = (layers.Conv1D(32, 3, activation=one) for one in ("linear", "sigmoid"))
    return [gated(value, gate), layers.GlobalAveragePooling1D()]


def both_ways(rng: Rng) -> list[Any]:
    """A recurrent layer in both directions, and a mean or the highest of its steps."""
    last = one_of(rng, layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D)
    return [layers.Bidirectional(layers.LSTM(16, return_sequences=True)), last()]
