"""How each kind of layer sums its inputs, held against what the real layer does with ones.

A layer whose kernels and inputs are all ones puts out, at each position, the number of inputs that
it sums there. The mean over its outputs is the true fan_in, whatever the padding, and the table
must say the same.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gainstage.contractions import (
    RESOLUTIONS,
    TABLE,
    Axes,
    Contraction,
    contraction_of,
    gathered_taps,
    normalised_input,
    scattered_taps,
)
from gainstage.measures import Meters
from gainstage.probe import Probe
from gainstage.statistics import INDEX

layers = keras.layers
few = settings(max_examples=25)
PADDINGS = st.sampled_from(["valid", "same"])
FORMATS = st.sampled_from(["channels_last", "channels_first"])


def known(layer: Any) -> Contraction:
    contraction = contraction_of(layer)
    assert contraction is not None
    return contraction


def fan_in(layer: Any, *input_shape: int | None) -> float | None:
    """What the table says of `layer` on inputs of `input_shape`, batch axis left out."""
    if not layer.built:
        layer.build((None, *input_shape))
    shape = (None, *input_shape)
    return known(layer).fan_in(layer, shape, layer.compute_output_shape(shape))


def numbers(tensor: Any) -> Any:
    # Of variables, `convert_to_numpy` warns on TensorFlow; of tensors, torch refuses the other.
    is_variable = isinstance(tensor, keras.Variable)
    return np.asarray(tensor) if is_variable else keras.ops.convert_to_numpy(tensor)


def counted(layer: Any, *input_shape: int) -> float:
    """The mean of what `layer` makes of ones with kernels of ones: the values it sums."""
    if not layer.built:
        layer.build((None, *input_shape))
    for weight in layer.weights:
        weight.assign(np.full(weight.shape, weight.name != "bias"))
    return float(np.mean(numbers(layer(np.ones((1, *input_shape), np.float32))), dtype=np.float64))


def rows(tensor: Any, axes: Axes) -> Any:
    """[positions, units] of a tensor."""
    array = numbers(tensor)
    moved = array.transpose(axes.positions + axes.units)
    return moved.reshape(-1, int(np.prod([array.shape[axis] for axis in axes.units])))


def spread(layer: Any) -> Any:
    """The bias of `layer`, [units]; None where it has none."""
    bias = known(layer).bias(layer)
    if bias is None:
        return None
    return np.broadcast_to(numbers(bias.variable).reshape(bias.shape), bias.units).ravel()


def noise(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def measured(layer: Any, x: Any) -> dict[str, float]:
    """The statistics of `layer` as the probe reads them from a model of nothing else."""
    model = keras.Sequential([layers.Input(x.shape[1:]), layer])
    sample = Probe(model)(x)
    values, exists = Meters(sample.rows[:1]).measure(sample.readings[:1], 0)
    return {id: float(values[0, at]) for id, at in INDEX.items() if exists[0, at]}


# --- Dense and EinsumDense -------------------------------------------------------------------


def test_dense_sums_its_inputs() -> None:
    assert fan_in(layers.Dense(3), 7) == fan_in(layers.Dense(3), 5, 7) == 7
    assert counted(layers.Dense(3), 7) == pytest.approx(7)
    assert counted(layers.Dense(3), 5, 7) == pytest.approx(7)


# Equation, output shape, input shape, fan_in.
EINSUMS = {
    "like Dense": ("ab,bc->ac", (3,), (4,), 4),
    "kernel the other way around": ("ab,cb->ac", (3,), (4,), 4),
    "attention's projection into heads": ("abc,cde->abde", (5, 2, 3), (5, 4), 4),
    "attention's projection out of heads": ("abcd,cde->abe", (5, 3), (5, 2, 4), 8),
    "any axes in front": ("...x,xy->...y", (3,), (5, 2, 4), 4),
    "several contracted behind any": ("...xy,xyz->...z", (3,), (5, 2, 4), 8),
    "any axes behind": ("ab...,bc->ac...", (3,), (4, 2, 5), 4),
    "a kernel for each position": ("abc,bcd->abd", (5, 3), (5, 4), 4),
    "summed without the kernel": ("abc,cd->ad", (3,), (5, 4), 20),
    "units in front of positions": ("abc,cd->adb", (3, 5), (5, 4), 4),
    "positions in another order": ("abcd,de->acbe", (5, 2, 3), (2, 5, 4), 4),
    "one weight for each channel": ("abc,c->abc", (5, 4), (5, 4), 1),
}
einsums = pytest.mark.parametrize(
    ("equation", "output_shape", "input_shape", "fan"), EINSUMS.values(), ids=EINSUMS
)


@einsums
def test_einsum_sums_the_axes_that_its_output_lacks(
    equation: str, output_shape: tuple[int, ...], input_shape: tuple[int, ...], fan: int
) -> None:
    layer = layers.EinsumDense(equation, output_shape)

    assert fan_in(layer, *input_shape) == fan
    assert counted(layer, *input_shape) == pytest.approx(fan)


@einsums
def test_position_of_an_einsums_input_makes_the_same_position_of_its_output(
    equation: str, output_shape: tuple[int, ...], input_shape: tuple[int, ...], fan: int
) -> None:
    layer = layers.EinsumDense(equation, output_shape, kernel_initializer="ones")
    x = np.zeros((2, *input_shape), np.float32)
    contraction = known(layer)
    places = np.arange(x.size).reshape(x.shape)
    entering = rows(places, contraction.inputs(layer, x.ndim))

    for position, inputs in enumerate(entering):
        x.flat[:] = 0
        x.flat[inputs] = 1
        z = layer(x)
        made = rows(z, contraction.outputs(layer, len(z.shape)))
        assert made.shape[0] == entering.shape[0]
        assert np.flatnonzero(made.any(axis=1)).tolist() == [position]


@pytest.mark.parametrize("bias_axes", ["b", "d", "e", "bd", "de", "eb", "bde"])
@pytest.mark.parametrize("equation", ["abc,cde->abde", "abc,cde->adbe", "abc,cde->aedb"])
def test_bias_of_an_einsum_is_one_value_for_each_unit(equation: str, bias_axes: str) -> None:
    sizes = {"b": 5, "d": 2, "e": 3}
    layer = layers.EinsumDense(
        equation,
        [sizes[one] for one in equation[-3:]],
        bias_axes=bias_axes,
        kernel_initializer="zeros",
        bias_initializer="normal",
    )

    z = layer(np.ones((2, 5, 4), np.float32))

    made = rows(z, known(layer).outputs(layer, 4))
    assert np.array_equal(made, np.broadcast_to(spread(layer), made.shape))
    assert made.shape == ((2, 30) if "b" in bias_axes else (10, 6))


@pytest.mark.parametrize(
    ("equation", "output_shape", "shape", "bias_axes"),
    [("...x,xy->...y", 3, (5, 2, 4), "y"), ("ab...,bc->ac...", 3, (4, 2, 5), "c")],
)
def test_bias_of_an_einsum_over_any_axes_is_one_value_for_each_unit(
    equation: str, output_shape: int, shape: tuple[int, ...], bias_axes: str
) -> None:
    layer = layers.EinsumDense(
        equation, output_shape, bias_axes=bias_axes, kernel_initializer="zeros"
    )
    layer.build((None, *shape))
    layer.bias.assign(noise(*layer.bias.shape))

    z = layer(np.ones((2, *shape), np.float32))

    made = rows(z, known(layer).outputs(layer, 4))
    assert made.shape == (20, 3)
    assert np.array_equal(made, np.broadcast_to(spread(layer), made.shape))


def test_einsum_over_an_axis_of_unknown_size_has_no_fan_in() -> None:
    layer = layers.EinsumDense("abc,cd->ad", (3,))

    assert fan_in(layer, None, 4) is None
    assert fan_in(layers.EinsumDense("abc,cd->abd", (None, 3)), None, 4) == 4


# --- Convolutions ----------------------------------------------------------------------------


@st.composite
def arrangements(draw: st.DrawFn, *, rank: int, alike: bool = False) -> dict[str, Any]:
    """Arguments that place a kernel of `rank`: strides or dilation, since Keras takes not both."""
    each = st.lists(st.integers(1, 3), min_size=rank, max_size=rank)
    steps = draw(each.map(lambda found: found[:1] * rank if alike else found))
    one = [1] * rank
    strides, dilation = draw(st.sampled_from([(steps, one), (one, steps)]))
    return {
        "kernel_size": draw(each),
        "strides": strides,
        "dilation_rate": dilation,
        "data_format": draw(FORMATS),
    }


def shape_of(sizes: list[int], channels: int, data_format: str) -> list[int]:
    return [*sizes, channels] if data_format == "channels_last" else [channels, *sizes]


def sizes_for(rank: int) -> st.SearchStrategy[list[int]]:
    # 7 is the longest reach of three taps three apart.
    return st.lists(st.integers(7, 9), min_size=rank, max_size=rank)


CONVOLUTIONS = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
TRANSPOSED = {1: layers.Conv1DTranspose, 2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}
DEPTHWISE = {1: layers.DepthwiseConv1D, 2: layers.DepthwiseConv2D}
SEPARABLE = {1: layers.SeparableConv1D, 2: layers.SeparableConv2D}


@pytest.mark.parametrize("rank", CONVOLUTIONS)
@few
@given(data=st.data(), groups=st.integers(1, 2))
def test_convolution_sums_what_it_counts(rank: int, groups: int, data: st.DataObject) -> None:
    arranged = data.draw(arrangements(rank=rank))
    padding = data.draw(st.sampled_from(["valid", "same", *(["causal"] if rank == 1 else [])]))
    layer = CONVOLUTIONS[rank](2 * groups, groups=groups, padding=padding, **arranged)
    shape = shape_of(data.draw(sizes_for(rank)), 3 * groups, arranged["data_format"])

    assert fan_in(layer, *shape) == pytest.approx(counted(layer, *shape))


@pytest.mark.parametrize("rank", DEPTHWISE)
@few
@given(data=st.data(), padding=PADDINGS, multiplier=st.integers(1, 3))
def test_depthwise_convolution_sums_one_channel(
    rank: int, padding: str, multiplier: int, data: st.DataObject
) -> None:
    arranged = data.draw(arrangements(rank=rank, alike=True))
    layer = DEPTHWISE[rank](depth_multiplier=multiplier, padding=padding, **arranged)
    shape = shape_of(data.draw(sizes_for(rank)), 4, arranged["data_format"])

    assert fan_in(layer, *shape) == pytest.approx(counted(layer, *shape))


@pytest.mark.parametrize("rank", SEPARABLE)
@few
@given(data=st.data(), padding=PADDINGS, multiplier=st.integers(1, 3))
def test_separable_convolution_sums_taps_and_then_channels(
    rank: int, padding: str, multiplier: int, data: st.DataObject
) -> None:
    arranged = data.draw(arrangements(rank=rank, alike=True))
    layer = SEPARABLE[rank](5, depth_multiplier=multiplier, padding=padding, **arranged)
    shape = shape_of(data.draw(sizes_for(rank)), 4, arranged["data_format"])

    assert fan_in(layer, *shape) == pytest.approx(counted(layer, *shape))


@pytest.mark.parametrize("rank", TRANSPOSED)
@few
@given(data=st.data(), padding=PADDINGS, channels=st.integers(1, 3))
def test_transposed_convolution_sums_the_taps_that_hit(
    rank: int, padding: str, channels: int, data: st.DataObject
) -> None:
    arranged = data.draw(arrangements(rank=rank))
    extra = None
    if data.draw(st.booleans()):
        extra = [data.draw(st.integers(0, stride - 1)) for stride in arranged["strides"]]
        # TensorFlow refuses an output that the convolution the other way would not make the input.
        odd = [
            (taps - 1) * dilation % 2 == 0
            for taps, dilation in zip(
                arranged["kernel_size"], arranged["dilation_rate"], strict=True
            )
        ]
        assume(padding == "valid" or all(o or e for o, e in zip(odd, extra, strict=True)))
    layer = TRANSPOSED[rank](2, padding=padding, output_padding=extra, **arranged)
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))
    shape = shape_of(sizes, channels, arranged["data_format"])

    assert fan_in(layer, *shape) == pytest.approx(counted(layer, *shape))


def test_padding_lowers_the_fan_in_of_a_small_image() -> None:
    assert fan_in(layers.Conv2D(1, 3, padding="same"), 2, 2, 5) == pytest.approx(5 * 4)


def test_border_of_a_transposed_convolution_sees_fewer_taps() -> None:
    assert fan_in(layers.Conv1DTranspose(1, 4, strides=2), 3, 5) == pytest.approx(5 * 12 / 8)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolutions_of_unknown_sizes_count_as_large(rank: int) -> None:
    unknown = [None] * rank

    assert fan_in(CONVOLUTIONS[rank](2, 3, padding="same"), *unknown, 5) == 5 * 3**rank
    assert fan_in(TRANSPOSED[rank](2, 3, strides=2), *unknown, 5) == 5 * 1.5**rank


def padded_taps(size: int, taps: int, stride: int, dilation: int, padding: str) -> float:
    """Taps on values, from a padded line of ones as the padding's definition draws it."""
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
    return float(np.mean([line[start : start + reach + 1 : dilation].sum() for start in starts]))


