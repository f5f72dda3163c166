"""Normalisations as contractions: their scale is the kernel, the normalised value the input."""

import inspect
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gainstage.contractions import (
    contraction_of,
)
from gainstage.normalisation import RESOLUTIONS, normalised_input

from .contracting import fan_in, known, measured, noise, numbers, rows, spread

layers = keras.layers


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
