"""What the diagnosis says: a finding, and the table of verdicts it is taken from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from gainstage.printable import printable

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True)
class Verdict:
    """A name of what is wrong with a layer, and what that means in one sentence."""

    name: str
    meaning: str


VERDICTS = (
    Verdict("healthy", "None of the below."),
    Verdict("nonfinite", "NaN or infinity appeared in this layer first."),
    Verdict("activity", "The weights line up with the inputs: the outputs need the penalty."),
    Verdict("kernel", "The weights are too large for their number: the kernel needs the penalty."),
    Verdict("input", "What enters is too loud: it needs scaling."),
    Verdict("bias", "The bias alone drives the layer out of range."),
    Verdict(
        "over_regularized",
        "Regularizers ask as much of the weights as the data do, and have silenced the layer.",
    ),
    Verdict("dead", "Units put out the same value whatever comes in."),
    Verdict(
        "exploding",
        "Levels or gradients grow from layer to layer beyond what can be learned from.",
    ),
    Verdict(
        "vanishing",
        "The gradient is all but gone before it reaches this layer and those before it.",
    ),
    Verdict("untrained", "The weights are trainable and hardly move."),
)


class Evidence(msgspec.Struct, frozen=True):
    """A statistic's value and the limit it was held against; no limit: shown for comparison.

    Attributes:
        reference: For a term of the level: where it should stand. The term that stands highest
            above its own is the cause.
    """

    value: float
    limit: float | None = None
    unit: str = ""
    reference: float | None = None


class Effect(msgspec.Struct, frozen=True):
    """What the remedy is expected to do to one term of the level: `change` in dB.

    Attributes:
        term: "pre", "gain", "coherence", "input" or "bias", as in `Finding.levels`.
        change: Below 0 where it becomes quieter.
    """

    term: str
    change: float


class Alternative(msgspec.Struct, frozen=True):
    """Another means against the same fault.

    Attributes:
        name: "kernel penalty", "activity penalty", "centred input", "scaled input" or
            "normalisation".
        reason: Why it ranks lower, in one sentence with the layer's own figures.
    """

    name: str
    reason: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A layer out of range: what, since when, why, and what to change.

    Attributes:
        id: Identity of the finding within its run.
        row: Identity of the layer's call, `wire.Row.id`.
        layer: Keras's path of the layer.
        verdict: A name of `VERDICTS`.
        severity: How much it matters.
        since_step: Optimizer step of the sample where the symptom began.
        last_step: Optimizer step of the sample at which it opened or closed; levels and evidence
            are those of the opening, for which the remedy was computed.
        closed_step: Optimizer step at which the symptom was over; None while it holds.
        levels: The decomposition of the pre-activation's level in dB.
        evidence: Statistic id -> its value and the limit that it crossed.
        summary: One sentence.
        remedy: What to do, and why not the alternatives.
        code: Python that assigns `replacement`, the layers to put in place of `layer`.
        before: The same of the layer as it is; empty where `code` is.
        effects: What the remedy is expected to do; what was not computed is left out.
        alternatives: The means that rank below it, best first.
    """

    id: str
    row: str
    layer: str
    verdict: str
    severity: Severity
    since_step: int
    last_step: int
    closed_step: int | None = None
    levels: dict[str, float] = {}
    evidence: dict[str, Evidence] = {}
    summary: str = ""
    remedy: str = ""
    code: str = ""
    before: str = ""
    effects: tuple[Effect, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    def __str__(self) -> str:
        """Its sentence, and since when: what `on_finding=print` shows."""
        over = "" if self.closed_step is None else f", over at step {self.closed_step}"
        return f"{self.verdict}, since step {self.since_step}{over}: {printable(self.summary)}"

    @property
    def overload(self) -> float | None:
        """How far the level stands over the activation's headroom, in dB; None without either."""
        if "pre" not in self.levels or "headroom" not in self.levels:
            return None
        return self.levels["pre"] - self.levels["headroom"]

    @property
    def open(self) -> bool:
        """Whether the symptom still holds."""
        return self.closed_step is None


def prospect(effects: Sequence[Effect], alternatives: Sequence[Alternative]) -> str:
    """A line: what a remedy is expected to do, and what ranks below it; empty without either."""
    changes = ", ".join(f"{one.term} {one.change:+.0f} dB" for one in effects)
    names = ", ".join(one.name for one in alternatives)
    parts = {"Expected change": changes, "Ranked lower": names}
    return " ".join(f"{head}: {text}." for head, text in parts.items() if text)


def severest_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings by severity, and of the same in the order they came in."""
    return sorted(findings, key=lambda one: -get_args(Severity).index(one.severity))
