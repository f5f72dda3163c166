"""The fold: when findings open, change and close, and that the same frames always say the same."""

from typing import Any

import msgspec
import numpy as np
import pytest

from gainstage import wire
from gainstage.diagnosis import (
    RULES,
    VERDICTS,
    Finding,
    State,
    advance,
    begin,
    dump_state,
    load_state,
)
from gainstage.windows import WINDOW

from .builders import CALM, GUILTY, SGD, counted, fold, row, sample, schema

BY_VERDICT = {rule.verdict: rule for rule in RULES}
ACTIVITY = BY_VERDICT["activity"]
GAP = 10
NAMES = {verdict.name for verdict in VERDICTS}

Statistics = dict[str, float]


def frames(count: int, *rows: Any, start: int = 0, gap: int = GAP) -> list[Any]:
    return [sample(start + gap * number, *rows) for number in range(count)]


def opened(*rows: Any) -> State:
    """A state in which each row's symptom has just become a finding."""
    model = schema([row(f"layer-{place}") for place in range(len(rows))])
    return fold(begin(model), *frames(ACTIVITY.opens_after, *rows))[0]


def told(findings: list[Finding]) -> list[tuple[str, int, int | None]]:
    return [(one.verdict, one.since_step, one.closed_step) for one in findings]


def test_healthy_layer_is_called_so_and_one_that_is_not_judged_is_not() -> None:
    rows = [row("a"), row("b", unjudged="read by its output only")]

    state, events = fold(begin(schema(rows)), *frames(20, CALM, CALM))

    assert state.verdicts == ("healthy", "")
    assert events == state.findings == []


# Those of them wait for a window of samples to fill.
AT_ONCE = [rule.verdict for rule in RULES if rule.verdict not in {"dead", "untrained"}]