@given(
    size=st.integers(1, 12),
    taps=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same", "causal"]),
)
def test_gathered_taps_are_those_counted_one_by_one(
    size: int, taps: int, stride: int, dilation: int, padding: str
) -> None:
    reach = (taps - 1) * dilation
    assume(padding != "valid" or size > reach)
    positions = (size - reach - 1) // stride + 1 if padding == "valid" else -(-size // stride)

    found = gathered_taps(
        size, positions, taps=taps, stride=stride, dilation=dilation, padding=padding
    )

    assert found == pytest.approx(padded_taps(size, taps, stride, dilation, padding))


def test_taps_of_a_long_line_are_counted_without_walking_it() -> None:
    # A walk over 10^9 positions would outlast the timeout of any test.
    found = gathered_taps(10**9, 10**9, taps=9, stride=1, dilation=1, padding="same")
    hit = scattered_taps(10**9, 3 * 10**9, taps=9, stride=3, dilation=1, padding="same")

    assert (found, hit) == (pytest.approx(9), pytest.approx(3))


# --- Every kind ------------------------------------------------------------------------------

KINDS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "dense": (lambda **o: layers.Dense(48, **o), (64,)),
    "dense over positions": (lambda **o: layers.Dense(48, **o), (6, 64)),
    "into heads": (
        lambda **o: layers.EinsumDense("abc,cde->abde", (6, 4, 12), bias_axes="de", **o),
        (6, 64),
    ),
    "out of heads": (
        lambda **o: layers.EinsumDense("abcd,cde->abe", (6, 48), bias_axes="e", **o),
        (6, 4, 16),
    ),
    "for each position": (
        lambda **o: layers.EinsumDense("abc,bcd->abd", (6, 48), bias_axes="bd", **o),
        (6, 64),
    ),
    "summed positions": (
        lambda **o: layers.EinsumDense("abc,cd->ad", (48,), bias_axes="d", **o),
        (6, 64),
    ),
    "causal": (lambda **o: layers.Conv1D(48, 3, padding="causal", **o), (6, 32)),
    "grouped": (lambda **o: layers.Conv2D(48, 3, padding="same", groups=2, **o), (5, 5, 32)),
    "channels first": (
        lambda **o: layers.Conv2D(48, 3, padding="same", data_format="channels_first", **o),
        (32, 5, 5),
    ),
    "volume": (lambda **o: layers.Conv3D(48, 2, padding="same", **o), (4, 4, 4, 16)),
    "transposed line": (lambda **o: layers.Conv1DTranspose(48, 3, strides=2, **o), (5, 32)),
    "transposed": (
        lambda **o: layers.Conv2DTranspose(48, 4, strides=2, padding="same", **o),
        (4, 4, 32),
    ),
    "transposed, channels first": (
        lambda **o: layers.Conv2DTranspose(48, 3, data_format="channels_first", **o),
        (32, 4, 4),
    ),
    "transposed volume": (lambda **o: layers.Conv3DTranspose(32, 3, strides=2, **o), (3, 3, 3, 16)),
}
# Their kernels have names of their own, and few weights for each unit.
SLIM: dict[str, tuple[Any, tuple[int, ...]]] = {
    "depthwise line": (lambda **o: layers.DepthwiseConv1D(3, depth_multiplier=2, **o), (9, 64)),
    "depthwise": (
        lambda **o: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, **o),
        (5, 5, 64),
    ),
    "depthwise, channels first": (
        lambda **o: layers.DepthwiseConv2D(
            3, padding="same", depth_multiplier=2, data_format="channels_first", **o
        ),
        (64, 5, 5),
    ),
    "separable line": (lambda **o: layers.SeparableConv1D(64, 3, padding="same", **o), (9, 64)),
    "separable": (lambda **o: layers.SeparableConv2D(64, 3, padding="same", **o), (5, 5, 64)),
}
kinds = pytest.mark.parametrize(("make", "shape"), (KINDS | SLIM).values(), ids=KINDS | SLIM)


