"""From judgements to figures, with what chance makes of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import f1_score

HEALTHY = "healthy"
# A hundredth of accuracy, one example in the smallest of the test sets, is no loss.
LOSS = 0.01
RESAMPLES = 2_000


@dataclass(frozen=True)
class Row:
    """One training and what was said of it.

    Attributes:
        right: Whether the verdict is the right one, and of the layer at fault where there is one.
        samples: From the first sample that showed the symptom to the finding; None: no finding.
        quality: Accuracy on held-out examples, or the loss with its sign turned; None: not finite.
        patched: The same, trained with the finding's patch, if there is one.
        cured: Whether no finding of that verdict is open at the end of that.
    """

    family: str
    reported: bool
    expected: str
    seed: int
    found: str
    layer: str
    right: bool
    samples: int | None
    quality: float | None
    patched: float | None = None
    cured: bool | None = None


@dataclass(frozen=True)
class Figure:
    """A value, and the bounds within which it lies with 95 % confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def macro_f1(rows: Sequence[Row]) -> float:
    """F1 of each verdict that is expected, averaged: each counts the same.

    A verdict about another layer than the one at fault counts as a wrong one.
    """
    expected = [row.expected for row in rows]
    found = [row.found if row.right or row.found != row.expected else "elsewhere" for row in rows]
    labels = sorted(set(expected))
    return float(f1_score(expected, found, labels=labels, average="macro", zero_division=0.0))


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


def false_alarms(rows: Sequence[Row]) -> Figure:
    """Healthy trainings of which something is said."""
    healthy = [row for row in rows if row.expected == HEALTHY]
    return share(sum(row.found != HEALTHY for row in healthy), len(healthy))


def delay(rows: Sequence[Row]) -> float:
    """Samples to a right finding, the median."""
    return median(row.samples for row in rows if row.right and row.samples is not None)


def helped(rows: Sequence[Row]) -> Figure:
    """Patches that end the finding without making the model worse."""
    tried = [row for row in rows if row.cured is not None]
    return share(sum(bool(row.cured) and _is_no_worse(row) for row in tried), len(tried))


def _is_no_worse(row: Row) -> bool:
    if row.patched is None:
        return False
    return row.quality is None or row.patched >= row.quality - LOSS
