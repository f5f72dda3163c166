"""The fold: when findings open, change and close, and that the same frames always say the same."""

import ast
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gainstage import wire
from gainstage.diagnosis import (
    RULES,
    RULES_VERSION,
    VERDICTS,
    Finding,
    State,
    advance,
    begin,
    dump_state,
    load_state,
)
from gainstage.diagnosis.view import View
from gainstage.measures import WINDOW

from .builders import CALM, GUILTY, LOUD, SGD, fold, row, sample, schema

BY_VERDICT = {rule.verdict: rule for rule in RULES}
ACTIVITY = BY_VERDICT["activity"]
GAP = 10
NAMES = {verdict.name for verdict in VERDICTS}

Statistics = dict[str, float]


def frames(count: int, *rows: Any, start: int = 0, gap: int = GAP) -> list[Any]:
    return [sample(start + gap * number, *rows) for number in range(count)]


def same(some: list[Finding], others: list[Finding]) -> bool:
    """Whether the findings are equal, a NaN among the evidence included."""
    return msgspec.msgpack.encode(some) == msgspec.msgpack.encode(others)


def opened(*rows: Any) -> State:
    """A state in which each row's symptom has just become a finding."""
    model = schema([row(f"layer-{place}") for place in range(len(rows))])
    return fold(begin(model), *frames(ACTIVITY.opens_after, *rows))[0]


def told(findings: list[Finding]) -> list[tuple[str, int, int | None]]:
    return [(one.verdict, one.since_step, one.closed_step) for one in findings]


def test_healthy_layer_is_called_so_and_one_that_is_not_judged_is_not() -> None:
    rows = [row("a"), row("b", unjudged="read by its output only")]

    state, events = fold(begin(schema(rows)), *frames(20, CALM, CALM))

    assert state.verdicts == ["healthy", ""]
    assert events == state.findings == []


@pytest.mark.parametrize("verdict", [rule.verdict for rule in RULES if rule.verdict != "dead"])
def test_finding_opens_once_its_symptom_has_held(verdict: str) -> None:
    rule = BY_VERDICT[verdict]
    state = begin(schema())
    before = frames(rule.opens_after - 1, GUILTY[verdict])
    state, events = fold(state, *before)
    assert events == []

    state, events = advance(state, *sample(GAP * len(before), GUILTY[verdict]))

    assert told(events) == [(verdict, 0, None)]
    assert state.verdicts == [verdict]
    assert state.findings == events


def test_dead_units_are_found_after_a_window_and_their_own_persistence() -> None:
    _, events = fold(begin(schema()), *frames(40, GUILTY["dead"]))

    assert told(events) == [("dead", GAP * (WINDOW - 1), None)]
    assert events[0].last_step == GAP * (WINDOW + BY_VERDICT["dead"].opens_after - 2)


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
    assert state.verdicts == ["activity"]

    state, events = advance(state, *sample(200, CALM))

    assert told(events) == [("activity", 0, 200)]
    assert events[0].last_step == 200
    assert not events[0].open
    assert state.verdicts == ["healthy"]
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
    assert state.verdicts == ["activity"]


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
    assert state.verdicts == ["kernel"]
    assert told(state.findings) == [("kernel", 100, None), ("activity", 0, 120)]


def test_finding_that_took_over_has_its_own_patience_before_it_closes() -> None:
    kernel = {**GUILTY["activity"], "gain_db": 40.0}
    away = BY_VERDICT["kernel"].closes_after - 1
    # Three samples without activity's symptom have been counted when the kernel takes over.
    state, _ = fold(opened(GUILTY["activity"]), *frames(3, kernel, start=100))

    state, events = fold(state, *frames(away, CALM, start=200))

    assert events == []
    assert state.verdicts == ["kernel"]


def test_not_finite_comes_at_once_and_before_everything_else() -> None:
    bad = {**GUILTY["activity"], "nonfinite_rate": 0.5}

    state, events = advance(opened(GUILTY["activity"]), *sample(100, bad))

    assert told(events) == [("activity", 0, 100), ("nonfinite", 100, None)]
    assert events[1].severity == "critical"
    assert state.verdicts == ["nonfinite"]


def test_layers_behind_the_first_that_is_not_finite_are_not_accused() -> None:
    bad = {**CALM, "nonfinite_rate": 1.0}
    rows = [row("a"), row("b"), row("c")]

    state, events = fold(begin(schema(rows)), *frames(9, CALM, bad, bad))

    assert [event.row for event in events] == ["b"]
    assert state.verdicts == ["healthy", "nonfinite", "healthy"]


def test_saturated_layer_that_is_constant_too_is_not_called_dead() -> None:
    both = {**GUILTY["activity"], "dead_units": 1.0}

    state, _ = fold(begin(schema()), *frames(40, both))

    assert state.verdicts == ["activity"]


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
    assert finding.provisional


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

    assert (state.verdicts, events) == ([], [])
    assert load_state(dump_state(state)).verdicts == []


def test_mask_that_contradicts_the_rows_is_an_error_of_the_wire() -> None:
    wrong = msgspec.structs.replace(schema(), rows=(row("a"), row("b")))

    with pytest.raises(wire.WireError, match="2 rows"):
        begin(wrong)


def test_state_of_other_rules_is_refused_with_what_to_do() -> None:
    saved = msgspec.msgpack.decode(dump_state(begin(schema())))
    saved["rules_version"] = RULES_VERSION + 1

    with pytest.raises(ValueError, match="fold the run's frames again"):
        load_state(msgspec.msgpack.encode(saved))