@kinds
def test_unrelated_weights_and_inputs_have_no_coherence(make: Any, shape: tuple[int, ...]) -> None:
    layer = make()
    layer.build((None, *shape))
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        # The bias shows that it is taken off; 0.3 moves no mean of a kernel by chance.
        std = 5.0 if weight.name == "bias" else 0.3
        weight.assign(rng.normal(0, std, weight.shape))

    values = measured(layer, noise(16, *shape))

    # 3,000 or more values of z, but few independent weights where each channel has its own.
    assert values["coherence_db"] == pytest.approx(0, abs=0.6)
    assert values["gain_db"] > -8
    assert values["bias_rms"] > 3


@kinds
def test_bias_is_one_value_for_each_unit(make: Any, shape: tuple[int, ...]) -> None:
    layer = make()
    layer.build((None, *shape))
    for weight in layer.weights:
        weight.assign(noise(*weight.shape) if weight.name == "bias" else np.zeros(weight.shape))

    z = layer(noise(2, *shape))

    made = rows(z, known(layer).outputs(layer, len(z.shape)))
    assert np.array_equal(made, np.broadcast_to(spread(layer), made.shape))


@kinds
def test_units_of_the_input_are_what_a_position_holds(make: Any, shape: tuple[int, ...]) -> None:
    layer = make()
    layer.build((None, *shape))
    axes = known(layer).inputs(layer, len(shape) + 1)

    assert sorted(axes.positions + axes.units) == list(range(len(shape) + 1))
    assert 0 in axes.positions
    assert axes.units


