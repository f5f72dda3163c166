"""Whether a page's memory grows with what it is sent."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from playwright.sync_api import Page

from benchmarks.machine import resident_mib

APART = 10.0  # seconds
FEWEST = 5
# Of a page's memory, over the time that was measured: less than that moves up and down by itself.
GROWTH = 0.05


@dataclass(frozen=True)
class Line:
    """A measure over time.

    Attributes:
        first_mib: At the begin.
        last_mib: At the end.
        slope: MiB in a minute, by least squares, the first fifth left out.
        growth: What that is over all the time it was taken of, as a share of the mean.
    """

    first_mib: float
    last_mib: float
    slope: float
    growth: float

    @classmethod
    def of(cls, minutes: Sequence[float], mib: Sequence[float]) -> Self:
        """The line through what was measured."""
        kept = slice(len(mib) // 5, None)
        slope = float(np.polyfit(minutes[kept], mib[kept], 1)[0])
        grown = slope * (minutes[-1] - minutes[kept][0])
        return cls(mib[0], mib[-1], slope, grown / float(np.mean(mib[kept])))


@dataclass(frozen=True)
class Growth:
    """Memory of a page while it was sent frames.

    Attributes:
        minutes: For which it was measured.
        heap: What scripts hold, the buffers behind typed arrays with it, after a forced collection.
        process: What the page's process holds in memory.
    """

    minutes: float
    heap: Line
    process: Line


def measure(page: Page, process: int, minutes: float) -> Growth:
    """Every ten seconds, or five times if that is more."""
    session = page.context.new_cdp_session(page)
    begun = time.monotonic()
    seconds = 60 * minutes
    count = max(FEWEST, round(seconds / APART) + 1)
    times: list[float] = []
    heap: list[float] = []
    resident: list[float] = []
    for place in range(count):
        due = begun + seconds * place / (count - 1)
        page.wait_for_timeout(1e3 * max(0.0, due - time.monotonic()))
        session.send("HeapProfiler.collectGarbage")
        usage = session.send("Runtime.getHeapUsage")
        times.append((time.monotonic() - begun) / 60)
        heap.append((usage["usedSize"] + usage.get("backingStorageSize", 0)) / 2**20)
        resident.append(resident_mib(process))
    session.detach()
    return Growth(minutes, Line.of(times, heap), Line.of(times, resident))
