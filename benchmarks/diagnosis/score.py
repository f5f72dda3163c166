"""From judgements to figures, with what chance makes of them."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from benchmarks.diagnosis.neighbours import Alarm
from benchmarks.diagnosis.remedies import TRIED, Tried

HEALTHY = "healthy"
# A hundredth of accuracy, one example in the smallest of the test sets, is no loss.
LOSS = 0.01
RESAMPLES = 2_000


@dataclass(frozen=True)
class Row:
    """One training and what was said of it.

    Attributes:
        right: Whether the verdict is the right one, and of the layer at fault where there is one.
        grace: Samples before the first that showed the symptom; None: no finding.
        samples: From the first sample that showed the symptom to the finding; None: no finding.
        quality: Accuracy on held-out examples, or the loss with its sign turned; None: not finite.
        patched: The same, trained with the finding's patch, if there is one.
        runs: Whether the patch can be applied, if there is one.
        cured: Whether no finding of that verdict is open at the end of that.
        tried: What came out of a trial of the first finding's layer, if there was one.
        failed: Whether the model ended worse than a constant answer.
        peers: Tool -> its first alarm.
    """

    family: str
    reported: bool
    expected: str
    seed: int
    found: str
    layer: str
    right: bool
    grace: int | None
    samples: int | None
    quality: float | None
    patched: float | None = None
    cured: bool | None = None
    runs: bool | None = None
    tried: Tried | None = None
    failed: bool = False
    peers: Mapping[str, Alarm] = field(default_factory=dict)

    @property
    def alarm(self) -> Alarm:
        """The finding, as a tool's alarm."""
        if self.grace is None or self.samples is None:
            return Alarm()
        return Alarm((self.found,), self.grace + self.samples)


@dataclass(frozen=True)
class Figure:
    """A value, and the bounds within which it lies with 95 % confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def f1_of_each(rows: Sequence[Row]) -> dict[str, float]:
    """Verdict that is expected -> its F1.

    A verdict about another layer than the one at fault counts as a wrong one.
    """
    expected = [row.expected for row in rows]
    found = [row.found if row.right or row.found != row.expected else "elsewhere" for row in rows]
    labels = sorted(set(expected))
    scores = f1_score(expected, found, labels=labels, average=None, zero_division=0.0)
    return {label: float(score) for label, score in zip(labels, scores, strict=True)}


def macro_f1(rows: Sequence[Row]) -> float:
    """F1 of each verdict that is expected, averaged: each counts the same."""
    return float(np.mean(list(f1_of_each(rows).values())))


def by_family(rows: Sequence[Row], figure: Callable[[Sequence[Row]], float]) -> Figure:
    """`figure` of the rows; its bounds are of families drawn anew within each verdict.

    Cases of one family are alike, so that they say less than as many of different ones would.
    """
    families: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        families.setdefault(row.expected, {}).setdefault(row.family, []).append(row)
    rng = np.random.default_rng(0)

    def drawn() -> float:
        chosen = [
            row
            for kinds in families.values()
            for name in rng.choice(list(kinds), len(kinds))
            for row in kinds[name]
        ]
        return figure(chosen)

    low, high = np.quantile([drawn() for _ in range(RESAMPLES)], [0.025, 0.975])
    return Figure(figure(rows), float(low), float(high))


def share(count: int, of: int) -> Figure:
    """`count` of `of`, within Wilson's interval (Wilson 1927)."""
    bounds = binomtest(count, of).proportion_ci(method="wilson")
    return Figure(count / of, float(bounds.low), float(bounds.high))


def is_fair(row: Row) -> bool:
    """Whether the row counts: not a training without a fault that failed all the same."""
    return row.expected != HEALTHY or not row.failed


def false_alarms(rows: Sequence[Row]) -> Figure:
    """Healthy trainings of which something is said."""
    healthy = [row for row in rows if row.expected == HEALTHY]
    return share(sum(row.found != HEALTHY for row in healthy), len(healthy))


