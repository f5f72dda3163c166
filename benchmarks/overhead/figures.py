"""Blocks in, figures out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.overhead.fits import Block

# Resamples of an interval: its bounds vary by a few per cent of its width.
DRAWS = 1_000
CONFIDENCE = 0.95

Of = TypeVar("Of")


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds of its bootstrap interval; NaN where nothing was measured."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Steps:
    """The steps of several blocks by what they were, in seconds.

    The first step of a block is none of them: it finds caches as another arm left them.
    """

    plain: np.ndarray
    sampled: np.ndarray
    behind: np.ndarray
    mean: float

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> "Steps":
        """Sorted into plain ones, sampled ones, and ones right after a sampled one."""
        seconds = np.stack([block.seconds for block in blocks])
        sampled = np.stack([block.sampled for block in blocks])
        now, before = sampled[:, 1:], sampled[:, :-1]
        seconds = seconds[:, 1:]
        return cls(
            seconds[~now & ~before],
            seconds[now],
            seconds[~now & before],
            float(np.median(seconds.mean(axis=1))),
        )

    @property
    def frequency(self) -> float:
        """Samples per step."""
        count = self.sampled.size
        return count / (count + self.plain.size + self.behind.size)


def median(values: np.ndarray) -> float:
    """NaN where there are none."""
    return float(np.median(values)) if values.size else float("nan")


def share(blocks: Sequence[Block]) -> float:
    """Share of the time that sampling takes, from what a sampled step and the next take longer."""
    steps = Steps.of(blocks)
    if not steps.sampled.size:
        return 0.0
    plain = median(steps.plain)
    # A sample in a block's last step has none behind it; with samples in all steps, none has.
    later = median(steps.behind) - plain if steps.behind.size else 0.0
    return steps.frequency * (median(steps.sampled) - plain + later) / steps.mean


def ratio(blocks: Sequence[Block]) -> float:
    """Sampled step to plain step."""
    steps = Steps.of(blocks)
    return median(steps.sampled) / median(steps.plain)


def behind(blocks: Sequence[Block]) -> float:
    """What the step after a sample takes longer, in seconds."""
    steps = Steps.of(blocks)
    return median(steps.behind) - median(steps.plain)


def wall(rounds: Sequence[tuple[Block, Block]]) -> float:
    """What the blocks take longer than those of the same rounds beside them, as a share."""
    return (
        median(
            np.array(
                [block.seconds[1:].sum() / beside.seconds[1:].sum() for block, beside in rounds]
            )
        )
        - 1
    )


def hooks(blocks: Sequence[Block]) -> float:
    """Seconds that the hooks of an unsampled step take."""
    return median(np.concatenate([block.hooks[~block.sampled] for block in blocks]))


def interval(figure: Callable[[Sequence[Of]], float], rounds: Sequence[Of]) -> Interval:
    """`figure` of the rounds, and its bounds over rounds drawn with replacement."""
    rng = np.random.default_rng(0)
    drawn = np.array(
        [
            figure([rounds[place] for place in rng.integers(0, len(rounds), len(rounds))])
            for _ in range(DRAWS)
        ]
    )
    drawn = drawn[np.isfinite(drawn)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]) if drawn.size else (np.nan, np.nan)
    return Interval(figure(rounds), float(low), float(high))