@pytest.mark.parametrize("verdict", AT_ONCE)
def test_finding_opens_once_its_symptom_has_held(verdict: str) -> None:
    rule = BY_VERDICT[verdict]
    state = begin(schema())
    needed = max(rule.opens_after, 1 + rule.least_steps // GAP)
    before = frames(needed - 1, GUILTY[verdict])
    state, events = fold(state, *before)
    assert events == []
    assert state.verdicts == ("" if before else "healthy",)

    state, events = advance(state, *sample(GAP * len(before), GUILTY[verdict]))

    assert told(events) == [(verdict, 0, None)]
    assert state.verdicts == (verdict,)
    assert state.findings == events


def test_dead_units_are_found_after_a_window_and_their_own_persistence() -> None:
    _, events = fold(begin(schema()), *frames(40, GUILTY["dead"]))

    assert told(events) == [("dead", GAP * (WINDOW - 1), None)]
    assert events[0].last_step == GAP * (WINDOW + BY_VERDICT["dead"].opens_after - 2)
    assert "They died before the step that this is dated to" in events[0].summary


@pytest.mark.parametrize("gap", [1, 3, 10, 50])
def test_dense_sampling_does_not_take_a_transient_for_a_state(gap: int) -> None:
    _, events = fold(begin(schema()), *frames(60, GUILTY["activity"], gap=gap))

    steps = events[0].last_step
    assert steps >= ACTIVITY.least_steps
    assert steps >= gap * (ACTIVITY.opens_after - 1)
    # No later than needed: one sample less would have been too early by one of the two.
    assert steps - gap < max(ACTIVITY.least_steps, gap * (ACTIVITY.opens_after - 1))


def test_one_sample_without_the_symptom_begins_the_count_anew() -> None:
    almost = frames(ACTIVITY.opens_after - 1, GUILTY["activity"])
    pause = frames(1, CALM, start=100)
    again = frames(ACTIVITY.opens_after, GUILTY["activity"], start=110)

    _, events = fold(begin(schema()), *almost, *pause, *again)

    assert told(events) == [("activity", 110, None)]


def test_finding_closes_after_its_symptom_has_been_away_long_enough() -> None:
    state = opened(GUILTY["activity"])
    state, events = fold(state, *frames(ACTIVITY.closes_after - 1, CALM, start=100))
    assert events == []
    assert state.verdicts == ("activity",)

    state, events = advance(state, *sample(200, CALM))

    assert told(events) == [("activity", 0, 200)]
    assert events[0].last_step == 200
    assert not events[0].open
    assert state.verdicts == ("healthy",)
    assert state.findings == events


def test_relapse_before_closing_begins_the_count_anew() -> None:
    state = opened(GUILTY["activity"])
    away = ACTIVITY.closes_after - 1

    state, events = fold(
        state,
        *frames(away, CALM, start=100),
        *frames(1, GUILTY["activity"], start=200),
        *frames(away, CALM, start=300),
    )

    assert events == []
    assert state.verdicts == ("activity",)


def test_between_opening_and_closing_nothing_changes() -> None:
    between = {**GUILTY["activity"], "pre_db": 14.0, "saturation_rate": 0.2}

    assert fold(begin(schema()), *frames(30, between))[1] == []
    assert fold(opened(GUILTY["activity"]), *frames(30, between, start=100))[1] == []


def test_another_cause_takes_over_only_where_it_stands_well_above() -> None:
    just = {**GUILTY["activity"], "gain_db": 33.0}
    well = {**GUILTY["activity"], "gain_db": 40.0}

    _, kept = fold(opened(GUILTY["activity"]), *frames(30, just, start=100))
    state, taken = fold(opened(GUILTY["activity"]), *frames(3, well, start=100))

    assert kept == []
    assert told(taken) == [("activity", 0, 120), ("kernel", 100, None)]
    assert state.verdicts == ("kernel",)
    assert told(state.findings) == [("kernel", 100, None), ("activity", 0, 120)]


def test_finding_that_took_over_has_its_own_patience_before_it_closes() -> None:
    kernel = {**GUILTY["activity"], "gain_db": 40.0}
    away = BY_VERDICT["kernel"].closes_after - 1
    # Three samples without activity's symptom have been counted when the kernel takes over.
    state, _ = fold(opened(GUILTY["activity"]), *frames(3, kernel, start=100))

    state, events = fold(state, *frames(away, CALM, start=200))

    assert events == []
    assert state.verdicts == ("kernel",)


def test_not_finite_comes_at_once_and_before_everything_else() -> None:
    bad = {**GUILTY["activity"], "nonfinite_rate": 0.5}

    state, events = advance(opened(GUILTY["activity"]), *sample(100, bad))

    assert told(events) == [("activity", 0, 100), ("nonfinite", 100, None)]
    assert events[1].severity == "critical"
    assert state.verdicts == ("nonfinite",)


def test_layers_behind_the_first_that_is_not_finite_are_not_accused() -> None:
    bad = {**CALM, "nonfinite_rate": 1.0}
    rows = [row("a"), row("b"), row("c")]

    state, events = fold(begin(schema(rows)), *frames(9, CALM, bad, bad))

    assert [event.row for event in events] == ["b"]
    assert state.verdicts == ("", "nonfinite", "")


def test_nothing_is_called_healthy_while_what_is_not_finite_spreads() -> None:
    bad = {**CALM, "nonfinite_rate": 1.0}
    rows = [row("a"), row("b"), row("c")]
    calm, _ = fold(begin(schema(rows)), *frames(9, CALM, CALM, CALM))

    state, _ = fold(calm, *frames(1, CALM, bad, GUILTY["activity"], start=100))
    after, _ = fold(state, *frames(9, CALM, CALM, CALM, start=200))

    assert calm.verdicts == ("healthy",) * 3
    assert state.verdicts == ("", "nonfinite", "")
    assert after.verdicts == ("healthy",) * 3


def test_finding_that_does_not_spread_leaves_the_other_layers_healthy() -> None:
    assert opened(CALM, GUILTY["activity"]).verdicts == ("healthy", "activity")


VALUES = msgspec.structs.replace(SGD, loss="mse")


@pytest.mark.parametrize(
    ("training", "left", "found"),
    [(SGD, 0.021, True), (SGD, 0.019, False), (SGD, -1.0, True), (VALUES, 0.019, True)],
)
def test_layer_that_saturates_once_hardly_any_cross_entropy_is_left_is_no_finding(
    training: wire.Training, left: float, found: bool
) -> None:
    before = sample(0, CALM, loss=2.0)
    behind = [sample(step, GUILTY["activity"], loss=left) for step in range(10, 100, GAP)]

    state, events = fold(begin(schema(training=training)), before, *behind)

    assert bool(events) == found
    assert state.verdicts == ("activity" if found else "healthy",)


def test_layer_that_was_saturated_before_the_loss_went_is_a_finding() -> None:
    losses = {0: 2.0, 10: 0.0, 20: 0.0, 30: 0.0, 40: 0.0}

    course = [sample(step, GUILTY["activity"], loss=loss) for step, loss in losses.items()]
    state, events = fold(begin(schema()), *course)

    assert told(events) == [("activity", 0, None)]
    assert state.verdicts == ("activity",)


def test_patch_begins_from_the_default_initializer_where_another_put_the_symptom_there() -> None:
    given = {"class": "keras.initializers.RandomNormal", "arguments": {"mean": 0.3}}
    rows = [row("a", arguments={"name": "a", "kernel_initializer": given}), row("b")]
    loud = frames(9, GUILTY["activity"], GUILTY["activity"], start=100)

    from_the_first, _ = fold(begin(schema(rows)), *loud)
    later, _ = fold(begin(schema(rows)), *frames(1, CALM, CALM), *loud)

    named = ["RandomNormal" in finding.remedy for finding in from_the_first.findings]
    assert named == [True, False]
    assert "RandomNormal" not in from_the_first.findings[0].code
    assert "RandomNormal(" in later.findings[0].code
    assert not any("initializer" in finding.remedy for finding in later.findings)


def test_finding_with_a_patch_holds_the_layer_as_it_is_in_the_same_form() -> None:
    (patched,) = opened(GUILTY["activity"]).findings
    (advised,) = opened(CALM | {"nonfinite_rate": 1.0}).findings

    assert patched.before.splitlines() == [
        "# In the place of 'model/layer-0':",
        "replacement = [",
        "    keras.layers.Dense(",
        "        units=8,",
        "        activation='sigmoid',",
        "        name='layer-0',",
        "    ),",
        "]",
    ]
    kept = [line for line in patched.code.splitlines() if line in patched.before.splitlines()]
    assert "        units=8," in kept
    assert (advised.verdict, advised.code, advised.before) == ("nonfinite", "", "")


def test_layers_that_the_first_one_that_is_not_finite_has_spread_to_are_not_accused_later() -> None:
    bad = {**CALM, "nonfinite_rate": 1.0}
    rows = [row("a"), row("b")]

    _, events = fold(begin(schema(rows)), *frames(3, CALM, bad), *frames(9, bad, bad, start=100))

    assert [event.row for event in events] == ["b"]


def test_schema_without_the_block_that_is_judged_is_an_error_of_the_wire() -> None:
    nothing = msgspec.structs.replace(schema(), blocks={})

    with pytest.raises(wire.WireError, match=r"'layers'.*Received: none"):
        begin(nothing)


def test_saturated_layer_that_is_constant_too_is_not_called_dead() -> None:
    both = {**GUILTY["activity"], "dead_units": 1.0}

    state, _ = fold(begin(schema()), *frames(40, both))

    assert state.verdicts == ("activity",)


def test_symptom_behind_another_counts_only_once_that_one_is_gone() -> None:
    both = {**GUILTY["activity"], "dead_units": 1.0}

    state, _ = fold(
        begin(schema()), *frames(WINDOW + 9, both), *frames(9, GUILTY["dead"], start=1_000)
    )

    assert told(state.findings) == [("dead", 1_000, None), ("activity", 0, 1_020)]


def test_findings_of_several_layers_come_in_order_of_data_flow() -> None:
    state = opened(GUILTY["kernel"], CALM, GUILTY["input"])

    assert [(one.row, one.verdict) for one in state.findings] == [
        ("layer-0", "kernel"),
        ("layer-2", "input"),
    ]


def test_finding_carries_levels_and_evidence() -> None:
    (finding,) = opened(GUILTY["activity"]).findings

    assert finding.layer == "model/layer-0"
    assert set(finding.levels) == {"input", "gain", "coherence", "bias", "pre", "headroom"}
    assert finding.levels["coherence"] == 30.0
    assert finding.levels["headroom"] == pytest.approx(15.543, abs=0.01)
    assert finding.evidence["coherence_db"].value == 30.0
    assert finding.evidence["coherence_db"].limit == 0.0
    assert finding.evidence["coherence_db"].unit == "dB"
    assert finding.evidence["gain_db"].limit is None


@pytest.mark.parametrize("skipped", ["validation", "block"])
def test_frames_that_are_no_samples_of_the_layers_change_nothing(skipped: str) -> None:
    state = begin(schema())
    frame, blocks = sample(0, GUILTY["nonfinite"])

    if skipped == "validation":
        frame = msgspec.structs.replace(frame, source="validation")
    else:
        blocks = {"units": blocks["layers"]}

    assert advance(state, frame, blocks) == (state, [])


def test_value_that_the_mask_takes_away_is_not_judged() -> None:
    from gainstage.statistics import INDEX

    exists = np.ones((1, len(INDEX)), bool)
    exists[0, INDEX["saturation_rate"]] = False

    _, events = fold(begin(schema(exists=exists)), *frames(9, GUILTY["activity"]))

    assert events == []


def test_schema_without_rows_is_diagnosed_as_nothing() -> None:
    empty = wire.Schema(
        run="r",
        attempt="a",
        seq=1,
        time=0.0,
        rows=(),
        blocks={"layers": wire.BlockSchema((), b"")},
        training=SGD,
    )
    frame = wire.Frame(run="r", attempt="a", seq=2, time=0.0, schema=1, step=5)

    state, events = advance(begin(empty), frame, {"layers": np.zeros((0, 0), np.float32)})

    assert (state.verdicts, events) == ((), [])
    assert load_state(dump_state(state), empty).verdicts == ()


def test_mask_that_contradicts_the_rows_is_an_error_of_the_wire() -> None:
    wrong = msgspec.structs.replace(schema(), rows=(row("a"), row("b")))

    with pytest.raises(wire.WireError, match="2 rows"):
        begin(wrong)


def test_sample_costs_no_more_calls_where_there_are_more_layers() -> None:
    def calls(layers: int) -> int:
        lines = [CALM] * layers
        state, _ = fold(
            begin(schema([row(f"{place}") for place in range(layers)])), *frames(WINDOW, *lines)
        )
        frame, blocks = sample(1_000, *lines)
        return counted(lambda: advance(state, frame, blocks))

    assert calls(100) == calls(10)
    # Calls, not values, are what a sample of up to 1,000 layers costs.
    assert calls(10) < 300
