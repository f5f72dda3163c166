"""How each kind of layer sums its inputs, held against what the real layer does with ones.

A layer whose kernels and inputs are all ones puts out, at each position, the number of inputs that
it sums there. The mean over its outputs is the true fan_in, whatever the padding, and the table
must say the same.
"""

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import settings

from .contracting import counted, fan_in, known, measured, noise, rows, spread

layers = keras.layers
few = settings(max_examples=25)


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