@kinds
def test_penalty_reaches_each_kernel_by_the_name_that_the_table_gives(
    make: Any, shape: tuple[int, ...]
) -> None:
    layer = make()
    contraction = known(layer)
    names = [*contraction.arguments, contraction.bias_argument]

    penalised = make(**{f"{name}_regularizer": "l2" for name in names})

    penalised.build((None, *shape))
    reached = [weight.name for weight in penalised.weights if weight.regularizer is not None]
    assert len(reached) == len(penalised.weights) == len(names)
    assert len(contraction.kernels(penalised)) == len(contraction.arguments)


def test_layer_without_a_bias_has_none() -> None:
    plain = (layers.Dense(2, use_bias=False), layers.EinsumDense("ab,bc->ac", 2))
    for layer in plain:
        layer.build((None, 3))

    assert [spread(layer) for layer in plain] == [None, None]


# --- Normalisation ---------------------------------------------------------------------------


def moments(x: Any, axes: tuple[int, ...], epsilon: float, *, centred: bool = True) -> Any:
    """`x` normalised over `axes`, in float64."""
    wide = np.asarray(x, np.float64)
    mean = wide.mean(axes, keepdims=True) if centred else 0.0
    return (wide - mean) / np.sqrt(np.mean((wide - mean) ** 2, axes, keepdims=True) + epsilon)


