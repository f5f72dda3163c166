"""What came out of a trial, and which arm won."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
# Column -> [steps] of one training.
Course = Mapping[str, Array]

LOSS = "loss"
# Statistics of the layer that an outcome holds behind the loss and the metric.
LEVELS = ("pre_db", "saturation_rate", "gain_db", "coherence_db", "input_db")
# What strengths are chosen by, at the last step: the metric on examples that are not reported on,
# and where that is alike, the loss on them.
CHOICE, CHOICE_LOSS = "choice", "choice_loss"
# Metrics of which more is better, by the end of their names; Keras numbers those of one kind.
# Contestants are ranked by no other metric, since of those it is not known what is better.
MORE_IS_BETTER = re.compile(
    r".*(accuracy|acc|auc|precision|recall|f1_score|fbeta_score|r2_score|iou|io_u)(_\d+)?"
)
# Trainings from which on a difference that all of them show is no chance.
LEAST_SEEDS = 3
# What the seeds tell of a contestant. Best: it leads in every one of them. First: in some another
# does as well. Few: it is first, of too few seeds to tell. Alike: not told apart from the first.
Standing = Literal["best", "first", "few", "alike"]


def more_is_better(metric: str) -> bool:
    """Whether more of a metric of that name is better; of the loss, less is."""
    return MORE_IS_BETTER.fullmatch(metric) is not None


def ranked_by(columns: Iterable[str]) -> str:
    """The column that contestants are ranked by: a metric, or else the task's loss."""
    return next((name for name in columns if more_is_better(name)), LOSS)


class Contestant(msgspec.Struct, frozen=True):
    """An arm, and for a penalty the strength that it was given."""

    arm: str
    strength: float | None = None

    def __str__(self) -> str:
        return self.arm if self.strength is None else f"{self.arm} L2({self.strength:.2g})"


@dataclass(frozen=True)
class Spread:
    """The mean over seeds, the least and the most."""

    mean: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Array) -> "Spread":
        """Of [seeds]."""
        if not np.isfinite(values).all():
            return cls(float("nan"), float("nan"), float("nan"))
        return cls(float(values.mean()), float(values.min()), float(values.max()))


