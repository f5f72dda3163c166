"""What the diagnosis remembers between frames."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.diagnosis.rules import PLACES, RULES
from gainstage.diagnosis.view import Bools, Floats, Layout
from gainstage.finding import Finding

HEALTHY = "healthy"
# Each is about a kilobyte of memory, and of every checkpoint; the server stores all of them apart.
MOST_CLOSED = 1_000

Counts = npt.NDArray[np.int64]


class Spell(NamedTuple):
    """How long rows have had the symptom of a rule.

    Attributes:
        held: [rows], samples in a row with it.
        onset: [rows], step at which it began; says nothing where it is not there.
    """

    held: Counts
    onset: Counts


class Standing(NamedTuple):
    """How the rows stand.

    Attributes:
        suspected: [rows], whether a symptom is there, of a finding or of what may become one.
        verdicts: One name of `VERDICTS` a row. Empty where the row is not judged, and where a
            symptom has not lasted long enough to be judged either way. While a symptom that spreads
            is there, nothing else is called healthy.
    """

    suspected: Bools
    verdicts: tuple[str, ...]


def stand(
    layout: Layout,
    spells: Mapping[str, Spell],
    opened: Mapping[int, Finding],
    before: Standing | None = None,
) -> Standing:
    """How the rows stand; as `before`, if that is of the same open findings and symptoms."""
    suspected = np.zeros(len(layout.rows), bool)
    for spell in spells.values():
        suspected |= spell.held > 0
    if before is not None and np.array_equal(suspected, before.suspected):
        return before
    spread = any(RULES[PLACES[one.verdict]].spreads for one in opened.values())
    settled = layout.judged & ~suspected & (not spread)
    names = [HEALTHY if healthy else "" for healthy in settled.tolist()]
    for row, finding in opened.items():
        names[row] = finding.verdict
    return Standing(suspected, tuple(names))


@dataclass(frozen=True)
class State:
    """What the diagnosis remembers between frames. Never changed in place.

    Attributes:
        layout: The schema, as arrays.
        samples: Frames folded.
        first_step: Optimizer step of the first of them.
        step: Optimizer step of the newest of them.
        slower: The blocks that not every frame has, as they last were.
        path: [rows], how far the weights have moved; as in `View`.
        first_loss: The training's loss at the first of them; NaN where it is not known.
        asked: [rows], rms of the most that the data's gradient has been; as in `View`.
        peak_rate: The highest learning rate so far.
        paced: The newest step at a rate that is worth mentioning beside it.
        spells: Verdict -> since when rows have its symptom; of those that any row has.
        cleared: Row -> samples in a row without the symptom of its open finding.
        opened: Row -> its open finding.
        closed: Findings that are over, oldest first; of more than `MOST_CLOSED`, the newest.
        standing: What follows from spells and open findings, row by row.
    """

    layout: Layout
    path: Floats
    asked: Floats
    standing: Standing
    samples: int = 0
    first_step: int = 0
    step: int = 0
    slower: Mapping[str, wire.FloatBlock] = field(default_factory=dict)
    first_loss: float = math.nan
    peak_rate: float = 0.0
    paced: int = 0
    spells: Mapping[str, Spell] = field(default_factory=dict)
    cleared: Mapping[int, int] = field(default_factory=dict)
    opened: Mapping[int, Finding] = field(default_factory=dict)
    closed: tuple[Finding, ...] = ()

    @property
    def suspected(self) -> Bools:
        """[rows]: whether a symptom is there, of a finding or of what may become one."""
        return self.standing.suspected

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One name of `VERDICTS` a row; as in `Standing`."""
        return self.standing.verdicts

    @property
    def findings(self) -> list[Finding]:
        """Open findings in order of data flow, then the ones that are over, newest first."""
        return [self.opened[row] for row in sorted(self.opened)] + list(reversed(self.closed))


def begin(schema: wire.Schema, like: State | None = None) -> State:
    """The state before the first frame of `schema`.

    What was made of its rows is shared with `like`, if that is of the same tuple of them.

    Raises:
        WireError: The schema contradicts itself.
    """
    layout, none = Layout.of(schema, like and like.layout), np.zeros(len(schema.rows))
    return State(layout, path=none, asked=none, standing=stand(layout, {}, {}))