def waits(rows: Sequence[Row]) -> tuple[str, str]:
    """Of right findings, the samples before the symptom shows and those from there on.

    Each as its median and the most. Rules that need a window of samples see nothing before it is
    full.
    """
    found = [row for row in rows if row.right and row.samples is not None]
    if not found:
        return "none", "none"
    graces, delays = [row.grace for row in found], [row.samples for row in found]
    return tuple(f"{median(each):g}, {max(each)}" for each in (graces, delays))


def runs(rows: Sequence[Row]) -> Figure:
    """Patches that can be applied."""
    patched = [row.runs for row in rows if row.runs is not None]
    return share(sum(patched), len(patched))


def helped(rows: Sequence[Row]) -> Figure:
    """Patches that end the finding without making the model worse."""
    tried = [row for row in rows if row.cured is not None]
    return share(sum(bool(row.cured) and _is_no_worse(row) for row in tried), len(tried))


def _is_no_worse(row: Row) -> bool:
    if row.patched is None:
        return False
    return row.quality is None or row.patched >= row.quality - LOSS


def contested(rows: Sequence[Row]) -> tuple[Figure, Figure] | None:
    """Of trials after `activity`, those in which the activity penalty beats the kernel penalty.

    And those in which it is better, or behind by no more than LOSS. Each arm at its best strength.
    None: there are no such trials.
    """
    trials = [row.tried for row in rows if row.found == "activity" and row.tried]
    if not trials:
        return None
    won = sum(trial.beats("activity", "kernel") for trial in trials)
    close = sum(trial.lead("activity", "kernel") >= -LOSS for trial in trials)
    return share(won, len(trials)), share(close, len(trials))


def winners(rows: Sequence[Row]) -> dict[str, str]:
    """Verdict -> how often each arm of the trials is the best, or within one point of it."""
    told: dict[str, str] = {}
    for verdict in TRIED:
        trials = [row.tried for row in rows if row.found == verdict and row.tried]
        best = Counter(arm for trial in trials for arm in trial.best(LOSS))
        counts = ", ".join(f"{arm} {count}" for arm, count in best.most_common())
        if trials:
            told[f"best arms of {len(trials)} trials after {verdict}"] = counts
    return told


@dataclass(frozen=True)
class Tool:
    """How one tool does: shares of faulty trainings, and of healthy ones.

    Attributes:
        detected: Faults of which it says something.
        cause: Faults of which it names the cause, and no other that it could be.
        alarms: Healthy trainings of which it says something.
        samples: Of those whose cause it names, the median of samples from the training's first to
            that at which it does; None: it names none.
    """

    detected: float
    cause: float
    alarms: float
    samples: float | None

    def __str__(self) -> str:
        when = "" if self.samples is None else f" {self.samples:g} samples from the start"
        return (
            f"says something of {self.detected:.1%} of faults and {self.alarms:.1%} of healthy "
            f"trainings, names the cause of {self.cause:.1%}{when}"
        )


def compared(rows: Sequence[Row]) -> dict[str, Tool]:
    """Tool -> how it does, Gainstage first. Whether the right layer is named counts for none."""
    told = {"Gainstage": [row.alarm for row in rows]}
    told |= {name: [row.peers[name] for row in rows] for name in rows[0].peers}
    return {name: _tool(rows, alarms) for name, alarms in told.items()}


def _tool(rows: Sequence[Row], told: Sequence[Alarm]) -> Tool:
    both = list(zip(rows, told, strict=True))
    faulty = [(row, alarm) for row, alarm in both if row.expected != HEALTHY]
    healthy = [alarm for row, alarm in both if row.expected == HEALTHY]
    named = [alarm for row, alarm in faulty if alarm.means == (row.expected,)]
    return Tool(
        detected=_share(sum(bool(alarm.means) for _, alarm in faulty), len(faulty)),
        cause=_share(len(named), len(faulty)),
        alarms=_share(sum(bool(alarm.means) for alarm in healthy), len(healthy)),
        samples=median([alarm.sample for alarm in named]) if named else None,
    )


def _share(count: int, of: int) -> float:
    return count / of if of else math.nan