def grouped(x: Any, groups: int) -> Any:
    parts = np.split(x, groups, axis=-1)
    return np.concatenate([moments(part, (1, 2), 1e-3) for part in parts], axis=-1)


NORMALISATIONS: dict[str, tuple[Any, Any]] = {
    "batch": (
        layers.BatchNormalization,
        lambda x: moments(x, (0, 1), 1e-3),
    ),
    "batch, channels first": (
        lambda **o: layers.BatchNormalization(axis=1, **o),
        lambda x: moments(x, (0, 2), 1e-3),
    ),
    "layer": (
        layers.LayerNormalization,
        lambda x: moments(x, (2,), 1e-3),
    ),
    "layer over two axes": (
        lambda **o: layers.LayerNormalization(axis=[1, 2], **o),
        lambda x: moments(x, (1, 2), 1e-3),
    ),
    "layer over two axes, the last one first": (
        lambda **o: layers.LayerNormalization(axis=[-1, 1], **o),
        lambda x: moments(x, (1, 2), 1e-3),
    ),
    "group": (
        lambda **o: layers.GroupNormalization(groups=2, **o),
        lambda x: grouped(x, 2),
    ),
    "root mean square": (
        layers.RMSNormalization,
        lambda x: moments(x, (2,), 1e-6, centred=False),
    ),
    "root mean square of another axis": (
        lambda **o: layers.RMSNormalization(axis=1, **o),
        lambda x: moments(x, (1,), 1e-6, centred=False),
    ),
}
normalisations = pytest.mark.parametrize(
    ("make", "reference"), NORMALISATIONS.values(), ids=NORMALISATIONS
)


