"""What a rule is: a symptom over all layers at once, and the words for one layer that has it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gainstage.diagnosis.strength import safe_db
from gainstage.diagnosis.view import Bools, View
from gainstage.finding import Alternative, Effect, Severity
from gainstage.wire import Row, Training

# Alternatives that the words of a remedy speak of; more are a paragraph that nobody reads.
MENTIONED = 2


@dataclass(frozen=True)
class Case:
    """One layer with a symptom, as the words of a rule need it.

    Attributes:
        view: The frame.
        position: The layer's row.
        from_the_first: Whether the symptom was there in every sample so far.
    """

    view: View
    position: int
    from_the_first: bool = False

    @property
    def row(self) -> Row:
        """The layer."""
        return self.view.layout.rows[self.position]

    @property
    def whole(self) -> Row:
        """The layer that it is a part of, or the layer."""
        return self.view.layout.wholes[self.position]

    @property
    def training(self) -> Training:
        """How it is trained."""
        return self.view.layout.schema.training

    def __getitem__(self, statistic: str) -> float:
        return float(self.view[statistic][self.position])

    @property
    def wanted_db(self) -> float:
        """Level at which the layer is safe: half its headroom, or unit rms where it has none."""
        return safe_db(self.headroom_db)

    @property
    def limit_db(self) -> float:
        """Level above which the layer is out of range; NaN where nothing saturates."""
        return float(self.view.limit_db[self.position])

    @property
    def headroom_db(self) -> float:
        """Level at which the activation saturates; NaN where it does not."""
        return float(self.view.layout.headroom_db[self.position])


@dataclass(frozen=True)
class Prescription:
    """What to change about one layer.

    Attributes:
        advice: What to do.
        code: Python that assigns `replacement`, the layers to put in place of the layer; empty
            where no change of the layer helps.
        effects: What that is expected to do.
        alternatives: What else there is, best first.
    """

    advice: str
    code: str = ""
    effects: tuple[Effect, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    @property
    def remedy(self) -> str:
        """What to do, and why the best of the alternatives were ruled out."""
        reasons = [one.reason for one in self.alternatives[:MENTIONED]]
        return " ".join([self.advice, *reasons])


def effects(**changes: float) -> tuple[Effect, ...]:
    """Term -> its change in dB, as effects; levels of silence and of overflow have none."""
    finite = {term: change for term, change in changes.items() if np.isfinite(change)}
    return tuple(Effect(term, change) for term, change in finite.items())


@dataclass(frozen=True)
class Rule:
    """A verdict and how it is reached.

    Attributes:
        verdict: A name of `finding.VERDICTS`.
        title: What it is called in lists.
        meaning: One sentence.
        threshold: The limit and its reason, as text.
        symptom: [rows], where the symptom is there.
        holds: [rows], where an open finding stays open: a laxer symptom, for hysteresis.
        limits: Statistic id -> the limit it is held against; None: shown for comparison.
        references: Statistic id -> where it should stand, of the terms that are compared.
        summary: One sentence about one layer.
        prescribe: What to change, and why not otherwise.
        late: Whether a symptom that begins now comes too late to be a fault.
        severity: How much it matters.
        opens_after: Samples in a row with the symptom before a finding opens...
        least_steps: ... and steps between the first and the last of them, so that dense sampling
            does not take a transient for a state.
        closes_after: Samples in a row without it before it closes.
        block: The block of a frame that the symptom is read from; samples without it do not count.
        spreads: Whether the symptom reaches every layer from the first: while a finding is open,
            no other layer is accused.
    """

    verdict: str
    title: str
    meaning: str
    threshold: str
    symptom: Callable[[View], Bools]
    holds: Callable[[View], Bools]
    limits: Callable[[Case], dict[str, float | None]]
    summary: Callable[[Case], str]
    prescribe: Callable[[Case], Prescription]
    references: Callable[[Case], dict[str, float]] = lambda _case: {}
    late: Callable[[View], bool] = lambda _view: False
    severity: Severity = "warning"
    opens_after: int = 3
    least_steps: int = 20
    closes_after: int = 5
    block: str = "layers"
    spreads: bool = False


def describe(rule: Rule) -> dict[str, str | int]:
    """The rule as plain data, for the REST list and the docs."""
    return {
        "verdict": rule.verdict,
        "title": rule.title,
        "meaning": rule.meaning,
        "threshold": rule.threshold,
        "severity": rule.severity,
        "opens_after": rule.opens_after,
        "least_steps": rule.least_steps,
        "closes_after": rule.closes_after,
    }
