"""Hidden layers with branches, gates and shortcuts, as competent users build them."""

from typing import Any

import keras

from benchmarks.diagnosis import blocks
from benchmarks.diagnosis.families import dense, residual, through, width
from benchmarks.diagnosis.healthy.architectures import one_of
from benchmarks.diagnosis.tasks import Rng

layers = keras.layers
ops: Any = keras.ops
SMOOTH = ("relu", "elu", "gelu", "silu", "mish")


def wide_and_deep(rng: Rng) -> list[Any]:
    """The inputs beside what two layers make of them (Cheng et al. 2016)."""
    activation = one_of(rng, *SMOOTH)
    inner = [*dense(rng, activation), *dense(rng, activation)]
    return [blocks.densely(inner)]


def concatenating(rng: Rng) -> list[Any]:
    """Each layer sees what all in front made (Huang et al. 2017)."""
    activation = one_of(rng, *SMOOTH)
    steps = [[layers.Dense(16, activation=activation)] for _ in range(int(rng.integers(2, 5)))]
    return [blocks.densely(*steps), *dense(rng, activation)]


def highway(rng: Rng) -> list[Any]:
    """Gates between a layer and the way past it (Srivastava et al. 2015)."""
    size, activation = width(rng), one_of(rng, "relu", "tanh", "silu")

    def block() -> Any:
        gate = layers.Dense(size, "sigmoid", bias_initializer=keras.initializers.Constant(-1))
        return blocks.highway(layers.Dense(size, activation=activation), gate)

    return [layers.Dense(size), *(block() for _ in range(int(rng.integers(1, 4))))]


def maxout(rng: Rng) -> list[Any]:
    """The larger of two values for each unit (Goodfellow et al. 2013)."""
    size = width(rng)
    one = [layers.Dense(2 * size), layers.Reshape((size, 2)), lambda x: ops.max(x, axis=-1)]
    return [*one, *dense(rng, "relu")]


def learned_slopes(rng: Rng) -> list[Any]:
    """Rectifiers that learn how much of the negative side they pass on (He et al. 2015)."""
    count = int(rng.integers(1, 4))
    return [step for _ in range(count) for step in (layers.Dense(width(rng)), layers.PReLU())]


def experts(rng: Rng) -> list[Any]:
    """Three small networks, mixed by what a fourth says of the inputs."""
    size, activation = width(rng), one_of(rng, *SMOOTH)

    def mixed(x: Any) -> Any:
        said = [layers.Dense(size, activation=activation)(x) for _ in range(3)]
        shares = layers.Dense(3, activation="softmax")(x)
        return layers.Dot(1)([shares, ops.stack(said, axis=1)])

    return [mixed, *dense(rng, activation)]


def hourglass(rng: Rng) -> list[Any]:
    """Through eight units and out again."""
    activation = one_of(rng, "elu", "tanh", "gelu")
    return [
        layers.Dense(48, activation=activation),
        layers.Dense(8, activation="linear"),
        layers.Dense(48, activation=activation),
    ]


def spectral(rng: Rng) -> list[Any]:
    """Weights divided by their largest singular value (Miyato et al. 2018)."""
    activation = one_of(rng, "relu", "leaky_relu", "tanh")
    inner = layers.Dense(width(rng), activation=activation)
    return [layers.SpectralNormalization(inner), *dense(rng, activation)]


def crossed(rng: Rng) -> list[Any]:
    """The inputs multiplied with what layers make of them (Wang et al. 2021)."""
    size = width(rng)
    cross = layers.Dense(size)
    return [
        layers.Dense(size),
        lambda x: x * cross(x) + x,
        layers.LayerNormalization(),
        *dense(rng, "relu"),
    ]