def loud(layer: Any, *shape: int) -> Any:
    """`layer` with a scale around 30 and a bias around 50, of all sizes and signs."""
    layer.build((None, *shape))
    rng = np.random.default_rng(2)
    for weight in layer.trainable_weights:
        level = 50.0 if weight.name == "beta" else 30.0
        weight.assign(level * rng.uniform(0.5, 1.5, weight.shape) * rng.choice([-1, 1]))
    return layer


def flat(variable: Any) -> Any:
    return numbers(variable).ravel()


@normalisations
def test_normalised_value_is_got_back_from_the_output(make: Any, reference: Any) -> None:
    layer = loud(make(), 6, 6)
    x = 7 + 3 * noise(16, 6, 6)
    contraction = known(layer)
    axes = contraction.outputs(layer, 3)

    z = layer(x, training=True) if "Batch" in type(layer).__name__ else layer(x)

    (scale,) = contraction.kernels(layer)
    found = normalised_input(rows(z, axes), spread(layer), flat(scale))
    assert found == pytest.approx(rows(reference(x), axes), abs=1e-3)
    assert contraction.normalised
    assert fan_in(layer, 6, 6) == 1


@normalisations
def test_loud_scale_of_a_normalisation_is_gain_and_neither_input_nor_coherence(
    make: Any, reference: Any
) -> None:
    layer = loud(make(), 6, 6)

    values = measured(layer, 7 + 3 * noise(64, 6, 6))

    assert values["input_db"] == pytest.approx(0, abs=0.5)
    assert values["gain_db"] == pytest.approx(20 * np.log10(30), abs=3)
    assert values["coherence_db"] == pytest.approx(0, abs=1)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}])
@pytest.mark.parametrize("name", ["batch", "layer", "group"])
def test_normalisation_may_lack_its_scale_or_its_bias(name: str, options: dict[str, bool]) -> None:
    make, _ = NORMALISATIONS[name]
    layer = loud(make(**options), 6, 6)

    x = 7 + 3 * noise(64, 6, 6)
    values = measured(layer, x)

    assert fan_in(layer, 6, 6) == 1
    assert values["coherence_db"] == pytest.approx(0, abs=1)
    assert ("bias_rms" in values) == ("scale" in options)
    assert (values["gain_db"] == 0) == ("scale" in options)


