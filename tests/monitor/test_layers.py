"""What is known of a layer without a tensor: its fan_in and activation, and whether it is a row."""

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gainstage.layers import CONTRACTIONS, Leaf, activation_of, leaves, valid_share

layers = keras.layers
few = settings(max_examples=25)


def fan_in(layer: Any, *input_shape: int) -> float:
    """What the table says of `layer` on inputs of `input_shape`, batch axis left out."""
    if not layer.built:
        layer.build((None, *input_shape))
    contraction = Leaf(layer, 0).contraction
    assert contraction is not None
    output_shape = layer.compute_output_shape((None, *input_shape))
    return contraction.fan_in(layer, (None, *input_shape), output_shape)


def counted(layer: Any, *input_shape: int) -> float:
    """The mean of what `layer` makes of ones with a kernel of ones: the values it sums."""
    if not layer.built:
        layer.build((None, *input_shape))
    layer.kernel.assign(np.ones(layer.kernel.shape))
    output = layer(np.ones((1, *input_shape), np.float32))
    return float(np.mean(output, dtype=np.float64))


def counted_taps(size: int, taps: int, stride: int, dilation: int, padding: str) -> float:
    """Share of taps inside, from a padded line of ones as the padding's definition draws it."""
    reach = (taps - 1) * dilation
    if padding == "valid":
        before = after = 0
    elif padding == "causal":
        before, after = reach, 0
    else:  # as much as ceil(size / stride) positions need, the odd one behind
        needed = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
        before, after = needed // 2, needed - needed // 2
    line = np.concatenate([np.zeros(before), np.ones(size), np.zeros(after)])
    starts = range(0, len(line) - reach, stride)
    return float(np.mean([line[start : start + reach + 1 : dilation] for start in starts]))


@given(
    size=st.integers(1, 12),
    taps=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same", "causal"]),
)
def test_valid_share_equals_the_taps_counted_one_by_one(
    size: int, taps: int, stride: int, dilation: int, padding: str
) -> None:
    reach = (taps - 1) * dilation
    assume(padding != "valid" or size > reach)
    positions = (size - reach - 1) // stride + 1 if padding == "valid" else -(-size // stride)

    share = valid_share(
        size, positions, taps=taps, stride=stride, dilation=dilation, padding=padding
    )

    assert share == pytest.approx(counted_taps(size, taps, stride, dilation, padding))


@pytest.mark.parametrize(("size", "positions"), [(None, 4), (4, None), (None, None)])
def test_unknown_sizes_count_as_large(size: int | None, positions: int | None) -> None:
    assert valid_share(size, positions, taps=3, stride=1, dilation=1, padding="same") == 1.0


def test_padding_lowers_the_share_of_a_small_image() -> None:
    assert valid_share(2, 2, taps=3, stride=1, dilation=1, padding="same") == pytest.approx(2 / 3)


def test_dense_sums_its_inputs() -> None:
    assert fan_in(layers.Dense(3), 7) == counted(layers.Dense(3), 7) == 7
    assert fan_in(layers.Dense(3), 5, 7) == 7


SPREAD = st.tuples(st.integers(1, 3), st.integers(1, 3)).filter(lambda pair: 1 in pair)


@few
@given(
    size=st.integers(7, 10),
    channels=st.integers(1, 3),
    taps=st.integers(1, 3),
    spread=SPREAD,
    padding=st.sampled_from(["valid", "same", "causal"]),
)
def test_conv1d_sums_what_a_convolution_of_ones_counts(
    size: int, channels: int, taps: int, spread: tuple[int, int], padding: str
) -> None:
    stride, dilation = spread

    layer = layers.Conv1D(2, taps, strides=stride, dilation_rate=dilation, padding=padding)

    assert fan_in(layer, size, channels) == pytest.approx(counted(layer, size, channels))


@few
@given(
    sizes=st.tuples(st.integers(3, 6), st.integers(3, 6)),
    taps=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same"]),
)
def test_conv2d_sums_what_a_convolution_of_ones_counts(
    sizes: tuple[int, int], taps: tuple[int, int], stride: int, padding: str
) -> None:
    layer = layers.Conv2D(2, taps, strides=stride, padding=padding)

    assert fan_in(layer, *sizes, 3) == pytest.approx(counted(layer, *sizes, 3))


@few
@given(size=st.integers(3, 6), stride=st.integers(1, 2), padding=st.sampled_from(["valid", "same"]))
def test_depthwise_convolution_sums_one_channel(size: int, stride: int, padding: str) -> None:
    flat = layers.DepthwiseConv2D(3, strides=stride, padding=padding, depth_multiplier=2)
    line = layers.DepthwiseConv1D(3, strides=stride, padding=padding)

    assert fan_in(flat, size, size, 4) == pytest.approx(counted(flat, size, size, 4))
    assert fan_in(line, size, 4) == pytest.approx(counted(line, size, 4))


def test_conv3d_sums_what_a_convolution_of_ones_counts() -> None:
    layer = layers.Conv3D(2, (3, 2, 1), strides=(1, 2, 1), padding="same")

    assert fan_in(layer, 4, 5, 3, 2) == pytest.approx(counted(layer, 4, 5, 3, 2))


