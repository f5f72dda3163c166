"""What a meter remembers between samples, and which statistics exist for which row."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainstage.activations import TABLE
from gainstage.measures import (
    QUANTILE_VALUES,
    WINDOW,
    Array,
    Reading,
    RowMeter,
    Weights,
    as_row,
    decibels,
    largest_eigenvalue,
    quantiles,
)
from gainstage.statistics import IDS, INDEX

from . import builders

INSIDE, BEYOND = 0.0, 100.0


def meter(activation: str = "sigmoid") -> RowMeter:
    return RowMeter(4.0, TABLE[activation])


def array(*rows: list[float]) -> Array:
    return np.array(rows, np.float32)


def units(z: Array, post: Array | None = None) -> Reading:
    return Reading(z=z, post=z if post is None else post)


def weights(*values: float) -> Reading:
    return Reading(moving=np.array(values, np.float32))


def test_unit_that_was_inside_in_one_sample_of_16_is_not_pinned() -> None:
    one = meter()
    one.measure(units(array([INSIDE, BEYOND])), 0)

    shares = [one.measure(units(array([BEYOND, BEYOND])), 1)["saturated_units"] for _ in range(16)]

    assert shares == [0.5] * 15 + [1.0]


def test_unit_that_is_saturated_in_95_percent_of_its_values_is_pinned() -> None:
    z = np.full((20, 3), BEYOND, np.float32)
    z[:1, 1], z[:2, 2] = INSIDE, INSIDE

    values = meter().measure(units(z), 0)

    assert values["saturated_units"] == pytest.approx(2 / 3)
    assert values["saturation_rate"] == pytest.approx(57 / 60)


def test_saturation_is_counted_on_the_saturating_sides_alone() -> None:
    z = array([-BEYOND, BEYOND, INSIDE, INSIDE])

    rates = {
        name: meter(name).measure(units(z), 0).get("saturation_rate")
        for name in ("sigmoid", "relu6", "softplus", "relu", "linear", "softmax")
    }

    assert rates == {
        "sigmoid": 0.5,
        "relu6": 0.25,
        "softplus": 0.25,
        "relu": None,
        "linear": None,
        "softmax": None,
    }


def test_nan_is_not_counted_as_saturated() -> None:
    values = meter().measure(units(array([np.nan, BEYOND])), 0)

    assert values["saturation_rate"] == 0.5
    assert values["nonfinite_rate"] == 0.5


def test_dead_unit_lives_as_soon_as_its_output_differs_within_the_window() -> None:
    one = meter("relu")
    one.measure(units(array([1.0, 0.0]), post=array([1.0, 0.0])), 0)

    shares = [
        one.measure(units(array([0.0, 0.0]), post=array([0.0, 0.0])), 1)["dead_units"]
        for _ in range(16)
    ]

    assert shares == [0.5] * 15 + [1.0]


def test_unit_stuck_at_any_value_is_dead() -> None:
    post = array([0.7, 0.7], [0.7, 0.6])

    values = meter().measure(units(post, post=post), 0)

    assert values["dead_units"] == 0.5
    assert values["zero_rate"] == 0.0


@given(st.integers(0, 15))
def test_of_units_active_in_5_percent_of_the_examples_the_window_calls_few_dead(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, alone = meter("relu"), []

    for _ in range(WINDOW):
        post = (rng.random((16, 1_000)) < 0.05).astype(np.float32)
        alone.append(meter("relu").measure(units(post, post=post), 0)["dead_units"])
        share = one.measure(units(post, post=post), 0)["dead_units"]

    assert np.mean(alone) == pytest.approx(0.95**16, abs=0.05)
    assert share <= 0.002


def test_update_ratio_is_the_movement_per_step_relative_to_the_weights() -> None:
    one = meter()
    one.measure(weights(3, 4), 10)

    values = one.measure(weights(3, 4.5), 15)

    assert values["update_ratio"] == pytest.approx(0.5 / 5 / 5)


def test_update_ratio_of_the_first_sample_is_not_a_number() -> None:
    assert np.isnan(meter().measure(weights(3, 4), 10)["update_ratio"])


@pytest.mark.parametrize(
    ("then", "now", "steps"),
    [((0, 0), (1, 1), 5), ((1, 1), (2, 2), 0), ((1, 1), (2, 2), -3), ((np.nan, 1), (1, 1), 5)],
)
def test_update_ratio_without_a_path_is_not_a_number(
    then: tuple[float, float], now: tuple[float, float], steps: int
) -> None:
    one = meter()
    one.measure(weights(*then), 10)

    assert np.isnan(one.measure(weights(*now), 10 + steps)["update_ratio"])


def test_weights_that_stand_still_have_an_update_ratio_of_0() -> None:
    one = meter()
    one.measure(weights(3, 4), 10)

    assert one.measure(weights(3, 4), 20)["update_ratio"] == 0


FIVE = {"rms", "mean", "std", "max", "db"}
QUANTILE_IDS = {id for id in IDS if id.startswith("pre_q")}


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Reading(), set()),
        (Reading(y=array([1])), {f"output_{name}" for name in FIVE} | {"nonfinite_rate"}),
        (Reading(bias=np.ones(1, np.float32)), {f"bias_{name}" for name in FIVE}),
        (Reading(kernel=Weights(0, 1, 2)), {f"kernel_{name}" for name in FIVE - {"db"}}),
        (Reading(nonfinite_weights=0.0), {"weight_nonfinite_rate"}),
        (weights(1), {"update_ratio"}),
        (Reading(x=array([1])), {f"input_{name}" for name in FIVE} | {"input_nonfinite_rate"}),
        (
            Reading(z=array([1])),
            {f"pre_{name}" for name in FIVE}
            | QUANTILE_IDS
            | {"nonfinite_rate", "saturation_rate", "saturated_units"},
        ),
    ],
)
def test_statistics_of_what_was_not_read_are_absent(reading: Reading, expected: set[str]) -> None:
    values = meter().measure(reading, 0)

    assert set(values) == expected
    assert [IDS[place] for place in np.flatnonzero(as_row(values)[1])] == [
        id for id in IDS if id in expected
    ]


def test_layer_without_fan_in_is_not_decomposed() -> None:
    one = RowMeter(None, TABLE["sigmoid"])

    values = one.measure(
        Reading(x=array([1]), z=array([1]), kernel=Weights(0, 1, 1), bias=np.ones(1, np.float32)), 0
    )

    assert not {"kernel_gain", "coherence", "input_eigenvalue"} & set(values)


def test_silent_input_has_the_coherence_of_nothing() -> None:
    values = meter().measure(Reading(x=array([0, 0]), z=array([1]), kernel=Weights(0, 1, 1)), 0)

    assert np.isnan(values["coherence"])
    assert np.isnan(values["coherence_db"])
    assert values["input_db"] == -np.inf


@pytest.mark.parametrize(
    ("row", "headroom"),
    [
        (builders.row(activation="tanh"), 2.9932),
        (builders.row(activation=None), None),
    ],
)
def test_meter_of_a_row_knows_its_fan_in_and_activation(row: Any, headroom: float | None) -> None:
    one = RowMeter.of(row)

    assert one.fan_in == 4.0
    assert one.activation is not None
    assert one.activation.headroom == headroom


@pytest.mark.parametrize(
    ("kernel_shape", "fan_in", "pointwise"),
    [
        ((4, 8), 4.0, True),
        ((1, 1, 4, 8), 4.0, True),
        ((3, 3, 4, 8), 36.0, False),
        ((3, 3, 9, 1), 9.0, False),  # depthwise: as many taps as channels
        ((8,), 1.0, False),  # the scale of a normalisation
    ],
)
def test_loudest_direction_is_of_positions_only_where_they_are_what_is_summed(
    kernel_shape: tuple[int, ...], fan_in: float, *, pointwise: bool
) -> None:
    one = RowMeter.of(builders.row(kernel_shape=kernel_shape, fan_in=fan_in))

    assert one.pointwise is pointwise


def test_unknown_activation_is_not_judged() -> None:
    one = RowMeter.of(builders.row(activation="?"))

    values = one.measure(units(array([BEYOND])), 0)

    assert one.activation is None
    assert "saturation_rate" not in values


def test_quantiles_of_many_values_are_within_a_percent_of_a_standard_deviation() -> None:
    z = np.random.default_rng(0).normal(size=(256, 4_096)).astype(np.float32)

    values = quantiles(z)

    assert values["pre_q50"] == pytest.approx(0, abs=0.03)
    assert values["pre_q95"] == pytest.approx(1.645, abs=0.06)


@given(st.integers(1, 600))
def test_quantiles_of_many_values_visit_every_unit(width: int) -> None:
    positions = -(-QUANTILE_VALUES * 3 // width)
    z = np.tile(np.arange(width, dtype=np.float32), (positions, 1))

    values = quantiles(z)

    assert values["pre_q50"] == pytest.approx((width - 1) / 2, abs=0.02 * width + 1)
    assert values["pre_q99"] == pytest.approx(0.99 * (width - 1), abs=0.02 * width + 1)


def test_largest_eigenvalue_is_the_energy_of_a_direction_that_all_inputs_share() -> None:
    x = np.outer(np.ones(40), [3.0, 4.0]).astype(np.float32)

    assert largest_eigenvalue(x) == pytest.approx(25)


def test_largest_eigenvalue_of_values_that_are_not_finite_is_not_a_number() -> None:
    assert np.isnan(largest_eigenvalue(array([1, np.inf])))


@pytest.mark.parametrize(
    ("value", "level"), [(1.0, 0.0), (10.0, 20.0), (0.5, -6.0206), (0.0, -np.inf)]
)
def test_decibels(value: float, level: float) -> None:
    assert decibels(value) == pytest.approx(level, abs=1e-4)


def test_value_too_large_for_float32_is_sent_as_infinity() -> None:
    row, exists = as_row({"input_eigenvalue": 1e60})

    assert row[INDEX["input_eigenvalue"]] == np.inf
    assert exists.sum() == 1