@dataclass(frozen=True)
class Trial:
    """Remedies for one layer side by side, each trained from the same weights on the same batches.

    Attributes:
        layer: Keras's path of the layer.
        contestants: What was tried, one for each arm and strength.
        seeds: One for each order of the batches.
        steps: Optimizer steps at which was measured.
        columns: What was measured, on held-out examples: the task's loss without any penalty, the
            metric if there is one, and `LEVELS` of the layer; where strengths were chosen by other
            held-out examples than those, `CHOICE` and `CHOICE_LOSS`.
        outcomes: [contestants, seeds, steps, columns], NaN where there is no such value.
        interrupted: Whether contestants are missing because the trial was stopped.
    """

    layer: str
    contestants: tuple[Contestant, ...]
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    columns: tuple[str, ...]
    outcomes: Array
    interrupted: bool = False

    @classmethod
    def of(
        cls,
        layer: str,
        courses: Mapping[Contestant, Sequence[Course]],
        steps: Sequence[int],
        *,
        interrupted: bool = False,
    ) -> "Trial":
        """From each contestant's trainings, one for each seed."""
        columns = tuple(next(iter(courses.values()))[0])
        outcomes = [
            [np.stack([course[name] for name in columns], axis=1) for course in trainings]
            for trainings in courses.values()
        ]
        seeds = tuple(range(len(outcomes[0])))
        table = np.array(outcomes, np.float32)
        return cls(layer, tuple(courses), seeds, tuple(steps), columns, table, interrupted)

    @property
    def metric(self) -> str:
        """The column by which contestants are ranked: a metric, or else the task's loss."""
        return ranked_by(self.columns)

    def course(self, contestant: Contestant, column: str) -> Array:
        """[seeds, steps] of one column.

        Raises:
            ValueError: There is no such contestant or column.
        """
        place = self.contestants.index(contestant), self.columns.index(column)
        return self.outcomes[place[0], :, :, place[1]]

    def final(self, contestant: Contestant, column: str) -> Array:
        """[seeds] of one column, at the end."""
        return self.course(contestant, column)[:, -1]

    @property
    def ranking(self) -> tuple[Contestant, ...]:
        """The best strength of each arm, the best arm first; what diverged is last.

        A strength is chosen by `CHOICE`, and the arms are ranked by the metric: the best of several
        figures is better than what it stands for. Among arms that are alike in the metric, such as
        those that solve the task, the one with less loss is the better one.
        """
        by = (CHOICE, CHOICE_LOSS) if CHOICE in self.columns else (self.metric, LOSS)
        best: dict[str, Contestant] = {}
        for one in self._ordered(self.contestants, *by):
            best.setdefault(one.arm, one)
        return tuple(self._ordered(best.values(), self.metric, LOSS))

    @property
    def winner(self) -> Contestant:
        """The first of the ranking."""
        return self.ranking[0]

    def best(self, arm: str) -> Contestant | None:
        """The best strength of an arm; None where it was not tried."""
        return next((one for one in self.ranking if one.arm == arm), None)

    def lead(self, first: Contestant, second: Contestant) -> Spread:
        """By how much the first is better than the second in the metric, seed by seed."""
        sign = 1 if more_is_better(self.metric) else -1
        return Spread.of(sign * (self.final(first, self.metric) - self.final(second, self.metric)))

    @property
    def standings(self) -> dict[Contestant, Standing]:
        """What is known of the first of the ranking, and of those that are not told apart from it.

        What diverged has none, even where all did.
        """
        first, *others = self.ranking
        if self._diverged(first):
            return {}
        if len(self.seeds) < LEAST_SEEDS:
            return {first: "few"}
        whole = [one for one in others if not self._diverged(one)]
        alike = [one for one in whole if not self.lead(first, one).least > 0]
        return {first: "first" if alike else "best", **dict.fromkeys(alike, "alike")}

    @property
    def summary(self) -> str:
        """Who won, by how much, and whether every seed says so."""
        winner, *others = self.ranking
        lost = [str(one) for one in others if self._diverged(one)]
        others = [one for one in others if not self._diverged(one)]
        standings = self.standings
        alike = [str(one) for one, standing in standings.items() if standing == "alike"]
        reached = f"{self.metric} {_between(Spread.of(self.final(winner, self.metric)))}"
        nothing = self.best("nothing")
        if winner == nothing:
            text = f"Nothing tried is better for {self.layer} than the model as it is: {reached}"
        else:
            merit = "is the best" if standings.get(winner) == "best" else "came first"
            text = f"{winner} {merit} for {self.layer}: {reached}"
            if nothing is not None:
                text += f", {_signed(self.lead(winner, nothing).mean)} over nothing"
        if standings.get(winner) == "few":
            text += f". Fewer than {LEAST_SEEDS} seeds do not tell merit from chance"
        elif alike:
            text += f". Not told apart from it over {len(self.seeds)} seeds: {', '.join(alike)}"
        elif others:
            text += f", {_signed(self.lead(winner, others[0]).mean)} over the next, {others[0]}"
        if CHOICE not in self.columns and len(self.contestants) > len(self.ranking):
            text += (
                ". Strengths were chosen by the examples that they are reported on, which flatters "
                "penalties"
            )
        if lost:
            text += f". Diverged: {', '.join(lost)}"
        return f"{text}."

    def show(self) -> None:
        """Prints it as a table."""
        from gainstage.charts import print_trial

        print_trial(self)

    def figure(self) -> Any:
        """It as a `matplotlib.figure.Figure`: the course of each arm.

        Raises:
            RuntimeError: matplotlib is not installed.
        """
        from gainstage.charts import figure

        return figure(self)

    def _ordered(
        self, contestants: Iterable[Contestant], metric: str, loss: str
    ) -> list[Contestant]:
        """The best first, by the metric and, where that is alike, by the loss."""

        def merits(contestant: Contestant) -> tuple[float, float]:
            return self._merit(contestant, metric), -float(self.final(contestant, loss).mean())

        return sorted(contestants, key=merits, reverse=True)

    def _diverged(self, contestant: Contestant) -> bool:
        return not isfinite(self._merit(contestant))

    def _merit(self, contestant: Contestant, by: str | None = None) -> float:
        score = Spread.of(self.final(contestant, by or self.metric)).mean
        if not isfinite(score) or not np.isfinite(self.final(contestant, LOSS)).all():
            return -np.inf
        return score if more_is_better(self.metric) else -score


def _between(spread: Spread) -> str:
    return f"{spread.mean:.3f} ({spread.least:.3f} to {spread.most:.3f})"


def _signed(value: float) -> str:
    return f"{value:+.3f}" if isfinite(value) else "beyond measure"
