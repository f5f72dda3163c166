"""Where a benchmark runs."""

import contextlib
import math
import os
import platform
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path


def cpu() -> str:
    """What it is called."""
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resident_mib(process: int | None = None) -> float:
    """Resident memory of a process, by its id, or of this one."""
    if find_spec("psutil") is not None:
        import psutil

        return psutil.Process(process).memory_info().rss / 2**20
    pages = int(Path(f"/proc/{process or 'self'}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(process: int) -> float:
    """Of all cores, by a process, by its id; NaN if unknown."""
    return next(_cpu_seconds(Path("/proc", str(process), "stat")), (0, math.nan))[1]


def children_cpu_seconds() -> float:
    """Of all cores, by the processes that this one has started and that run; NaN if unknown."""
    if not Path("/proc/self/stat").exists():
        return math.nan
    listed = (one for stat in Path("/proc").glob("[0-9]*/stat") for one in _cpu_seconds(stat))
    return sum(seconds for parent, seconds in listed if parent == os.getpid())


def _cpu_seconds(stat: Path) -> Iterator[tuple[int, float]]:
    """Parent and seconds of a process; nothing of one that has ended."""
    with contextlib.suppress(OSError):
        fields = stat.read_text().rpartition(")")[2].split()
        yield int(fields[1]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
