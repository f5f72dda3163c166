"""What delivery is to reach, held against what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.delivery.ingest import Ingest
from benchmarks.delivery.live import Viewed
from benchmarks.delivery.trainer import Milliseconds

PER_SECOND = 1_000.0
SHARE = 0.5
VIEWER_MS = 250.0
TRAINING_MS = 1.0
# They are claims about frames of so many layers, and about a server that has so much to do.
LAYERS, RUNS = 1_000, 100
# In less, nothing is said of what a disk does once its caches are full, nor of one in a hundred.
SECONDS = 60.0

Outcome = Literal["holds", "does not hold", "not claimed"]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: str
    figure: float
    limit: str
    outcome: Outcome


def judge(
    ingest: Ingest, viewed: Viewed, handed: Milliseconds, *, layers: int, seconds: float
) -> Sequence[Verdict]:
    """Every claim, of frames with so many layers, measured for so long."""
    enough = layers >= LAYERS and seconds >= SECONDS

    def verdict(claim: str, figure: float, limit: str, *, held: bool, of: bool = True) -> Verdict:
        outcome = "not claimed" if not (enough and of) else "holds" if held else "does not hold"
        return Verdict(claim, figure, limit, outcome)

    return [
        verdict(
            "frames stored a second",
            ingest.per_second,
            f">= {PER_SECOND:,.0f}",
            held=ingest.per_second >= PER_SECOND,
        ),
        verdict(
            "share of the store's own speed",
            ingest.share,
            f">= {SHARE}",
            held=ingest.share >= SHARE,
        ),
        verdict(
            "from sampling to a viewer, 99th percentile, ms",
            viewed.ages.p99_ms,
            f"< {VIEWER_MS:.0f}",
            held=viewed.ages.p99_ms < VIEWER_MS,
            of=viewed.runs >= RUNS,
        ),
        verdict(
            "a frame where it is made, median, ms",
            handed.median_ms,
            f"< {TRAINING_MS:.0f}",
            held=handed.median_ms < TRAINING_MS,
        ),
    ]
