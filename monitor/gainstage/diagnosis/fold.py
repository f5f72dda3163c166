"""Diagnosis as a fold over frames: the same frames give the same findings, wherever it runs."""

import hashlib
import math
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.diagnosis.rule import Case
from gainstage.diagnosis.rules import RULES, RULES_VERSION
from gainstage.diagnosis.source import layer, replacement
from gainstage.diagnosis.view import COLUMNS, CRAWL, SLOWER, Floats, Layout, View
from gainstage.finding import Evidence, Finding
from gainstage.statistics import BY_ID

HEALTHY = "healthy"
PLACES = {rule.verdict: place for place, rule in enumerate(RULES)}
LEVELS = ("input", "gain", "coherence", "common_mode", "aligned", "bias", "pre")

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """What the diagnosis remembers between frames. Never changed in place.

    Attributes:
        layout: The schema, as arrays.
        samples: Frames folded.
        first_step: Optimizer step of the first of them.
        step: Optimizer step of the newest of them.
        slower: [rows, statistics of blocks that not every frame has], as they last were.
        path: [rows], how far the weights have moved; as in `View`.
        first_loss: The training's loss at the first of them; NaN where it is not known.
        asked: [rows], rms of the most that the data's gradient has been; as in `View`.
        peak_rate: The highest learning rate so far.
        paced: The newest step at a rate that is worth mentioning beside it.
        held: [rules, rows], samples in a row with the symptom.
        onset: [rules, rows], step at which the symptom began.
        cleared: Row -> samples in a row without the symptom of its open finding.
        opened: Row -> its open finding.
        closed: Findings that are over, oldest first.
    """

    layout: Layout
    samples: int = 0
    first_step: int = 0
    step: int = 0
    slower: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    path: Floats = field(default_factory=lambda: np.zeros(0))
    first_loss: float = math.nan
    asked: Floats = field(default_factory=lambda: np.zeros(0))
    peak_rate: float = 0.0
    paced: int = 0
    held: Counts = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    onset: Counts = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    cleared: dict[int, int] = field(default_factory=dict)
    opened: dict[int, Finding] = field(default_factory=dict)
    closed: tuple[Finding, ...] = ()

    @property
    def verdicts(self) -> list[str]:
        """One name of `VERDICTS` a row.

        Empty where the row is not judged, and where a symptom has not lasted long enough to be
        judged either way. While a symptom that spreads is there, nothing else is called healthy.
        """
        spread = any(RULES[PLACES[one.verdict]].spreads for one in self.opened.values())
        settled = self.layout.judged & ~self.held.any(axis=0) & (not spread)
        names = [HEALTHY if healthy else "" for healthy in settled]
        for row, finding in self.opened.items():
            names[row] = finding.verdict
        return names

    @property
    def findings(self) -> list[Finding]:
        """Open findings in order of data flow, then the ones that are over, newest first."""
        return [self.opened[row] for row in sorted(self.opened)] + list(reversed(self.closed))


def begin(schema: wire.Schema) -> State:
    """The state before the first frame of `schema`.

    Raises:
        WireError: The schema contradicts itself.
    """
    rows = len(schema.rows)
    counts = np.zeros((len(RULES), rows), np.int64)
    nothing = np.full((rows, len(COLUMNS) - SLOWER), np.nan)
    none = np.zeros(rows)
    return State(Layout(schema), slower=nothing, path=none, asked=none, held=counts, onset=counts)


def advance(
    state: State, frame: wire.Frame, blocks: dict[str, wire.FloatBlock]
) -> tuple[State, list[Finding]]:
    """The state after `frame`, and the findings that opened or closed with it."""
    if frame.source != "probe" or "layers" not in blocks:
        return state, []
    view = seen(state, frame, blocks)
    state = replace(
        state,
        samples=view.samples,
        first_step=frame.step - view.steps,
        step=frame.step,
        slower=view.values[:, SLOWER:],
        path=view.path,
        first_loss=view.first_loss,
        asked=view.asked,
        peak_rate=view.peak_rate,
        paced=frame.step - view.crawled,
    )
    with np.errstate(invalid="ignore"):  # levels of silence and of overflow are infinite
        return _judge(state, view, frame.step)


def seen(state: State, frame: wire.Frame, blocks: dict[str, wire.FloatBlock]) -> View:
    """`frame` as the rules see it after `state`."""
    values = state.layout.matrix(blocks, state.slower)
    # The first sample has no step before it, and its rows no ratio.
    moved = np.nan_to_num(values[:, COLUMNS["update_ratio"]], nan=0.0)
    rate = frame.logs.get("learning_rate", state.layout.schema.training.learning_rate)
    peak = max(state.peak_rate, rate or 0.0)
    paced = (rate or 0.0) >= CRAWL * peak or not state.samples
    loss = frame.logs.get("loss", math.nan)
    return View(
        state.layout,
        values,
        samples=state.samples + 1,
        steps=frame.step - state.first_step if state.samples else 0,
        path=state.path + moved * max(0, frame.step - state.step),
        loss=loss,
        first_loss=state.first_loss if state.samples else loss,
        asked_before=state.asked,
        rate=rate,
        peak_rate=peak,
        crawled=0 if paced else frame.step - state.paced,
        blocks=frozenset(blocks),
    )