def excited(rng: Rng) -> list[Any]:
    """A gate for each feature, made of all of them, in residual blocks."""
    size = width(rng)

    def gated(x: Any) -> Any:
        inner = layers.Dense(max(8, size // 4), activation="relu")(x)
        return layers.Multiply()([x, layers.Dense(size, activation="sigmoid")(inner)])

    return [
        layers.Dense(size, activation="gelu"),
        *(residual(layers.LayerNormalization(), gated) for _ in range(int(rng.integers(1, 3)))),
    ]


def ensemble(rng: Rng) -> list[Any]:
    """The mean of what three networks of different activations say."""
    size, shown = width(rng), ("relu", "tanh", "silu")
    members = [layers.Dense(size, activation=activation) for activation in shown]
    return [lambda x: layers.Average()([one(x) for one in members]), *dense(rng, "relu")]


def normalised_first(rng: Rng) -> list[Any]:
    """A normalisation of the inputs, and dropout behind each layer."""
    activation = one_of(rng, *SMOOTH, "tanh")
    made: list[Any] = [layers.BatchNormalization()]
    for _ in range(int(rng.integers(1, 4))):
        made += [*dense(rng, activation, separate=True), layers.Dropout(rng.uniform(0.1, 0.3))]
    return made


def inception(rng: Rng) -> list[Any]:
    """Filters of several sizes and a pooling side by side (Szegedy et al. 2015)."""
    activation = one_of(rng, "relu", "elu", "silu")
    filters = [layers.Conv2D(8, size, padding="same", activation=activation) for size in (2, 3, 5)]
    pooling = layers.AveragePooling2D(3, strides=1, padding="same")
    return [
        blocks.side_by_side(*([one] for one in filters), [pooling]),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation=activation),
        layers.Flatten(),
    ]


def squeeze_excite(rng: Rng) -> list[Any]:
    """A gate for each channel, made of all places (Hu et al. 2018)."""
    size = int(rng.choice([16, 24]))
    gate = layers.Dense(8, activation="silu"), layers.Dense(size, activation="sigmoid")
    return [
        layers.Conv2D(size, 3, padding="same", activation="relu"),
        blocks.excited(*gate),
        layers.Conv2D(size, 3, strides=2, activation="relu"),
        layers.Flatten(),
    ]


def down_and_up(rng: Rng) -> list[Any]:
    """Half as large and back again, with what was there before beside it (U-Net)."""
    activation = one_of(rng, "relu", "elu", "gelu")

    def unet(x: Any) -> Any:
        high = layers.Conv2D(12, 3, padding="same", activation=activation)(x)
        low = layers.MaxPooling2D()(high)
        low = layers.Conv2D(24, 3, padding="same", activation=activation)(low)
        back = layers.Conv2DTranspose(12, 2, strides=2, activation=activation)(low)
        return layers.Concatenate()([high, back])

    return [unet, layers.Conv2D(12, 3, strides=2, activation=activation), layers.Flatten()]


def grouped(rng: Rng) -> list[Any]:
    """Channels normalised in groups, one or two convolutions."""
    made: list[Any] = []
    for _ in range(int(rng.integers(1, 3))):
        made += [
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.GroupNormalization(int(rng.choice([2, 4, 8]))),
            layers.Activation(one_of(rng, *SMOOTH)),
        ]
    return [*made, layers.AveragePooling2D(2), layers.Flatten()]


def mobile(rng: Rng) -> list[Any]:
    """A block that widens, filters each channel and narrows (Sandler et al. 2018)."""
    inner = [
        layers.Conv2D(32, 1),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(max_value=6),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(max_value=6),
        layers.Conv2D(16, 1),
        layers.BatchNormalization(momentum=0.9),
    ]
    return [
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        residual(*inner),
        layers.MaxPooling2D(),
        layers.Flatten(),
    ]


def patches(rng: Rng) -> list[Any]:
    """A transformer over patches of an image (Dosovitskiy et al. 2021)."""
    size = int(rng.choice([16, 32]))
    return [
        layers.Conv2D(size, 3, strides=3),
        layers.Reshape((-1, size)),
        *attending(size),
        layers.LayerNormalization(),
        layers.Flatten(),
    ]


def attending(size: int) -> list[Any]:
    """A block of attention and a dense one, each a residual."""

    def attend(x: Any) -> Any:
        return layers.MultiHeadAttention(2, size // 2)(x, x)

    inner = [layers.Dense(2 * size, activation="gelu"), layers.Dense(size)]
    return [
        residual(layers.LayerNormalization(), attend),
        residual(layers.LayerNormalization(), *inner),
    ]


def dilated(rng: Rng) -> list[Any]:
    """Causal convolutions with ever longer gaps, in residuals (Bai et al. 2018)."""
    size, activation = int(rng.choice([16, 24])), one_of(rng, "relu", "gelu", "silu")

    def branch(gap: int) -> Any:
        return residual(
            layers.Conv1D(size, 3, padding="causal", dilation_rate=gap, activation=activation),
            layers.LayerNormalization(),
        )

    return [
        layers.Conv1D(size, 1),
        *(branch(2**one) for one in range(int(rng.integers(2, 4)))),
        one_of(rng, layers.GlobalAveragePooling1D, layers.Flatten)(),
    ]


def stacked(rng: Rng) -> list[Any]:
    """Two recurrent layers with gates, a normalisation between them."""
    kind = one_of(rng, layers.LSTM, layers.GRU)
    return [kind(24, return_sequences=True), layers.LayerNormalization(), kind(16)]


def pooled_by_attention(rng: Rng) -> list[Any]:
    """Steps weighted by a score that is made of each."""
    size = int(rng.choice([24, 32]))

    first = layers.Conv1D(size, 3, padding="same", activation=one_of(rng, *SMOOTH))
    return [first, blocks.pooled(), *dense(rng, "relu")]


def convolved_then_recurrent(rng: Rng) -> list[Any]:
    """A convolution that shortens the sequence, and a recurrent layer."""
    return [
        layers.Conv1D(24, 5, strides=2, padding="same", activation=one_of(rng, "relu", "elu")),
        one_of(rng, layers.GRU, layers.LSTM)(24),
    ]


def several_lengths(rng: Rng) -> list[Any]:
    """Filters of three lengths and the most that each finds (Kim 2014)."""
    kinds = [layers.Conv1D(16, size, padding="same", activation="relu") for size in (2, 3, 5)]
    found = ([kind, layers.GlobalMaxPooling1D()] for kind in kinds)
    return [blocks.side_by_side(*found), layers.Dropout(0.2)]


def mean_and_most(rng: Rng) -> list[Any]:
    """The same layer at each step, its mean and its largest values."""
    first = layers.EinsumDense(
        "btc,ck->btk", (None, width(rng)), activation=one_of(rng, *SMOOTH), bias_axes="k"
    )

    pooled = blocks.side_by_side([layers.GlobalAveragePooling1D()], [layers.GlobalMaxPooling1D()])
    return [first, pooled, *dense(rng, "relu")]


def mixing(rng: Rng) -> list[Any]:
    """Layers over the steps and over the channels in turn (Tolstikhin et al. 2021)."""
    size = 16

    def over_time(x: Any) -> Any:
        steps = x.shape[1]
        inner = [layers.Dense(32, activation="gelu"), layers.Dense(steps)]
        return layers.Permute((2, 1))(through(inner, layers.Permute((2, 1))(x)))

    inner = [layers.Dense(32, activation="gelu"), layers.Dense(size)]
    return [
        layers.Dense(size),
        residual(layers.LayerNormalization(), over_time),
        residual(layers.LayerNormalization(), *inner),
        layers.LayerNormalization(),
        layers.GlobalAveragePooling1D(),
    ]


def both_ways(rng: Rng) -> list[Any]:
    """A recurrent layer with gates in both directions, and the mean over steps."""
    kind = one_of(rng, layers.LSTM, layers.GRU)
    return [
        layers.Bidirectional(kind(16, return_sequences=True)),
        layers.GlobalAveragePooling1D(),
    ]


def placed(rng: Rng) -> list[Any]:
    """A transformer that learns a vector for each place."""
    size = int(rng.choice([16, 32]))

    def with_places(x: Any) -> Any:
        return x + layers.Embedding(x.shape[1], size)(ops.arange(x.shape[1]))

    return [layers.Dense(size), with_places, *attending(size), layers.GlobalAveragePooling1D()]
