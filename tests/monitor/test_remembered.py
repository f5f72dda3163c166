"""How much the diagnosis remembers of findings that are over."""

from dataclasses import replace

import msgspec

from gainstage.diagnosis import advance, begin
from gainstage.diagnosis.state import MOST_CLOSED

from .builders import CALM, GUILTY, fold, sample, schema


def test_only_the_newest_findings_that_are_over_are_remembered_and_all_are_told() -> None:
    state = begin(schema())
    state, _ = fold(state, *(sample(n, GUILTY["activity"]) for n in range(0, 400, 10)))
    (one,) = state.opened.values()
    over = [msgspec.structs.replace(one, id=str(n), closed_step=n) for n in range(MOST_CLOSED)]
    state = replace(state, closed=tuple(over))
    told = []

    for step in range(400, 800, 10):
        state, events = advance(state, *sample(step, CALM))
        told += events

    assert [event.open for event in told] == [False]
    assert state.closed == (*over[1:], told[0])
    assert state.findings[0] == told[0]
