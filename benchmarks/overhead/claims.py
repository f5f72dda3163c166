"""What Gainstage claims to cost, held against what was measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.overhead.arms import EXAMPLES, GAINSTAGE
from benchmarks.overhead.measure import Cost, Costs
from benchmarks.overhead.memory import Growth
from benchmarks.overhead.workloads import BATCH

# MiB in 1,000 samples. Less is lost in what allocators keep: the same training without a monitor
# moves by as much.
GROWTH = 1.0
# What a sample costs beside a step that is shorter, or that holds fewer examples, is not claimed.
STEP_MS = 20.0
BATCH_TO_EXAMPLES = 4


@dataclass(frozen=True)
class Claim:
    """A figure of a workload, and the most that it may be.

    Attributes:
        of: Gainstage's figure.
        applies: Whether it is claimed of what was measured.
    """

    name: str
    limit: float
    of: Callable[[Cost], float]
    applies: Callable[[Cost], bool] = lambda cost: True


@dataclass(frozen=True)
class Verdict:
    """What became of a claim; `holds` is None where it does not apply."""

    claim: str
    about: str
    figure: float
    limit: float
    holds: bool | None


def _is_long(cost: Cost) -> bool:
    return cost.step_ms >= STEP_MS and BATCH >= BATCH_TO_EXAMPLES * EXAMPLES


CLAIMS = (
    Claim("share after warm-up, upper bound", 0.01, lambda cost: cost.share.high),
    Claim("sampled to plain step", 1.15, lambda cost: cost.ratio.value, _is_long),
    Claim("an unsampled step, us more", 5.0, lambda cost: cost.hooks_us),
)


def judge(costs: Mapping[str, Costs], loop_us: float) -> list[Verdict]:
    """Every claim about time, workload by workload."""
    found = [
        _verdict(claim, name, cost.arms[GAINSTAGE])
        for name, cost in costs.items()
        for claim in CLAIMS
    ]
    *_, unsampled = CLAIMS
    return [
        *found,
        Verdict(
            unsampled.name, "in a tight loop", loop_us, unsampled.limit, loop_us <= unsampled.limit
        ),
    ]


def _verdict(claim: Claim, about: str, cost: Cost) -> Verdict:
    figure = claim.of(cost)
    holds = figure <= claim.limit if claim.applies(cost) else None
    return Verdict(claim.name, about, figure, claim.limit, holds)


def judge_memory(growths: Mapping[str, Growth]) -> Verdict:
    """The claim about memory."""
    slope = growths[GAINSTAGE].slope
    return Verdict("MiB in 1,000 samples", "memory", slope, GROWTH, slope <= GROWTH)