def _judge(state: State, view: View, step: int) -> tuple[State, list[Finding]]:
    symptoms = np.stack([rule.symptom(view) for rule in RULES])
    late = np.array([[rule.late(view)] for rule in RULES])
    symptoms &= ~late | (state.held > 0)
    symptoms &= np.cumsum(symptoms, axis=0) == 1  # precedence: the first rule that applies
    # A rule counts the samples that hold what it judges.
    told = np.array([[rule.block in view.blocks] for rule in RULES])
    held = np.where(told, np.where(symptoms, state.held + 1, 0), state.held)
    onset = np.where(told & (held == 1), step, state.onset)
    state = replace(state, held=held, onset=onset)
    state, closed = _close(state, view, step)
    state, opened = _open(state, view, step)
    return state, closed + opened


def _close(state: State, view: View, step: int) -> tuple[State, list[Finding]]:
    cleared, opened, events = dict(state.cleared), dict(state.opened), list[Finding]()
    for row, finding in state.opened.items():
        rule = RULES[PLACES[finding.verdict]]
        if rule.block not in view.blocks:
            continue
        cleared[row] = 0 if rule.holds(view)[row] else cleared.get(row, 0) + 1
        if cleared[row] >= rule.closes_after:
            events.append(_ended(opened.pop(row), step))
            del cleared[row]
    return replace(state, cleared=cleared, opened=opened, closed=(*state.closed, *events)), events


def _open(state: State, view: View, step: int) -> tuple[State, list[Finding]]:
    cleared, opened = dict(state.cleared), dict(state.opened)
    over, events = list[Finding](), list[Finding]()
    for place, rule in enumerate(RULES):
        persistent = (state.held[place] >= rule.opens_after) & (
            step - state.onset[place] >= rule.least_steps
        )
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
            since = int(state.onset[place, row])
            case = Case(view, row, bool(state.held[place, row] == view.samples))
            opened[row] = _finding(place, case, since=since, step=step)
            events.append(opened[row])
    closed = (*state.closed, *over)
    return replace(state, cleared=cleared, opened=opened, closed=closed), over + events


def _keeps(finding: Finding, challenger: int, view: View, row: int) -> bool:
    """Whether an open finding stands against the symptom of another rule.

    `nonfinite`, the first of the rules, ends every other finding.
    """
    own = RULES[PLACES[finding.verdict]]
    return challenger > 0 and bool(own.holds(view)[row])


def _ended(finding: Finding, step: int) -> Finding:
    return msgspec.structs.replace(finding, closed_step=step, last_step=step)


def _finding(rule_place: int, case: Case, *, since: int, step: int) -> Finding:
    rule, row = RULES[rule_place], case.row
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


class _Version(msgspec.Struct, frozen=True):
    rules_version: int


class _Checkpoint(_Version, frozen=True):
    schema: wire.Schema
    samples: int
    first_step: int
    step: int
    slower: list[list[float]]
    path: list[float]
    first_loss: float
    asked: list[float]
    peak_rate: float
    paced: int
    held: list[list[int]]
    onset: list[list[int]]
    cleared: dict[int, int]
    opened: dict[int, Finding]
    closed: tuple[Finding, ...]


def dump_state(state: State) -> bytes:
    """`state` as bytes, from which another process continues."""
    return msgspec.msgpack.encode(
        _Checkpoint(
            RULES_VERSION,
            state.layout.schema,
            state.samples,
            state.first_step,
            state.step,
            state.slower.tolist(),
            state.path.tolist(),
            state.first_loss,
            state.asked.tolist(),
            state.peak_rate,
            state.paced,
            state.held.tolist(),
            state.onset.tolist(),
            state.cleared,
            state.opened,
            state.closed,
        )
    )


def load_state(data: bytes) -> State:
    """The state that `dump_state` wrote.

    Raises:
        ValueError: It was written by another version of the rules: fold the frames again.
    """
    version = msgspec.msgpack.decode(data, type=_Version).rules_version
    if version != RULES_VERSION:
        raise ValueError(
            f"The state is of rules version {version}, expected {RULES_VERSION}: "
            "fold the run's frames again."
        )
    saved = msgspec.msgpack.decode(data, type=_Checkpoint)
    return State(
        Layout(saved.schema),
        saved.samples,
        saved.first_step,
        saved.step,
        np.array(saved.slower, np.float64).reshape(-1, len(COLUMNS) - SLOWER),
        np.array(saved.path, np.float64),
        saved.first_loss,
        np.array(saved.asked, np.float64),
        saved.peak_rate,
        saved.paced,
        np.array(saved.held, np.int64).reshape(len(RULES), -1),
        np.array(saved.onset, np.int64).reshape(len(RULES), -1),
        saved.cleared,
        saved.opened,
        saved.closed,
    )
