"""What the dashboard is to keep, held against what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.dashboard.live import Watched
from benchmarks.dashboard.memory import GROWTH
from benchmarks.dashboard.opening import Opening
from benchmarks.dashboard.size import Size

WORK_MS = 8.0
TASK_MS = 100.0
OPENING_S = 1.5
SIZE_KB = 150.0
# In less, memory rises to what it then stays at.
MINUTES = 5.0


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: str
    about: str
    figure: float
    limit: float
    outcome: Literal["holds", "does not hold", "too short"]


def _verdict(
    claim: str, about: str, figure: float, limit: float, *, enough: bool = True
) -> Verdict:
    held = "holds" if figure < limit else "does not hold"
    return Verdict(claim, about, figure, limit, held if enough else "too short")


def judge(opening: Opening, size: Size, watched: Watched) -> Sequence[Verdict]:
    """Every claim."""
    return [
        *(
            _verdict("work for a frame, 95th percentile, ms", name, work.p95_ms, WORK_MS)
            for name, work in watched.views.items()
        ),
        *(
            _verdict("longest task, ms", name, work.longest_ms, TASK_MS)
            for name, work in watched.views.items()
        ),
        *(
            _verdict(
                "growth of memory, share",
                name,
                line.growth,
                GROWTH,
                enough=watched.memory.minutes >= MINUTES,
            )
            for name, line in (("heap", watched.memory.heap), ("process", watched.memory.process))
        ),
        _verdict("interactive, median, s", "opening", opening.interactive.median_s, OPENING_S),
        _verdict("JavaScript, kB compressed", "all of it", size.all_kb, SIZE_KB),
    ]