LEVEL = st.sampled_from([-np.inf, -30.0, 0.0, 14.0, 16.0, 20.0, 30.0, 40.0, np.inf, np.nan])
SHARE = st.sampled_from([0.0, 0.05, 0.2, 0.4, 1.0, np.nan])
RARE = st.sampled_from([0.0] * 9 + [0.1])
STATISTICS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("input_db", "gain_db", "coherence_db", "bias_db", "pre_db"), LEVEL),
        **dict.fromkeys(("saturation_rate", "dead_units"), SHARE),
        **dict.fromkeys(("nonfinite_rate", "weight_nonfinite_rate"), RARE),
        "kernel_rms": st.sampled_from([0.0, 1e-3, 1.0, np.inf]),
        "input_eigenvalue": st.sampled_from([0.0, 1e-3, 1.0, np.inf, np.nan]),
    },
).map(lambda drawn: {**LOUD, **drawn})
KEPT = st.sampled_from([*GUILTY.values(), CALM]) | STATISTICS


@st.composite
def courses(draw: st.DrawFn) -> tuple[wire.Schema, list[Any]]:
    """A model of up to 3 layers, and up to 40 samples in which symptoms tend to stay."""
    rows = [
        row(
            f"layer-{place}",
            activation=draw(st.sampled_from(["sigmoid", "sigmoid", "softplus", "relu", None, "?"])),
            fused=draw(st.booleans()),
            unjudged=draw(st.sampled_from(["", "", "", "an output"])),
        )
        for place in range(draw(st.integers(1, 3)))
    ]
    training = msgspec.structs.replace(SGD, optimizer=draw(st.sampled_from(["SGD", "Adam"])))
    samples, step = [], 0
    for _ in range(draw(st.integers(1, 6))):
        statistics = [draw(KEPT) for _ in rows]
        for _ in range(draw(st.integers(1, 7))):
            step += draw(st.sampled_from([1, 10, 25]))
            samples.append(sample(step, *statistics))
    return schema(rows, training), samples


@given(courses())
def test_every_event_is_a_finding_that_can_be_shown(course: tuple[wire.Schema, list[Any]]) -> None:
    model, samples = course
    state = begin(model)

    for frame, blocks in samples:
        state, events = advance(state, frame, blocks)

        shown = {one.id: one for one in state.findings}
        assert all(same([event], [shown[event.id]]) for event in events)
        assert set(state.verdicts) <= NAMES | {""}
        for event in events:
            assert event.verdict in NAMES - {"healthy"}
            assert event.since_step <= event.last_step == frame.step
            assert event.closed_step in {None, frame.step}
            assert event.evidence
            assert event.summary
            assert event.remedy
            ast.parse(event.code)
            wire.decode(wire.encode(wire.FindingChanged(run="r", finding=event)))


@given(courses())
def test_findings_are_never_two_of_one_identity_or_two_open_on_one_layer(
    course: tuple[wire.Schema, list[Any]],
) -> None:
    model, samples = course

    state, _ = fold(begin(model), *samples)

    identities = [one.id for one in state.findings]
    assert len(set(identities)) == len(identities)
    layers = [one.row for one in state.findings if one.open]
    assert len(set(layers)) == len(layers)
    still_open = [one.open for one in state.findings]
    assert still_open == sorted(still_open, reverse=True)


@given(courses())
def test_row_that_is_not_judged_is_told_of_nothing_but_nan(
    course: tuple[wire.Schema, list[Any]],
) -> None:
    model, samples = course

    state, _ = fold(begin(model), *samples)

    unjudged = {one.id for one in model.rows if one.unjudged}
    assert {one.verdict for one in state.findings if one.row in unjudged} <= {"nonfinite"}


@given(courses())
@settings(max_examples=60)
def test_symptom_that_opens_a_finding_also_holds_it(
    course: tuple[wire.Schema, list[Any]],
) -> None:
    model, samples = course
    state = begin(model)
    for number, (_, blocks) in enumerate(samples):
        with np.errstate(invalid="ignore"):
            seen = View(state.layout, state.layout.matrix(blocks), number + 1)
            for rule in RULES:
                assert not (rule.symptom(seen) & ~rule.holds(seen)).any(), rule.verdict


@given(courses())
def test_the_same_frames_give_the_same_findings_and_leave_earlier_states_alone(
    course: tuple[wire.Schema, list[Any]],
) -> None:
    model, samples = course
    states, saved = [begin(model)], []
    events: list[Finding] = []
    for frame, blocks in samples:
        saved.append(dump_state(states[-1]))
        state, new = advance(states[-1], frame, blocks)
        states.append(state)
        events += new

    again, events_again = fold(begin(model), *samples)

    assert same(events_again, events)
    assert dump_state(again) == dump_state(states[-1])
    assert [dump_state(state) for state in states[:-1]] == saved


@given(courses(), st.data())
def test_state_that_was_saved_and_loaded_at_any_point_continues_the_same(
    course: tuple[wire.Schema, list[Any]], data: st.DataObject
) -> None:
    model, samples = course
    cut = data.draw(st.integers(0, len(samples)))
    whole, events = fold(begin(model), *samples)

    half, first = fold(begin(model), *samples[:cut])
    continued, rest = fold(load_state(dump_state(half)), *samples[cut:])

    assert same(first + rest, events)
    assert same(continued.findings, whole.findings)
    assert continued.verdicts == whole.verdicts
    assert dump_state(continued) == dump_state(whole)


def test_state_without_its_memory_would_not_continue_the_same() -> None:
    samples = frames(4, GUILTY["activity"])
    half, _ = fold(begin(schema()), *samples[:2])
    forgetful = msgspec.msgpack.decode(dump_state(half))
    forgetful["held"] = [[0]] * len(RULES)

    _, events = fold(load_state(msgspec.msgpack.encode(forgetful)), *samples[2:])

    assert events == []
    assert fold(half, *samples[2:])[1] != []
