"""What Gainstage claims to cost, held against what was measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.overhead.arms import EXAMPLES, GAINSTAGE
from benchmarks.overhead.measure import Cost, Costs
from benchmarks.overhead.memory import Growth

# MiB in 1,000 samples. Less is lost in what allocators keep: the same training without a monitor
# moves by as much.
GROWTH = 1.0
# What a sample costs beside a step that is shorter, or that holds fewer examples, is not claimed.
STEP_MS = 20.0
BATCH_TO_EXAMPLES = 4
# Of fewer samples a median says nothing, and of none the share would be 0.
FEWEST_SAMPLES = 8

Outcome = Literal["holds", "does not hold", "not claimed", "too few samples"]


@dataclass(frozen=True)
class Claim:
    """A figure of a workload, and the most that it may be.

    Attributes:
        of: Gainstage's figure.
        of_samples: Whether the figure comes from sampled steps.
        applies: Whether it is claimed of what was measured, at so many examples in a step.
    """

    name: str
    limit: float
    of: Callable[[Cost], float]
    of_samples: bool = True
    applies: Callable[[Cost, int], bool] = lambda cost, batch: True


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: str
    about: str
    figure: float
    limit: float
    outcome: Outcome


def _is_long(cost: Cost, batch: int) -> bool:
    return cost.step_ms >= STEP_MS and batch >= BATCH_TO_EXAMPLES * EXAMPLES


UNSAMPLED = Claim("an unsampled step, us more", 5.0, lambda cost: cost.hooks_us, of_samples=False)
CLAIMS = (
    Claim("share after warm-up, upper bound", 0.01, lambda cost: cost.share.high),
    Claim("sampled to plain step", 1.15, lambda cost: cost.ratio.value, applies=_is_long),
    UNSAMPLED,
)


def judge(costs: Mapping[str, Costs], loop_us: float, batch: int) -> list[Verdict]:
    """Every claim about time, workload by workload, at so many examples in a step."""
    found = [
        Verdict(claim.name, name, claim.of(cost), claim.limit, _outcome(claim, cost, batch))
        for name, cost in ((name, one.arms[GAINSTAGE]) for name, one in costs.items())
        for claim in CLAIMS
    ]
    held = _held(loop_us, UNSAMPLED.limit)
    return [*found, Verdict(UNSAMPLED.name, "in a tight loop", loop_us, UNSAMPLED.limit, held)]


def _outcome(claim: Claim, cost: Cost, batch: int) -> Outcome:
    if not claim.applies(cost, batch):
        return "not claimed"
    if claim.of_samples and cost.samples < FEWEST_SAMPLES:
        return "too few samples"
    return _held(claim.of(cost), claim.limit)


def _held(figure: float, limit: float) -> Outcome:
    return "holds" if figure <= limit else "does not hold"


def judge_memory(growths: Mapping[str, Growth]) -> Verdict:
    """The claim about memory."""
    slope = growths[GAINSTAGE].slope
    return Verdict("MiB in 1,000 samples", "memory", slope, GROWTH, _held(slope, GROWTH))
