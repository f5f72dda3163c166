"""Diagnosis as a fold over frames: the same frames give the same findings, wherever it runs."""

import hashlib
import math
from collections.abc import Mapping

import msgspec
import numpy as np

from gainstage import wire
from gainstage.diagnosis.rule import Case, Rule
from gainstage.diagnosis.rules import PLACES, RULES
from gainstage.diagnosis.source import layer, replacement
from gainstage.diagnosis.state import MOST_CLOSED, Spell, State, stand
from gainstage.diagnosis.view import CRAWL, LAYERS, View, anywhere
from gainstage.finding import Evidence, Finding
from gainstage.statistics import BY_ID

LEVELS = ("input", "gain", "coherence", "common_mode", "aligned", "bias", "pre")


def advance(
    state: State, frame: wire.Frame, blocks: Mapping[str, wire.FloatBlock]
) -> tuple[State, list[Finding]]:
    """The state after `frame`, and the findings that opened or closed with it."""
    if frame.source != "probe" or LAYERS not in blocks:
        return state, []
    view = seen(state, frame, blocks)
    cleared, opened = dict(state.cleared), dict(state.opened)
    with np.errstate(invalid="ignore"):  # levels of silence and of overflow are infinite
        spells = _spells(state.spells, view, frame.step)
        events = _close(cleared, opened, view, frame.step)
        events += _open(spells, cleared, opened, view, frame.step)
        asked = view.asked
    # A block that is kept must not hold on to the whole message that it is a part of.
    slower = {name: np.array(blocks[name]) for name in state.layout.slower & blocks.keys()}
    state = State(
        state.layout,
        samples=view.samples,
        first_step=frame.step - view.steps,
        step=frame.step,
        slower={**state.slower, **slower},
        path=view.path,
        first_loss=view.first_loss,
        asked=asked,
        peak_rate=view.peak_rate,
        paced=frame.step - view.crawled,
        spells=spells,
        cleared=cleared,
        opened=opened,
        closed=(*state.closed, *(one for one in events if not one.open))[-MOST_CLOSED:],
        # Most frames change nothing of it, and to name every row is a good part of what they cost.
        standing=stand(state.layout, spells, opened, None if events else state.standing),
    )
    return state, events


def seen(state: State, frame: wire.Frame, blocks: Mapping[str, wire.FloatBlock]) -> View:
    """`frame` as the rules see it after `state`."""
    rate = frame.logs.get("learning_rate", state.layout.schema.training.learning_rate)
    peak = max(state.peak_rate, rate or 0.0)
    paced = (rate or 0.0) >= CRAWL * peak or not state.samples
    loss = frame.logs.get("loss", math.nan)
    newest = {**state.slower, **blocks}
    return View(
        state.layout,
        newest,
        samples=state.samples + 1,
        steps=frame.step - state.first_step if state.samples else 0,
        since=max(0, frame.step - state.step),
        path_before=state.path,
        loss=loss,
        first_loss=state.first_loss if state.samples else loss,
        asked_before=state.asked,
        rate=rate,
        peak_rate=peak,
        crawled=0 if paced else frame.step - state.paced,
        blocks=frozenset(blocks),
        known=state.layout.watched(newest),
    )


def _spells(before: Mapping[str, Spell], view: View, step: int) -> dict[str, Spell]:
    """Verdict -> its spell with the sample at `step`; of those that any row has."""
    spells: dict[str, Spell] = {}
    rows = len(view.layout.rows)
    explained, none = np.zeros(rows, bool), np.zeros(rows, np.int64)
    for rule in RULES:
        symptom = rule.symptom(view)
        if rule.verdict not in before and not anywhere(symptom):
            continue
        held, onset = before.get(rule.verdict, Spell(none, none))
        if rule.late(view):
            symptom = symptom & (held > 0)
        symptom = symptom & ~explained  # precedence: the first rule that applies
        explained |= symptom
        if rule.block in view.blocks:  # a rule counts the samples that hold what it judges
            held = np.where(symptom, held + 1, 0)
            onset = np.where(held == 1, step, onset)
        if anywhere(held > 0):
            spells[rule.verdict] = Spell(held, onset)
    return spells


def _close(
    cleared: dict[int, int], opened: dict[int, Finding], view: View, step: int
) -> list[Finding]:
    """The findings whose symptom has been away long enough, which are taken from `opened`."""
    events = list[Finding]()
    for row, finding in list(opened.items()):
        rule = RULES[PLACES[finding.verdict]]
        if rule.block not in view.blocks:
            continue
        cleared[row] = 0 if rule.holds(view)[row] else cleared.get(row, 0) + 1
        if cleared[row] >= rule.closes_after:
            events.append(_ended(opened.pop(row), step))
            del cleared[row]
    return events


def _open(
    spells: Mapping[str, Spell],
    cleared: dict[int, int],
    opened: dict[int, Finding],
    view: View,
    step: int,
) -> list[Finding]:
    """The findings that are new, behind those that they take the place of in `opened`."""
    over, events = list[Finding](), list[Finding]()
    for place, rule in enumerate(RULES):
        if rule.verdict not in spells or rule.block not in view.blocks:
            continue
        held, onset = spells[rule.verdict]
        persistent = (held >= rule.opens_after) & (step - onset >= rule.least_steps)
        for row in np.flatnonzero(persistent).tolist():
            if rule.spreads and any(one.verdict == rule.verdict for one in opened.values()):
                break
            before = opened.get(row)
            if before is not None and (
                before.verdict == rule.verdict or _keeps(before, place, view, row)
            ):
                continue
            if before is not None:  # the same layer, another cause
                over.append(_ended(before, step))
                cleared.pop(row, None)
            case = Case(view, row, bool(held[row] == view.samples))
            opened[row] = _finding(rule, case, since=int(onset[row]), step=step)
            events.append(opened[row])
    return over + events


def _keeps(finding: Finding, challenger: int, view: View, row: int) -> bool:
    """Whether an open finding stands against the symptom of another rule.

    `nonfinite`, the first of the rules, ends every other finding.
    """
    own = RULES[PLACES[finding.verdict]]
    return challenger > 0 and bool(own.holds(view)[row])


def _ended(finding: Finding, step: int) -> Finding:
    return msgspec.structs.replace(finding, closed_step=step, last_step=step)


def _finding(rule: Rule, case: Case, *, since: int, step: int) -> Finding:
    row = case.row
    prescription = rule.prescribe(case)
    levels = {name: case[f"{name}_db"] for name in LEVELS} | {"headroom": case.headroom_db}
    references = rule.references(case)
    text = f"{row.id}/{rule.verdict}/{since}"
    return Finding(
        id=hashlib.sha256(text.encode()).hexdigest()[:16],
        row=row.id,
        layer=row.path,
        verdict=rule.verdict,
        severity=rule.severity,
        since_step=since,
        last_step=step,
        levels={name: level for name, level in levels.items() if not np.isnan(level)},
        evidence={
            statistic: Evidence(
                case[statistic], limit, BY_ID[statistic].unit, references.get(statistic)
            )
            for statistic, limit in rule.limits(case).items()
        },
        summary=rule.summary(case),
        remedy=prescription.remedy,
        code=prescription.code,
        before=replacement(row, layer(row)) if prescription.code else "",
        effects=prescription.effects,
        alternatives=prescription.alternatives,
    )
