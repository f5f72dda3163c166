"""Whether a remedy is the right one: which arm wins an actual trial of the case."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.diagnosis.families import Family
from benchmarks.diagnosis.record import BATCH, drawn, stem
from gainstage import Finding, run_trial
from gainstage.arms import ARM_NAMES
from gainstage.outcome import LOSS, Spread, more_is_better
from gainstage.trial import LEAST_STEPS, MOST_STEPS, STRENGTHS

# Trainings of each contestant: a family has several cases already.
SEEDS = 1
# Verdicts whose remedies a trial can tell apart.
TRIED = ("activity", "kernel", "input", "bias")


class Tried(msgspec.Struct, frozen=True):
    """What came out of a case's trial.

    Attributes:
        metric: "accuracy", or "loss" where values are to be said.
        scores: Arm -> the metric on held-out examples at its best strength, the loss with its sign
            turned; None where it diverged.
        losses: Arm -> the loss on them, of those that did not diverge.
    """

    metric: str
    scores: Mapping[str, float | None]
    losses: Mapping[str, float]

    def lead(self, first: str, second: str) -> float:
        """By how much one arm is better than another; what diverged is worse than anything."""
        one, other = (
            -np.inf if self.scores.get(arm) is None else self.scores[arm] for arm in (first, second)
        )
        return 0.0 if one == other else float(one - other)

    def beats(self, first: str, second: str) -> bool:
        """Whether one arm is better than another; where both are alike, by its loss."""
        lead = self.lead(first, second)
        if lead == 0 and {first, second} <= self.losses.keys():
            return self.losses[first] < self.losses[second]
        return lead > 0

    def best(self, margin: float) -> list[str]:
        """The arms that no other is better than by more than the margin."""
        arms = [arm for arm, score in self.scores.items() if score is not None]
        return [one for one in arms if all(self.lead(other, one) <= margin for other in arms)]


def tried(family: Family, seed: int, finding: Finding, folder: Path) -> Tried:
    """The trial of the `seed`-th case of `family`, made where `folder` does not hold it.

    It is another one with other arms, strengths or lengths, or where other things are kept of it.
    """
    kept = Tried.__struct_fields__
    made_of = (
        finding.layer,
        finding.code,
        ARM_NAMES,
        STRENGTHS,
        LEAST_STEPS,
        MOST_STEPS,
        SEEDS,
        kept,
    )
    code = zlib.crc32(repr(made_of).encode())
    path = folder / f"{stem(family, seed)}-trial-{code:08x}.json"
    if not path.exists():
        path.write_bytes(msgspec.json.encode(_run(family, seed, finding)))
    return msgspec.json.decode(path.read_bytes(), type=Tried)


def _run(family: Family, seed: int, finding: Finding) -> Tried:
    case = drawn(family, seed)
    task = case.task
    trial = run_trial(
        case.model,
        (task.x, task.y),
        validation_data=(task.test_x, task.test_y),
        layer=finding,
        seeds=SEEDS,
        batch_size=BATCH,
        progress=False,
    )
    sign = 1 if more_is_better(trial.metric) else -1
    finals = {
        one.arm: [Spread.of(trial.final(one, column)).mean for column in (trial.metric, LOSS)]
        for one in trial.ranking
    }
    ended = {arm: final for arm, final in finals.items() if np.isfinite(final).all()}
    scores = {arm: sign * ended[arm][0] if arm in ended else None for arm in finals}
    return Tried(trial.metric, scores, {arm: loss for arm, (_, loss) in ended.items()})
