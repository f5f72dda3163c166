"""Every statistic of the table against its slow twin, on whatever arrays can be drawn."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gainstage.activations import TABLE
from gainstage.measures import Array, Reading, RowMeter, Weights, as_row
from gainstage.statistics import BY_ID, IDS, INDEX, STATISTICS

from . import reference
from .reference import TWINS, History, Seen

TENSORS = ("x", "z", "y", "post", "bias", "kernel", "moving")
ORDINARY = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)


@st.composite
def arrays(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    """Ordinary values, one value throughout, a tiny spread on a large mean, or spoiled ones."""
    kind = draw(st.sampled_from(["ordinary", "constant", "offset", "spoiled"]))
    if kind == "constant":
        return np.full(shape, draw(ORDINARY), np.float32)
    array = draw(npst.arrays(np.float32, shape, elements=ORDINARY))
    if kind == "offset":
        return (1e4 + array / 1e3).astype(np.float32)
    if kind == "spoiled":
        place = draw(st.integers(0, array.size - 1))
        array.flat[place] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e15]))
    return array


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Up to 18 samples of one layer, of one unit and one position at least."""
    positions, inputs, units = (draw(st.integers(1, most)) for most in (6, 4, 4))
    fan_in = draw(st.sampled_from([float(inputs), 2.5 * inputs]))
    activation = draw(st.sampled_from(sorted(reference.SATURATED)))
    shapes = {
        "x": (positions, inputs),
        "z": (positions, units),
        "y": (positions, units),
        "post": (positions, units),
        "bias": (units,),
        "kernel": (inputs, units),
        "moving": (inputs * units,),
    }
    few = [
        {name: draw(arrays(shape)) for name, shape in shapes.items()}
        for _ in range(draw(st.integers(1, 3)))
    ]
    order = draw(st.lists(st.sampled_from(few), min_size=1, max_size=18))
    step, history = 0, []
    for tensors in order:
        step += draw(st.integers(1, 9))
        history.append(Seen(step, fan_in, activation, **tensors))
    return history


def reading(seen: Seen) -> Reading:
    """What the probe would have sent of `seen`."""
    kernel = seen.kernel.astype(np.float64)
    with np.errstate(all="ignore"):
        weights = Weights(float(kernel.mean()), float(kernel.std()), float(np.abs(kernel).max()))
    return Reading(
        x=seen.x,
        z=seen.z,
        y=seen.y,
        post=seen.post,
        bias=seen.bias,
        kernel=weights,
        moving=seen.moving,
        nonfinite_weights=reference.share_nonfinite(seen.kernel, seen.bias),
    )


def measured(history: History) -> dict[str, float]:
    first = history[0]
    meter = RowMeter(
        first.fan_in,
        TABLE[first.activation],
        pointwise=first.x is not None and first.fan_in == first.x.shape[1],
    )
    return [meter.measure(reading(seen), seen.step) for seen in history][-1]


def agree(id: str, value: float, expected: float, scale: float) -> bool:
    """Whether two figures are one; `scale` is the largest magnitude that went into them."""
    if BY_ID[id].unit == "dB":  # in amplitudes, since the level of a rounding error is any
        value, expected = 10 ** (value / 20), 10 ** (expected / 20)
    if not np.isfinite(expected):
        return not np.isfinite(value)
    # float32 sums of products, in the Gram matrix alone.
    precision = 1e-4 * scale if id == "input_eigenvalue" else 1e-9 * scale
    return bool(np.isclose(value, expected, rtol=1e-6, atol=1e-30 + precision))


def scale_of(id: str, seen: Seen) -> float:
    if id == "input_eigenvalue":
        return reference.rms(seen.x) ** 2 * seen.x.shape[1]
    if id.startswith(("coherence", "common_mode", "aligned")):
        return max(
            reference.of_unaligned(seen, reference.rms(seen.z) + reference.rms(seen.bias)), 1
        )
    magnitudes = np.concatenate([np.abs(getattr(seen, name)).ravel() for name in TENSORS])
    return float(np.max(magnitudes, where=np.isfinite(magnitudes), initial=0))


def test_every_statistic_has_a_twin_and_every_twin_a_statistic() -> None:
    assert set(TWINS) == set(IDS)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the twins meet NaN and infinity
@given(histories())
def test_every_statistic_equals_its_twin(history: History) -> None:
    assume((np.abs(reference.pinned_shares(history) - 0.95) > 1e-6).all())

    values = measured(history)

    expected = {id: twin(history) for id, twin in TWINS.items()}
    differing = {
        id: (values[id], expected[id])
        for id in IDS
        if not agree(id, values[id], expected[id], scale_of(id, history[-1]))
    }
    assert differing == {}


def test_comparison_with_the_twins_can_fail() -> None:
    assert agree("pre_rms", 1.0, 1.0, 1.0)
    assert not agree("pre_rms", 1.0, 1.00001, 1.0)
    assert not agree("pre_db", 6.02, 6.03, 1.0)
    assert not agree("pre_rms", 1.0, float("nan"), 1.0)
    assert not agree("pre_rms", float("nan"), 1.0, 1.0)


@given(histories())
def test_values_that_are_not_finite_raise_no_warning(history: History) -> None:
    row, exists = as_row(measured(history))

    assert row.dtype == np.float32
    assert exists.all()


@given(histories())
def test_coherence_splits_into_common_mode_and_aligned(history: History) -> None:
    values = measured(history)

    assume(np.isfinite(values["coherence"]))
    parts = values["common_mode"] ** 2 + values["aligned"] ** 2
    assert values["coherence"] ** 2 == pytest.approx(parts, rel=1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(histories())
def test_levels_of_input_gain_and_coherence_add_up_to_the_signal(history: History) -> None:
    level = reference.decibels(reference.rms(reference.signal(history[-1])))

    values = measured(history)

    total = values["input_db"] + values["gain_db"] + values["coherence_db"]
    assume(np.isfinite(total))
    assert total == pytest.approx(level, abs=1e-6)


def test_unrelated_weights_and_inputs_have_a_coherence_of_1() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 400)).astype(np.float32)
    kernel = rng.normal(0, 0.05, (400, 64)).astype(np.float32)
    bias = np.full(64, 3, np.float32)
    z = x @ kernel + bias

    values = measured([Seen(1, 400.0, "sigmoid", x, z, z, z, bias, kernel, kernel.ravel())])

    assert values["coherence_db"] == pytest.approx(0, abs=0.5)
    assert values["kernel_gain"] == pytest.approx(1, abs=0.02)
    assert values["bias_rms"] == 3


def test_positive_inputs_and_weights_have_common_mode() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (256, 400)).astype(np.float32)
    kernel = rng.uniform(0, 0.1, (400, 64)).astype(np.float32)
    z = x @ kernel
    bias = np.zeros(64, np.float32)

    values = measured([Seen(1, 400.0, "sigmoid", x, z, z, z, bias, kernel, kernel.ravel())])

    assert values["coherence_db"] == pytest.approx(20 * np.log10(20 * 0.75), abs=0.5)
    assert values["common_mode"] > 10 * values["aligned"]


def test_statistics_are_named_once_and_stand_in_the_order_of_the_table() -> None:
    assert len(set(IDS)) == len(STATISTICS)
    assert [INDEX[id] for id in IDS] == list(range(len(IDS)))


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: statistic.id)
def test_statistic_says_what_it_is(statistic: object) -> None:
    assert statistic.title
    assert statistic.formula
    assert statistic.meaning.endswith(".")
    assert statistic.version >= 1
    assert statistic.id.endswith("_db") == (statistic.unit == "dB")
