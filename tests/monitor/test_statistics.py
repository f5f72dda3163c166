"""Every statistic of the table against its slow twin, on whatever arrays can be drawn."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gainstage import wire
from gainstage.measures import Meters
from gainstage.presence import NEEDS
from gainstage.readings import Reading
from gainstage.statistics import AMPLITUDES, BY_ID, GRADIENTS, IDS, INDEX, STATISTICS
from gainstage.summaries import Array

from . import builders, reference
from .reference import TWINS, AbsentError, History, Seen

ARRAYS = ("x", "z", "y", "post", "bias", "kernel", "state", "recurrent_kernel", "logits", "moving")
ACTIVATIONS = [*sorted(reference.SATURATED), "relu", "?"]


def drawn(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """[*shape] of one of the kinds of `KINDS`."""
    array = rng.normal(0, 30, shape)
    if kind == "constant":
        array[:] = array.flat[0]
    elif kind == "zero":
        array[:] = 0
    elif kind == "few values":
        array = rng.integers(0, 2, shape)
    elif kind == "tiny spread":
        array = 1e4 + array / 1e4
    elif kind == "tiny":
        array *= 1e-25
    elif kind == "huge":
        array *= 1e22
    elif kind == "half in range":
        array = 10 ** rng.uniform(-9, 9, shape)
    elif kind in {"nan", "inf", "-inf", "1e15"}:
        array.flat[rng.integers(array.size)] = float(kind)
    return array.astype(np.float32)


KINDS = (
    *("ordinary", "constant", "zero", "few values", "tiny spread", "tiny", "huge"),
    *("half in range", "nan", "inf", "-inf", "1e15"),
)


@st.composite
def layers(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, int]]:
    """Facts of a row, and how long the axes of its arrays are; 0 where it has no such array."""
    inputs, units, keys = (draw(st.sampled_from([1, 2, 3])) for _ in range(3))
    facts = {
        "fan_in": draw(st.sampled_from([None, float(inputs), 2.5 * inputs])),
        "state_fan_in": draw(st.sampled_from([None, None, 3.0])),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        "dtype": draw(st.sampled_from(["float32", "float16", "bfloat16"])),
    }
    absent = draw(st.sets(st.sampled_from(ARRAYS), max_size=4)) if draw(st.booleans()) else set()
    widths = {
        "x": inputs,
        "z": units,
        "y": units,
        "post": units,
        "bias": units,
        "kernel": inputs * units,
        "state": units,
        "recurrent_kernel": units * units,
        "logits": keys,
        "moving": inputs * units,
    }
    return facts, {name: width for name, width in widths.items() if name not in absent}


@st.composite
def runs(draw: st.DrawFn) -> list[History]:
    """Up to 18 samples of up to 4 layers, sample by sample for each layer.

    Layers are alike or not; positions differ between samples; an output may be the next input, and
    a kernel what is followed, as the same object.
    """
    kinds = draw(st.lists(layers(), min_size=1, max_size=2))
    order = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    usual = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    few = [
        _sample(order, rng, usual, positions=draw(st.integers(1, 6)), shared=draw(st.booleans()))
        for _ in range(draw(st.integers(1, 3)))
    ]
    step, run = 0, []
    for sample in draw(st.lists(st.sampled_from(few), min_size=1, max_size=18)):
        step += draw(st.integers(1, 9))
        run.append([Seen(step, parts) for parts in sample])
    return [list(history) for history in zip(*run, strict=True)]


def _sample(
    order: list[tuple[dict[str, Any], dict[str, int]]],
    rng: np.random.Generator,
    kinds: list[str],
    *,
    positions: int,
    shared: bool,
) -> list[dict[str, Any]]:
    sample: list[dict[str, Any]] = []
    for facts, widths in order:
        arrays = {
            name: drawn(
                str(rng.choice(kinds)),
                (width,) if "kernel" in name or name in {"bias", "moving"} else (positions, width),
                rng,
            )
            for name, width in widths.items()
        }
        if "logits" in arrays:
            arrays["logits"][rng.random(arrays["logits"].shape) < 0.3] = -np.inf
        before = sample[-1].get("y") if sample else None
        if shared and "x" in arrays and before is not None and before.shape == arrays["x"].shape:
            arrays["x"] = before
        if shared and {"kernel", "moving"} <= arrays.keys():
            arrays["moving"] = arrays["kernel"]
        sample.append({**facts, **arrays, "weights": arrays.get("kernel")})
    return sample


def row(seen: Seen) -> wire.Row:
    pointwise = seen.has("fan_in") and seen.has("x") and seen.fan_in == seen.x.shape[1]
    facts = {name: seen.parts[name] for name in ("fan_in", "state_fan_in", "activation", "dtype")}
    return builders.row(**facts, kernel_shape=(4, 8) if pointwise else (3, 3, 4, 8))


def reading(seen: Seen) -> Reading:
    """What the probe would have read of `seen`."""
    kernel = seen.parts.get("kernel")
    return Reading(
        **{name: seen.parts.get(name) for name in ARRAYS},
        nonfinite_weights=None if kernel is None else reference.share_nonfinite(kernel),
    )


def measured(run: list[History]) -> list[dict[str, float]]:
    """Statistic -> value, of those that exist, of each layer in the last sample."""
    meters = Meters([row(history[0]) for history in run])
    for seen in zip(*run, strict=True):
        values, exists = meters.measure(list(map(reading, seen)), seen[0].step)
    return [
        {id: float(line[INDEX[id]]) for id in IDS if there[INDEX[id]]}
        for line, there in zip(values, exists, strict=True)
    ]


def agree(id: str, value: float, expected: float, scale: float) -> bool:
    """Whether two figures are one; `scale` is how large the values are that cancelled in them."""
    expected = float(np.float32(expected))
    if BY_ID[id].unit == "dB":  # in amplitudes, since the level of a rounding error is any
        value, expected = 10 ** (value / 20), 10 ** (expected / 20)
    if not np.isfinite(expected):
        return not np.isfinite(value)
    return bool(np.isclose(value, expected, rtol=2e-5, atol=1e-36 + 2e-7 * scale))


def scale_of(id: str, seen: Seen) -> float:
    """What rounding in float32 is relative to: the spread, which is all that cancels.

    A spread itself is known to 1e-9 of what it is around.
    """
    source = AMPLITUDES.get(id, id)
    name, _, summary = source.rpartition("_")
    if summary in {"mean", "std"} and name in reference.TENSORS:
        values = reference.wide(reference.TENSORS[name](seen))
        return float(np.std(values) + 1e-2 * np.max(np.abs(values)))
    if source in {"coherence", "common_mode", "aligned"}:
        z = reference.wide(seen.z)
        return reference.of_explained(seen, np.max(np.std(z, axis=0)) + 1e-2 * np.max(np.abs(z)))
    return 1.0 if source == "score_entropy" else 0.0


def differing(history: History, values: dict[str, float]) -> dict[str, tuple[float, float]]:
    expected = reference.expected(history)
    assert set(values) == set(expected)
    return {
        id: (values[id], expected[id])
        for id in values
        if not agree(id, values[id], expected[id], scale_of(id, history[-1]))
    }


def test_every_statistic_has_a_twin_and_every_twin_a_statistic() -> None:
    assert set(TWINS) == set(IDS)


def test_every_statistic_says_what_it_needs() -> None:
    assert set(NEEDS) == set(IDS)


def ambiguous(history: History) -> bool:
    """Whether rounding decides if a unit is pinned."""
    try:
        return bool((np.abs(reference.pinned_shares(history) - 0.95) < 1e-6).any())
    except AbsentError:
        return False


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the twins meet NaN and infinity
@given(runs())
def test_every_statistic_equals_its_twin(run: list[History]) -> None:
    assume(not any(map(ambiguous, run)))

    values = measured(run)

    assert list(map(differing, run, values)) == [{}] * len(run)


def test_comparison_with_the_twins_can_fail() -> None:
    assert agree("pre_rms", 1.0, 1.0, 0.0)
    assert not agree("pre_rms", 1.0, 1.0001, 1.0)
    assert not agree("pre_db", 6.02, 6.03, 1.0)
    assert not agree("pre_rms", 1.0, float("nan"), 1.0)
    assert not agree("pre_rms", float("nan"), 1.0, 1.0)


@given(runs())
def test_values_that_are_not_finite_raise_no_warning(run: list[History]) -> None:
    assert len(measured(run)) == len(run)


def whole(x: Array, z: Array, bias: Array, kernel: Array) -> dict[str, float]:
    """The statistics of a dense layer."""
    parts = {"x": x, "z": z, "y": z, "post": z, "bias": bias, "kernel": kernel.ravel()}
    facts = {"fan_in": float(x.shape[1]), "state_fan_in": None, "dtype": "float32"}
    (values,) = measured([[Seen(1, {**facts, **parts, "activation": "sigmoid"})]])
    return values


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(runs())
def test_coherence_splits_into_common_mode_and_aligned(run: list[History]) -> None:
    for values in measured(run):
        if np.isfinite(values.get("coherence", np.nan)):
            parts = np.hypot(values["common_mode"], values["aligned"])
            assert values["coherence"] == pytest.approx(parts, rel=1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(runs())
def test_levels_of_input_gain_and_coherence_add_up_to_the_signal(run: list[History]) -> None:
    for history, values in zip(run, measured(run), strict=True):
        if "coherence" not in values or history[-1].has("state_fan_in"):
            continue
        total = values["input_db"] + values["gain_db"] + values["coherence_db"]
        if np.isfinite(total):
            level = reference.rms(reference.signal(history[-1]))
            assert 10 ** (total / 20) == pytest.approx(level, rel=1e-4, abs=1e-7 * abs_max(history))


def abs_max(history: History) -> float:
    return float(np.max(np.abs(history[-1].z)))


def test_unrelated_weights_and_inputs_have_a_coherence_of_1() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 400)).astype(np.float32)
    kernel = rng.normal(0, 0.05, (400, 64)).astype(np.float32)
    bias = np.full(64, 3, np.float32)

    values = whole(x, x @ kernel + bias, bias, kernel)

    assert values["coherence_db"] == pytest.approx(0, abs=0.5)
    assert values["kernel_gain"] == pytest.approx(1, abs=0.02)
    assert values["bias_rms"] == 3


def test_positive_inputs_and_weights_have_common_mode() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (256, 400)).astype(np.float32)
    kernel = rng.uniform(0, 0.1, (400, 64)).astype(np.float32)

    values = whole(x, x @ kernel, np.zeros(64, np.float32), kernel)

    assert values["coherence_db"] == pytest.approx(20 * np.log10(20 * 0.75), abs=0.5)
    assert values["common_mode"] > 10 * values["aligned"]


def test_statistics_are_named_once_and_stand_in_the_order_of_the_table() -> None:
    assert len({statistic.id for statistic in STATISTICS}) == len(STATISTICS)
    assert {*IDS, *GRADIENTS} == {statistic.id for statistic in STATISTICS}
    assert [INDEX[id] for id in IDS] == list(range(len(IDS)))


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: statistic.id)
def test_statistic_says_what_it_is(statistic: Any) -> None:
    assert statistic.title
    assert statistic.formula
    assert statistic.meaning.endswith(".")
    assert statistic.version >= 1
    assert statistic.id.endswith("_db") == (statistic.unit == "dB")
