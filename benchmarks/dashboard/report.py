"""The figures as people read them."""

from collections.abc import Sequence

from benchmarks.dashboard.claims import Verdict
from benchmarks.dashboard.live import Watched
from benchmarks.dashboard.memory import Line
from benchmarks.dashboard.opening import Opening, Times
from benchmarks.dashboard.size import Size
from benchmarks.dashboard.tensorboard import NOT_COMPARABLE, Beside
from benchmarks.grid import grid, number

SECONDS = ("", "median, s", "worst, s")


def _times(name: str, times: Times) -> tuple[str, ...]:
    return name, number(times.median_s, 2), number(times.worst_s, 2)


def opening(found: Opening) -> str:
    """A run's page, from the begin of its navigation."""
    rows = [
        _times("values painted", found.values),
        _times("a click answered", found.answered),
        _times("interactive", found.interactive),
        _times("heatmap painted", found.heatmap),
        _times("worst layer's curve painted", found.curve),
    ]
    return f"{grid([SECONDS, *rows])}\nlongest task {found.longest_ms:.0f} ms"


def size(found: Size) -> str:
    """JavaScript."""
    return (
        f"JavaScript, compressed: {found.loaded_kb:.1f} kB for a run's page, {found.all_kb:.1f} kB "
        f"in all ({found.files} files)"
    )


def watched(found: Watched) -> str:
    """A live run's page."""
    parts = list(next(iter(found.views.values())).parts_ms)
    head = (
        *("work for a frame, ms", "median", "95 %", "95 %, CPU", "longest task", "above 50"),
        *("drawn 95 %", "frames/s", "drawn/s", *parts),
    )
    rows = [
        (
            name,
            *(number(value, 1) for value in (work.median_ms, work.p95_ms, work.cpu_p95_ms)),
            number(work.longest_ms, 0),
            str(work.long),
            number(work.drawn_p95_ms, 1),
            number((work.frames - 1) / work.seconds, 1),
            number(work.drawn / work.seconds, 1),
            *(number(work.parts_ms[part], 1) for part in parts),
        )
        for name, work in found.views.items()
    ]
    rates = (
        f"a second: {found.rates.taken:.1f} frames taken over, {found.rates.drawn:.1f} calls of "
        f"requestAnimationFrame, {found.rates.told:.1f} changes of the step counter"
    )
    memory = [
        ("MiB", "first", "last", "in a minute", "growth, %"),
        _line("heap and buffers", found.memory.heap),
        _line("process", found.memory.process),
    ]
    return f"{grid([head, *rows])}\n{rates}\n\n{found.memory.minutes:g} minutes\n{grid(memory)}"


def _line(name: str, line: Line) -> tuple[str, ...]:
    values = (line.first_mib, line.last_mib, line.slope, 100 * line.growth)
    return name, *(number(value, 2) for value in values)


def beside(found: Beside, own: Times) -> str:
    """TensorBoard, and the dashboard's figure for the same."""
    rows = [
        _times("Gainstage", own),
        _times(f"TensorBoard {found.version}", found.curve),
    ]
    return "\n".join(
        [
            "until the worst layer's curve is painted",
            grid([SECONDS, *rows]),
            f"TensorBoard had loaded its {found.scalars:,} scalars after {found.loaded_s:.1f} s.",
            *NOT_COMPARABLE,
        ]
    )


def verdicts(found: Sequence[Verdict]) -> str:
    """Claims and what became of them."""
    return grid(
        [
            ("claim", "of", "measured", "below", ""),
            *((v.claim, v.about, number(v.figure, 3), f"{v.limit:g}", v.outcome) for v in found),
        ]
    )
