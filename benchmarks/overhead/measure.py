"""Arms take turns at training a workload."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from benchmarks.overhead import figures
from benchmarks.overhead.arms import EXAMPLES, GAINSTAGE, NOTHING, PLAIN, Arm, Surroundings
from benchmarks.overhead.figures import Interval, Steps, interval, median
from benchmarks.overhead.fits import Block, Fit
from benchmarks.overhead.workloads import Workload, endless
from gainstage.cadence import OPENING_GAP, OPENING_SAMPLES

# Of the monitor's opening, in steps; where it is not over after several times that, something
# keeps the monitor from sampling.
OPENING_STEPS = OPENING_GAP * OPENING_SAMPLES
PATIENCE = 3
# Times the rounds asked for, at the most, while Gainstage's samples are too few.
EXTENSION = 5


@dataclass(frozen=True)
class Cost:
    """The figures of one arm; the package's description says what they are.

    Attributes:
        samples: Samples in the rounds that count.
        values: Numbers that a sample holds; None where the arm takes none.
    """

    step_ms: float
    samples: int
    every: float
    values: int | None
    share: Interval
    ratio: Interval
    behind_ms: Interval
    wall: Interval
    hooks_us: float
    start_up_s: float
    epoch_end_ms: float


@dataclass(frozen=True)
class Costs:
    """The figures of one workload.

    Attributes:
        warm_up_steps: Until Gainstage's opening was over.
        warm_up_s: What they took with Gainstage.
        warm_up_more_s: How much of that plain training does not take.
        arms: By name.
    """

    warm_up_steps: int
    warm_up_s: float
    warm_up_more_s: float
    arms: dict[str, Cost]


def measure(
    workload: Workload,
    arms: Sequence[Arm],
    *,
    rounds: int,
    samples: int,
    steps: int,
    folder: Path,
    url: str | Literal[False] = False,
) -> Costs:
    """Trains a model for each arm, in turns; `plain`, `no-op` and `gainstage` must be among them.

    Args:
        workload: What is trained.
        arms: How it is watched.
        rounds: That count: blocks of each arm.
        samples: Of Gainstage, for which up to `EXTENSION` times the rounds are added.
        steps: Of a block.
        folder: The arms may write into it.
        url: Address of the Gainstage server; False: none.
    """
    x, y = workload.data(steps)
    surroundings = Surroundings(x[:EXAMPLES], folder, url)
    with ExitStack() as ends:
        fits: dict[str, Fit] = {}
        for arm in arms:
            fits[arm.name] = Fit(
                workload.build(), endless(x, y, workload.batch), steps, arm.watch(surroundings)
            )
            ends.callback(fits[arm.name].close)
        warm = _warm_up(fits, surroundings, steps)
        counted: list[dict[str, Block]] = []
        while len(counted) < rounds or (
            _samples(counted) < samples and len(counted) < EXTENSION * rounds
        ):
            counted.append(_round(fits, surroundings, len(counted)))
    keras.utils.clear_session()
    bare = figures.hooks([played[NOTHING] for played in counted])
    return Costs(
        len(warm) * steps,
        _seconds(warm, GAINSTAGE),
        _seconds(warm, GAINSTAGE) - _seconds(warm, PLAIN),
        {name: _cost(name, fit, warm, counted, bare) for name, fit in fits.items()},
    )


def _warm_up(
    fits: dict[str, Fit], surroundings: Surroundings, steps: int
) -> list[dict[str, Block]]:
    """Rounds until Gainstage's opening is over, and every arm that follows it has sampled."""
    played: list[dict[str, Block]] = []
    while _samples(played) < OPENING_SAMPLES or len(played) < 2:
        if len(played) * steps > PATIENCE * OPENING_STEPS + steps:
            raise RuntimeError(
                f"Gainstage took {_samples(played)} samples in {len(played) * steps} steps. "
                f"Expected {OPENING_SAMPLES} in {OPENING_STEPS}: its log says why."
            )
        played.append(_round(fits, surroundings, len(played)))
    return played


def _samples(rounds: list[dict[str, Block]]) -> int:
    return int(sum(played[GAINSTAGE].sampled.sum() for played in rounds))


def _round(fits: dict[str, Fit], surroundings: Surroundings, turn: int) -> dict[str, Block]:
    names = list(fits)
    start = turn % len(names)
    played = {name: fits[name].block() for name in names[start:] + names[:start]}
    surroundings.steps = frozenset(np.flatnonzero(played[GAINSTAGE].sampled).tolist())
    return played


def _seconds(rounds: list[dict[str, Block]], name: str) -> float:
    return float(sum(played[name].seconds.sum() for played in rounds))


def _cost(
    name: str,
    fit: Fit,
    warm: list[dict[str, Block]],
    counted: list[dict[str, Block]],
    bare: float,
) -> Cost:
    blocks = [played[name] for played in counted]
    steps = Steps.of(blocks)
    plain = median(steps.plain)
    behind = interval(figures.behind, blocks)
    opening = [played[name] for played in warm]
    first = next(
        (block.seconds[block.sampled][0] for block in opening if block.sampled.any()), plain
    )
    return Cost(
        step_ms=1e3 * plain,
        samples=int(steps.sampled.size),
        every=1 / steps.frequency if steps.frequency else float("nan"),
        values=None if fit.watch.values is None else fit.watch.values(),
        share=interval(figures.share, blocks),
        ratio=interval(figures.ratio, blocks),
        behind_ms=Interval(*(1e3 * bound for bound in (behind.value, behind.low, behind.high))),
        wall=interval(figures.wall, [(played[name], played[PLAIN]) for played in counted]),
        hooks_us=1e6 * (figures.hooks(blocks) - bare),
        start_up_s=fit.beginning + float(opening[0].hooks[0] + first - plain),
        epoch_end_ms=1e3 * median(np.array([block.epoch_end for block in blocks])),
    )