def test_dilated_convolution_with_padding_sums_what_is_inside() -> None:
    layer = layers.Conv2D(2, 3, dilation_rate=2, padding="same")

    assert fan_in(layer, 6, 6, 3) == pytest.approx(counted(layer, 6, 6, 3))


def test_groups_divide_the_channels() -> None:
    assert fan_in(layers.Conv2D(4, 3, groups=2), 6, 6, 8) == 3 * 3 * 4


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2DTranspose(2, 3),
        layers.SeparableConv2D(2, 3),
        layers.EinsumDense("ab,bc->ac", 3),
        layers.Embedding(3, 2),
        layers.LSTM(2),
        layers.BatchNormalization(),
        layers.Dropout(0.5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_are_no_plain_contraction_are_not_decomposed(layer: Any) -> None:
    assert Leaf(layer, 0).contraction is None


def test_dense_with_low_rank_adaptation_is_not_decomposed() -> None:
    layer = layers.Dense(8)
    layer.build((None, 8))
    assert Leaf(layer, 0).contraction is CONTRACTIONS["Dense"]

    layer.enable_lora(2)

    assert Leaf(layer, 0).contraction is None


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.Dense(1), "linear"),
        (layers.Dense(1, activation="sigmoid"), "sigmoid"),
        (layers.Dense(1, activation="swish"), "silu"),
        (layers.Dense(1, activation=lambda z: z), "?"),
        (layers.Activation("tanh"), "tanh"),
        (layers.Activation(np.tanh), "?"),
        (layers.ReLU(), "relu"),
        (layers.ReLU(max_value=6), "relu6"),
        (layers.ReLU(max_value=4), "?"),
        (layers.ReLU(threshold=1), "?"),
        (layers.ReLU(negative_slope=0.1), "leaky_relu"),
        (layers.LeakyReLU(), "leaky_relu"),
        (layers.PReLU(), "leaky_relu"),
        (layers.ELU(), "elu"),
        (layers.ELU(0.5), "?"),
        (layers.Dense(1, activation=layers.ReLU(max_value=6)), "relu6"),
        (layers.Softmax(), "softmax"),
        (layers.Dropout(0.5), None),
        (layers.BatchNormalization(), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else str(value),
)
def test_activation_of_a_layer(layer: Any, name: str | None) -> None:
    assert activation_of(layer) == name


def test_function_of_the_users_own_is_not_taken_for_keras_own_of_the_same_name() -> None:
    def sigmoid(z: Any) -> Any:
        return z

    assert activation_of(layers.Dense(1, activation=sigmoid)) == "?"


def small_model() -> Any:
    encoder = keras.Sequential(
        [layers.Input((4,)), layers.Dense(3, name="in"), layers.Dropout(0.5, name="drop")],
        name="encoder",
    )
    return keras.Sequential(
        [layers.Input((4,)), encoder, layers.Dense(2, name="out")], name="model"
    )


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (None, (), ["in", "drop", "out"]),
        (("*in",), (), ["in"]),
        (("*in", "*out"), (), ["in", "out"]),
        (None, ("*drop",), ["in", "out"]),
        (("*",), ("*",), []),
        (("*[od]*",), ("*drop", "*/in"), ["out"]),
        ((), (), []),
        (("IN",), (), []),
    ],
)
def test_include_and_exclude_are_glob_patterns_over_paths(
    include: tuple[str, ...] | None, exclude: tuple[str, ...], expected: list[str]
) -> None:
    found = leaves(small_model(), include, exclude)

    assert [leaf.layer.name for leaf in found] == expected


def test_a_layer_that_is_used_twice_is_one_leaf() -> None:
    inputs = keras.Input((3,))
    shared = layers.Dense(3, name="shared")
    model = keras.Model(inputs, shared(shared(inputs)))

    assert [leaf.layer.name for leaf in leaves(model, None, ())] == ["shared"]


def test_activation_that_is_a_layer_belongs_to_its_layer() -> None:
    model = keras.Sequential(
        [layers.Input((3,)), layers.Dense(2, activation=layers.LeakyReLU(), name="dense")]
    )

    assert [leaf.layer.name for leaf in leaves(model, None, ())] == ["dense"]


def test_layers_that_run_others_in_a_loop_are_one_leaf_and_what_a_wrapper_calls_another() -> None:
    model = keras.Sequential(
        [
            layers.Input((5, 3)),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(2)),
            layers.GRU(2),
        ]
    )

    found = leaves(model, None, ())

    assert [leaf.kind for leaf in found] == [
        "LSTM",
        "LSTM",
        "TimeDistributed",
        "Dense",
        "GRU",
    ]
    assert [leaf.wrapper is None for leaf in found] == [True, True, True, False, True]
    assert [leaf.opaque for leaf in found] == [True, True, True, False, True]


def test_identity_of_a_row_outlives_renaming_and_tells_calls_and_shapes_apart() -> None:
    first = leaves(small_model(), None, ())
    renamed = leaves(keras.models.clone_model(small_model()), None, ())
    narrow = leaves(keras.Sequential([layers.Input((9,)), layers.Dense(3)]), None, ())

    assert [leaf.identity(0) for leaf in first] == [leaf.identity(0) for leaf in renamed]
    assert len({leaf.identity(call) for leaf in first for call in (0, 1)}) == 2 * len(first)
    assert first[0].identity(0) != narrow[0].identity(0)
    assert len(first[0].identity(0)) == 16
