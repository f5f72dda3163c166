"""What meters remember between samples, and which statistics exist for which row."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainstage.measures import Meters
from gainstage.presence import NEEDS
from gainstage.readings import Reading
from gainstage.statistics import IDS, INDEX
from gainstage.summaries import Array
from gainstage.windows import WINDOW

from . import builders

INSIDE, BEYOND = 0.0, 100.0
Meter = Callable[[Reading, int], dict[str, float]]


def meter(activation: str | None = "sigmoid", **fields: Any) -> Meter:
    """Measures one row; returns the statistics that exist."""
    meters = Meters([builders.row(activation=activation, **fields)])

    def measure(reading: Reading, step: int) -> dict[str, float]:
        (values,), (exists,) = meters.measure([reading], step)
        return {id: float(values[INDEX[id]]) for id in IDS if exists[INDEX[id]]}

    return measure


def array(*rows: list[float]) -> Array:
    return np.array(rows, np.float32)


def vector(*values: float) -> Array:
    return np.array(values, np.float32)


def units(z: Array, post: Array | None = None) -> Reading:
    return Reading(z=z, post=z if post is None else post)


def weights(*values: float) -> Reading:
    return Reading(moving=vector(*values))


def test_unit_that_was_inside_in_one_sample_of_16_is_not_pinned() -> None:
    measure = meter()
    measure(units(array([INSIDE, BEYOND])), 0)

    shares = [measure(units(array([BEYOND, BEYOND])), 1)["saturated_units"] for _ in range(16)]

    assert shares == [0.5] * 15 + [1.0]


def test_unit_that_is_saturated_in_95_percent_of_its_values_is_pinned() -> None:
    z = np.full((20, 3), BEYOND, np.float32)
    z[:1, 1], z[:2, 2] = INSIDE, INSIDE

    values = meter()(units(z), 0)

    assert values["saturated_units"] == pytest.approx(2 / 3)
    assert values["saturation_rate"] == pytest.approx(57 / 60)


def test_every_value_of_a_window_counts_alike_however_many_its_samples_had() -> None:
    measure = meter()
    measure(units(array([INSIDE])), 0)

    values = measure(units(np.full((19, 1), BEYOND, np.float32)), 1)

    assert values["saturated_units"] == 1.0


def test_row_that_comes_with_other_units_starts_a_new_window() -> None:
    measure = meter()
    measure(units(array([INSIDE, INSIDE])), 0)

    values = measure(units(array([BEYOND])), 1)

    assert (values["saturated_units"], values["dead_units"]) == (1.0, 1.0)


def test_saturation_is_counted_on_the_saturating_sides_alone() -> None:
    z = array([-BEYOND, BEYOND, INSIDE, INSIDE])

    rates = {
        name: meter(name)(units(z), 0).get("saturation_rate")
        for name in ("sigmoid", "relu6", "softplus", "relu", None, "softmax", "?")
    }

    assert rates == {
        "sigmoid": 0.5,
        "relu6": 0.25,
        "softplus": 0.25,
        "relu": None,
        None: None,
        "softmax": None,
        "?": None,
    }


def test_nan_is_not_counted_as_saturated() -> None:
    values = meter()(units(array([np.nan, BEYOND])), 0)

    assert values["saturation_rate"] == 0.5
    assert values["nonfinite_rate"] == 0.5


def test_dead_unit_lives_as_soon_as_its_output_differs_within_the_window() -> None:
    measure = meter("relu")
    measure(units(array([1.0, 0.0])), 0)

    shares = [measure(units(array([0.0, 0.0])), 1)["dead_units"] for _ in range(16)]

    assert shares == [0.5] * 15 + [1.0]


def test_unit_stuck_at_any_value_is_dead() -> None:
    values = meter()(units(array([0.7, 0.7], [0.7, 0.6])), 0)

    assert values["dead_units"] == 0.5
    assert values["zero_rate"] == 0.0


@given(st.integers(0, 15))
def test_of_units_active_in_5_percent_of_the_examples_the_window_calls_few_dead(seed: int) -> None:
    rng = np.random.default_rng(seed)
    measure, alone = meter("relu"), []

    for _ in range(WINDOW):
        post = (rng.random((16, 1_000)) < 0.05).astype(np.float32)
        alone.append(meter("relu")(units(post), 0)["dead_units"])
        share = measure(units(post), 0)["dead_units"]

    assert np.mean(alone) == pytest.approx(0.95**16, abs=0.05)
    assert share <= 0.002


def test_update_ratio_is_the_movement_per_step_relative_to_the_weights() -> None:
    measure = meter()
    measure(weights(3, 4), 10)

    values = measure(weights(3, 4.5), 15)

    assert values["update_ratio"] == pytest.approx(0.5 / 5 / 5)


def test_update_ratio_of_the_first_sample_is_not_a_number() -> None:
    assert np.isnan(meter()(weights(3, 4), 10)["update_ratio"])


@pytest.mark.parametrize(
    ("then", "now", "steps"),
    [
        ((0, 0), (1, 1), 5),
        ((1, 1), (2, 2), 0),
        ((1, 1), (2, 2), -3),
        ((np.nan, 1), (1, 1), 5),
        ((1, 1), (1, 1, 1), 5),
    ],
)
def test_update_ratio_without_a_path_is_not_a_number(
    then: tuple[float, ...], now: tuple[float, ...], steps: int
) -> None:
    measure = meter()
    measure(weights(*then), 10)

    assert np.isnan(measure(weights(*now), 10 + steps)["update_ratio"])


def test_weights_that_stand_still_have_an_update_ratio_of_0() -> None:
    measure = meter()
    measure(weights(3, 4), 10)

    assert measure(weights(3, 4), 20)["update_ratio"] == 0


FIVE = ("rms", "mean", "std", "max", "db")
QUANTILE_IDS = {id for id in IDS if id.startswith("pre_q")}
DENSE = Reading(x=array([1, 2, 3, 4]), z=array([1]), kernel=vector(1, 2, 3, 4))
GATE = Reading(
    x=DENSE.x, z=DENSE.z, kernel=DENSE.kernel, state=array([1]), recurrent_kernel=vector(2)
)
LEVELS = {
    *("kernel_gain", "gain_db", "coherence", "coherence_db", "common_mode", "common_mode_db"),
    *("aligned", "aligned_db", "input_eigenvalue"),
}


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Reading(), set()),
        (Reading(y=array([1])), {f"output_{name}" for name in FIVE} | {"nonfinite_rate"}),
        (Reading(bias=vector(1)), {f"bias_{name}" for name in FIVE}),
        (Reading(kernel=vector(1)), {f"kernel_{name}" for name in ("rms", "mean", "std", "max")}),
        (Reading(nonfinite_weights=0.0), {"weight_nonfinite_rate"}),
        (weights(1), {"update_ratio"}),
        (Reading(x=array([1])), {f"input_{name}" for name in FIVE} | {"input_nonfinite_rate"}),
        (
            Reading(z=array([1])),
            {f"pre_{name}" for name in FIVE}
            | QUANTILE_IDS
            | {"nonfinite_rate", "saturation_rate", "saturated_units"},
        ),
        (Reading(post=array([1])), set()),
        (Reading(logits=array([1, 2])), {"logit_range", "score_entropy"}),
        (Reading(state=array([1]), recurrent_kernel=vector(1)), set()),
    ],
)
def test_statistics_of_what_was_not_read_are_absent(reading: Reading, expected: set[str]) -> None:
    assert set(meter()(reading, 0)) == expected


def test_values_that_do_not_exist_are_sent_as_zeros() -> None:
    values, exists = Meters([builders.row()]).measure([Reading()], 0)

    assert values.shape == exists.shape == (1, len(IDS))
    assert not values.any()
    assert not exists.any()


def test_every_row_has_the_statistics_of_what_was_read_of_it() -> None:
    meters = Meters([builders.row(), builders.row(), builders.row()])

    _, exists = meters.measure([weights(1), Reading(), weights(1, 2)], 0)

    assert exists[:, INDEX["update_ratio"]].tolist() == [True, False, True]


def test_row_that_is_read_otherwise_than_before_has_other_statistics() -> None:
    measure = meter()
    measure(weights(1), 0)

    assert "update_ratio" not in measure(Reading(), 1)


def test_layer_without_fan_in_is_not_decomposed() -> None:
    assert set(meter()(DENSE, 0)) >= LEVELS
    assert not LEVELS & set(meter(fan_in=None)(DENSE, 0))


def test_recurrent_layer_is_decomposed_only_with_its_state() -> None:
    measure = meter(state_fan_in=1.0)

    assert not LEVELS & set(measure(DENSE, 0))
    assert set(measure(GATE, 0)) >= LEVELS | {"recurrent_gain", "recurrent_gain_db", "state_rms"}


def test_input_and_state_of_a_recurrent_layer_add_up_by_their_powers() -> None:
    # (rms(x) G)^2 = 30 / 4 * 4 * 30 / 4 = 225, (rms(h) G_U)^2 = 4, and z is 1.
    values = meter(state_fan_in=1.0)(GATE, 0)

    assert values["recurrent_gain"] == 2
    assert values["coherence"] == pytest.approx(1 / np.sqrt(225 + 4))


def test_silent_input_has_the_coherence_of_nothing() -> None:
    values = meter()(Reading(x=array([0, 0]), z=array([1]), kernel=vector(1)), 0)

    assert np.isnan(values["coherence"])
    assert np.isnan(values["coherence_db"])
    assert values["input_db"] == -np.inf


def test_bias_that_explains_the_signal_leaves_no_coherence() -> None:
    z = np.tile(vector(1e4, -1e4), (16, 1))
    reading = Reading(x=np.ones((16, 4), np.float32), z=z, bias=z[0], kernel=vector(1, 2))

    assert meter()(reading, 0)["coherence"] == 0


@pytest.mark.parametrize(
    ("kernel_shape", "fan_in", "energy"),
    [
        ((4, 8), 4.0, 30.0),
        ((1, 1, 4, 8), 4.0, 30.0),
        ((3, 3, 4, 8), 36.0, 36 * 30 / 4),
        ((3, 3, 4, 1), 9.0, 9 * 30 / 4),  # depthwise
    ],
)
def test_loudest_direction_is_of_positions_only_where_they_are_what_is_summed(
    kernel_shape: tuple[int, ...], fan_in: float, energy: float
) -> None:
    values = meter(kernel_shape=kernel_shape, fan_in=fan_in)(DENSE, 0)

    assert values["input_eigenvalue"] == pytest.approx(energy)


def test_value_too_large_for_float32_is_sent_as_infinity() -> None:
    loud = Reading(x=array([1e30, 1e30]), z=array([1]), kernel=vector(1))

    values = meter()(loud, 0)

    assert values["input_rms"] == pytest.approx(1e30)
    assert values["input_eigenvalue"] == np.inf


def test_array_without_values_is_not_a_number() -> None:
    none = np.zeros((0, 2), np.float32)

    values = meter()(Reading(x=none, z=none, y=none, post=none, kernel=vector(1)), 0)

    assert np.isnan([values[id] for id in ("input_rms", "pre_q50", "dead_units")]).all()
    assert set(meter()(DENSE, 0)) <= set(values) | {"dead_units", "zero_rate"}


@pytest.mark.parametrize(
    ("dtype", "smallest", "largest"),
    [("float16", 2.0**-14, 65_504), ("bfloat16", 2.0**-126, float.fromhex("0x1.fep127"))],
)
def test_values_at_the_ends_of_their_format_are_counted(
    dtype: str, smallest: float, largest: float
) -> None:
    y = array([0, smallest, -largest, np.inf, np.nan, smallest / 2, -smallest / 2, smallest / 4])

    values = meter(dtype=dtype)(Reading(y=y), 0)

    assert (values["underflow_rate"], values["overflow_rate"]) == (3 / 8, 2 / 8)


def test_format_of_32_bits_has_no_ends_to_watch() -> None:
    assert not {"underflow_rate", "overflow_rate"} & set(meter()(Reading(y=array([1])), 0))


def test_needs_of_statistics_are_readings_or_facts() -> None:
    facts = {"inputs", "outputs", "saturates", "format", "recurrent", "decomposed"}

    needed = {need for needs in NEEDS.values() for need in needs}

    assert needed == (facts | set(Reading.__dataclass_fields__)) - {"nonfinite_inputs"}
