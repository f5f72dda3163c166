"""What holds of the diagnosis on any course of training that can be drawn."""

import ast
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gainstage import wire
from gainstage.diagnosis import (
    RULES,
    VERDICTS,
    Finding,
    advance,
    begin,
    dump_state,
    load_state,
)
from gainstage.diagnosis.fold import seen
from gainstage.diagnosis.view import WATCHED

from .builders import CALM, GUILTY, LOUD, SGD, fold, row, same, sample, schema

NAMES = {verdict.name for verdict in VERDICTS}
OF_RANGE = {"activity", "kernel", "input", "bias", "dead"}
LEVEL = st.sampled_from([-np.inf, -30.0, 0.0, 14.0, 16.0, 20.0, 30.0, 40.0, np.inf, np.nan])
SHARE = st.sampled_from([0.0, 0.05, 0.2, 0.4, 1.0, np.nan])
RARE = st.sampled_from([0.0] * 9 + [0.1])
STATISTICS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("input_db", "gain_db", "coherence_db", "bias_db", "pre_db"), LEVEL),
        **dict.fromkeys(("saturation_rate", "dead_units"), SHARE),
        "gradient_ratio": st.sampled_from([0.0, 1e-6, 5e-3, 1.0, 50.0, 1e3, np.inf, np.nan]),
        "gradient_rms": st.sampled_from([0.0, 1e-3, 1.0, np.inf, np.nan]),
        "penalty_ratio": st.sampled_from([0.0, 0.3, 2.0, np.inf, np.nan]),
        "update_ratio": st.sampled_from([0.0, 1e-8, 5e-6, 1e-3, np.nan]),
        "pre_std": st.sampled_from([0.0, 0.01, 0.4, 1.0, np.nan]),
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
            ast.parse(event.before)
            assert bool(event.before) == bool(event.code)
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
def test_row_that_is_not_judged_is_told_of_nothing_about_its_range(
    course: tuple[wire.Schema, list[Any]],
) -> None:
    model, samples = course

    state, _ = fold(begin(model), *samples)

    unjudged = {one.id for one in model.rows if one.unjudged}
    assert {one.verdict for one in state.findings if one.row in unjudged} <= NAMES - OF_RANGE


@given(courses())
@settings(max_examples=60)
def test_symptom_that_opens_a_finding_also_holds_it(
    course: tuple[wire.Schema, list[Any]],
) -> None:
    model, samples = course
    state = begin(model)
    for frame, blocks in samples:
        view = seen(state, frame, blocks)
        with np.errstate(invalid="ignore"):
            for rule in RULES:
                assert not (rule.symptom(view) & ~rule.holds(view)).any(), rule.verdict
        state, _ = advance(state, frame, blocks)


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
    continued, rest = fold(load_state(dump_state(half), model), *samples[cut:])

    assert same(first + rest, events)
    assert same(continued.findings, whole.findings)
    assert continued.verdicts == whole.verdicts
    assert dump_state(continued) == dump_state(whole)


def test_what_is_asked_of_frames_without_a_new_finding_is_read_at_once() -> None:
    """Column by column takes several times as long, and every frame would."""
    asked = set[str]()
    for statistics in (CALM, GUILTY["activity"]):
        samples = [sample(step, statistics) for step in range(0, 200, 10)]
        state, _ = fold(begin(schema()), *samples)
        view = seen(state, *sample(200, statistics))
        at_once = set(view.known)

        for rule in RULES:
            rule.symptom(view)
            rule.holds(view)

        asked |= {id for id in view.known if isinstance(id, str)}
        assert at_once == WATCHED

    assert asked == WATCHED
