"""The figures as people read them."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras

from benchmarks.grid import grid, number
from benchmarks.machine import cores, cpu
from benchmarks.overhead.claims import Verdict
from benchmarks.overhead.figures import Interval
from benchmarks.overhead.measure import Cost, Costs
from benchmarks.overhead.memory import Growth


@dataclass(frozen=True)
class Machine:
    """Where it was measured."""

    cpu: str
    cores: int
    system: str
    keras: str
    backend: str

    @classmethod
    def this(cls) -> "Machine":
        """This one, with the Keras of this process."""
        return cls(cpu(), cores(), platform.platform(), keras.__version__, keras.backend.backend())

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, {self.system}; Keras {self.keras}, {self.backend}"


def bounded(interval: Interval, digits: int, factor: float = 1.0) -> str:
    """Value [low, high]."""
    if not math.isfinite(interval.value):
        return "-"
    value, low, high = (
        number(factor * bound, digits) for bound in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low}, {high}]"


def _cells(name: str, cost: Cost) -> tuple[str, ...]:
    return (
        name,
        number(cost.step_ms, 2),
        number(cost.every, 0),
        str(cost.samples or "-"),
        "-" if cost.values is None else str(cost.values),
        bounded(cost.share, 2, 100) if cost.samples else "-",
        bounded(cost.ratio, 3),
        bounded(cost.behind_ms, 2),
        bounded(cost.wall, 1, 100),
        number(cost.hooks_us, 1),
        number(cost.start_up_s, 2),
        number(cost.epoch_end_ms, 1),
    )


HEADINGS = (
    "",
    "step, ms",
    "every",
    "samples",
    "values",
    "share, %",
    "ratio",
    "behind, ms",
    "wall, %",
    "hooks, us",
    "start-up, s",
    "epoch end, ms",
)


def table(name: str, costs: Costs) -> str:
    """One workload."""
    head = (
        f"{name}: warm-up {costs.warm_up_steps} steps, {costs.warm_up_s:.1f} s, "
        f"{costs.warm_up_more_s:+.1f} s to plain training"
    )
    return f"{head}\n{grid([HEADINGS, *(_cells(arm, cost) for arm, cost in costs.arms.items())])}\n"


def verdicts(found: Sequence[Verdict]) -> str:
    """Claims and what became of them."""
    return grid(
        [
            ("claim", "of", "measured", "at most", ""),
            *((v.claim, v.about, number(v.figure, 4), f"{v.limit:g}", v.outcome) for v in found),
        ]
    )


def memory(growths: Mapping[str, Growth]) -> str:
    """Resident memory along the steps, and how it grew."""
    steps = next(iter(growths.values())).steps
    return grid(
        [
            ("MiB at step", *map(str, steps), "growth", "in 1,000 samples"),
            *(
                (
                    name,
                    *(number(mib, 1) for mib in growth.mib),
                    f"{growth.growth:+.2f}",
                    f"{growth.slope:+.2f}",
                )
                for name, growth in growths.items()
            ),
        ]
    )
