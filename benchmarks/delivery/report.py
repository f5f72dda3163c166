"""The figures as people read them."""

from collections.abc import Mapping, Sequence

from benchmarks.delivery.claims import Verdict
from benchmarks.delivery.ingest import Ingest
from benchmarks.delivery.live import OPENING, PER_SECOND, SCRAPE_SECONDS, Viewed
from benchmarks.delivery.others import TOOLS, Failed, Logged
from benchmarks.delivery.trainer import Milliseconds
from benchmarks.grid import grid, number


def ingest(found: Ingest) -> str:
    """Beside the store alone."""
    rows = [
        ("stored", "frames a second", "MB a second", "in a transaction"),
        ("by a server, diagnosed", *_speed(found, found.per_second)),
        ("by the store alone", *_speed(found, found.raw_per_second)),
    ]
    return (
        f"{grid(rows)}\n"
        f"CPU time of a frame: the server {found.server_ms:.2f} ms, what sent {found.sender_ms:.2f}"
    )


def _speed(found: Ingest, per_second: float) -> tuple[str, str, str]:
    return (
        f"{per_second:,.0f}",
        number(per_second * found.bytes / 1e6, 0),
        number(found.batch, 1),
    )


def viewed(found: Viewed) -> str:
    """From sampling to the viewers."""
    rows = [
        ("ms", "median", "99th percentile", "worst"),
        ("from sampling to a viewer", *_waits(found.ages, 1)),
        (f"the first {OPENING} frames of each run", *_waits(found.opening, 1)),
    ]
    return (
        f"{grid(rows)}\n"
        f"{found.ages.frames:,} frames at {found.viewers} viewers; {found.runs} runs with "
        f"{PER_SECOND:g} frame a second each, /metrics every {SCRAPE_SECONDS:g} s took "
        f"{found.scrape_ms:.0f} ms at most; the server used {found.server_cores:.2f} cores"
    )


def handed(found: Milliseconds) -> str:
    """A frame where it is made."""
    rows = [
        ("ms", "median", "99th percentile", "worst"),
        ("encode, append to the spool, wake the uplink", *_waits(found, 2)),
    ]
    return f"{grid(rows)}\n{found.frames:,} frames"


def _waits(found: Milliseconds, digits: int) -> list[str]:
    return [number(ms, digits) for ms in (found.median_ms, found.p99_ms, found.worst_ms)]


def beside(found: Mapping[str, Logged | Failed], own: Ingest) -> str:
    """Values that each stored, or why it did not."""
    ours = own.per_second * own.values
    rows = [("stored", "values a second", "of ours"), ("Gainstage", f"{ours:,.0f}", "1")]
    for tool, one in found.items():
        if isinstance(one, Failed):
            rows.append((TOOLS[tool], one.reason, "-"))
        else:
            shown = f"{one.per_second:,.0f}", f"{one.per_second / ours:.2g}"
            rows.append((f"{TOOLS[tool]} ({one.version})", *shown))
    return grid(rows)


def verdicts(found: Sequence[Verdict]) -> str:
    """Claims and what became of them."""
    return grid(
        [
            ("claim", "measured", "wanted", ""),
            *((v.claim, number(v.figure, 2), v.limit, v.outcome) for v in found),
        ]
    )