@pytest.mark.parametrize(
    "layer",
    [
        layers.UnitNormalization(),
        layers.BatchNormalization(center=False, scale=False),
        layers.LayerNormalization(center=False, scale=False),
        layers.GroupNormalization(2, center=False, scale=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_normalisation_without_weights_is_no_contraction(layer: Any) -> None:
    layer.build((None, 4))

    assert contraction_of(layer) is None


@normalisations
def test_penalty_reaches_the_scale_by_the_name_that_the_table_gives(
    make: Any, reference: Any
) -> None:
    contraction = known(make())
    offered = {
        name
        for name in ("gamma", "beta", "scale")
        if f"{name}_regularizer" in inspect.signature(type(make()).__init__).parameters
    }

    assert offered == {*contraction.arguments, contraction.bias_argument} - {None}


def test_units_without_a_scale_are_left_out() -> None:
    z = np.array([[4.0, 7.0, 1.0], [8.0, 7.0, 3.0]], np.float32)

    found = normalised_input(z, np.array([2.0, 7.0, 1.0]), np.array([2.0, 0.0, -2.0]))

    assert found is not None
    assert found.tolist() == [[1.0, 0.0], [3.0, -1.0]]


def test_input_of_a_normalisation_that_begins_as_nothing_is_unknown() -> None:
    layer = layers.BatchNormalization(gamma_initializer="zeros")
    layer.build((None, 4))

    values = measured(layer, noise(16, 4))

    assert normalised_input(np.ones((3, 2), np.float32), None, np.zeros(2)) is None
    assert "input_rms" not in values
    assert "coherence" not in values
    assert values["kernel_rms"] == 0
    assert values["input_nonfinite_rate"] == 0  # of the data that enter, not of what they become


@pytest.mark.parametrize("scale", [1e-7, float("nan"), float("inf")])
def test_unit_whose_scale_is_lost_is_left_out(scale: float) -> None:
    z = np.ones((2, 2), np.float32)

    found = normalised_input(z, np.ones(2, np.float32), np.array([scale, 1], np.float32))

    assert found is not None
    assert found.tolist() == [[0.0], [0.0]]


def test_scale_must_stand_out_of_the_rounding_of_what_the_layer_computes_in() -> None:
    z, bias, scale = np.ones((2, 1), np.float32), np.full(1, 20.0), np.ones(1)

    assert normalised_input(z, bias, scale) is not None
    assert normalised_input(z, bias, scale, resolution=RESOLUTIONS["bfloat16"]) is None


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_resolution_is_the_spacing_of_numbers_around_one(name: str) -> None:
    assert RESOLUTIONS[name] == np.finfo(name).eps


def test_resolution_of_bfloat16_is_the_spacing_of_numbers_around_one() -> None:
    spacing = RESOLUTIONS["bfloat16"]
    stored = keras.ops.cast([1 + spacing, 1 + spacing / 2], "bfloat16")

    assert keras.ops.cast(stored, "float32").numpy().tolist() == [1 + spacing, 1]


def test_values_that_are_not_finite_are_kept() -> None:
    z = np.array([[np.nan, 1.0], [np.inf, 1.0]], np.float32)

    found = normalised_input(z, None, np.array([2.0, 1.0], np.float32))

    assert found is not None
    assert np.isnan(found[0, 0])
    assert np.isposinf(found[1, 0])
    assert found[:, 1].tolist() == [1, 1]


@given(scale=st.floats(2.0**-6, 2.0**6), bias=st.floats(-100, 100), seed=st.integers(0, 2**16))
@example(scale=1.0, bias=0.0, seed=0)
def test_normalised_value_that_is_given_is_right(scale: float, bias: float, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(50, 1)).astype(np.float32)
    z = (x * np.float32(scale) + np.float32(bias)).astype(np.float32)

    found = normalised_input(z, np.float32([bias]), np.float32([scale]))

    # Within the quarter of a decibel that the docstring of the limit promises.
    assert found is None or float(np.abs(found - x).max()) < 1 / 16


# --- What is not known -----------------------------------------------------------------------


class Renamed(layers.Dense):
    """Keras's own sum under another name."""


class Doubled(layers.Dense):
    """A sum of its own."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        return 2 * super().call(inputs)


class FromDoubled(Doubled):
    """What another class of the user's own decided."""


class Halved(layers.Conv2D):
    """Keras's call, which hands the sum to a method that is not Keras's."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, kernel / 2)


class Tripling:
    def call(self, inputs: Any) -> Any:
        return 3 * inputs


class Tripled(Tripling, layers.Dense):
    """A sum that comes from beside."""


class Product(layers.Dense):
    """Keras's sum with a kernel that is no single variable."""

    @property
    def kernel(self) -> Any:
        return 2 * self._kernel


class Dense(layers.Layer):
    """A layer of the user's own with the name of one of Keras's."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], 2))

    def call(self, inputs: Any) -> Any:
        return keras.ops.sin(keras.ops.matmul(inputs, self.kernel))


@pytest.mark.parametrize(
    "layer",
    [Doubled(2), FromDoubled(2), Halved(2, 3), Tripled(2), Dense()],
    ids=lambda layer: type(layer).__name__,
)
def test_layer_that_decides_how_it_sums_is_not_trusted(layer: Any) -> None:
    assert contraction_of(layer) is None


def test_subclass_that_leaves_the_sum_to_keras_is_known() -> None:
    product = Product(2, kernel_initializer="ones")
    product.build((None, 5))

    assert contraction_of(Renamed(2)) is TABLE["Dense"]
    assert contraction_of(product) is TABLE["Dense"]
    assert numbers(known(product).kernels(product)[0]).tolist() == [[2, 2]] * 5
    assert numbers(product(np.ones((1, 5)))).tolist() == [[10, 10]]


def test_dense_with_low_rank_adaptation_is_not_known() -> None:
    layer = layers.Dense(8)
    layer.build((None, 8))
    assert contraction_of(layer) is TABLE["Dense"]

    layer.enable_lora(2)

    assert contraction_of(layer) is None


def test_quantized_dense_is_not_known() -> None:
    layer = layers.Dense(8, dtype="int8_from_float32")
    layer.build((None, 8))

    assert contraction_of(layer) is None


# Layers of Keras that make weights and are not in the table, and why. A layer that a later version
# of Keras brings must find its place in one of the two.
APART = {
    "AdditiveAttention": "its weights scale scores inside",
    "Attention": "its weight scales scores inside",
    "Bidirectional": "runs recurrent layers",
    "ConvLSTM1D": "recurrent",
    "ConvLSTM2D": "recurrent",
    "ConvLSTM3D": "recurrent",
    "Embedding": "looks rows up; ids are not a signal",
    "FlaxLayer": "runs what Keras cannot see",
    "GRU": "recurrent",
    "GRUCell": "recurrent",
    "IntegerLookup": "looks words up",
    "JaxLayer": "runs what Keras cannot see",
    "LSTM": "recurrent",
    "LSTMCell": "recurrent",
    "Normalization": "its weights are measured, not trained",
    "PReLU": "its weights are the slope of an activation",
    "RNN": "recurrent",
    "ReversibleEmbedding": "looks rows up; the way back is not followed",
    "STFTSpectrogram": "its kernel is a fixed transform",
    "SimpleRNN": "recurrent",
    "SimpleRNNCell": "recurrent",
    "SpectralNormalization": "changes the kernel of the layer that it wraps",
    "StringLookup": "looks words up",
    "TFSMLayer": "runs what Keras cannot see",
    "TorchModuleWrapper": "runs what Keras cannot see",
}
MAKES_WEIGHTS = re.compile(r"\badd_weight\(|\badd_variable\(|\bVariable\(")


def weighted(namespace: Mapping[str, Any]) -> set[str]:
    """Names of the layers that make weights of their own, by the source of their class."""
    found: set[str] = set()
    for kind in namespace.values():
        if not inspect.isclass(kind) or not issubclass(kind, layers.Layer) or kind is layers.Layer:
            continue
        own = kind.__mro__[: kind.__mro__.index(layers.Layer)]
        if any(MAKES_WEIGHTS.search(inspect.getsource(base)) for base in own):
            found.add(kind.__name__)
    return found


def test_every_layer_of_keras_with_weights_is_in_the_table_or_apart_for_a_reason() -> None:
    assert weighted(vars(layers)) - set(TABLE) - set(APART) == set()


def test_layer_that_is_unknown_to_the_table_is_noticed() -> None:
    class Bilinear(layers.Layer):
        def build(self, _shape: Any) -> None:
            self.kernel = self.add_weight(shape=(3, 3))

    class Derived(Bilinear):
        pass

    class Plain(layers.Layer):
        pass

    here = {"a": Bilinear, "b": Derived, "c": Plain, "d": layers.Conv1D, "e": layers.Layer}

    assert weighted(here) - set(TABLE) - set(APART) == {"Bilinear", "Derived"}


def test_table_and_exceptions_are_layers_of_keras_and_apart() -> None:
    assert set(TABLE) & set(APART) == set()
    assert {name for name in TABLE if not hasattr(layers, name)} == set()
    assert set(TABLE) <= weighted(vars(layers))
