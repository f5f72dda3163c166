"""How long a page takes to be there, from the begin of its navigation."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from playwright.sync_api import Browser, Page

from benchmarks.dashboard.chromium import fresh_page

HERE = Path(__file__).parent
PROBE = (HERE / "probe.js").read_text()
LONGEST = "longest"
SCRIPT = PROBE + (HERE / "opening.js").read_text()


@dataclass(frozen=True)
class Times:
    """Of several openings, each in a browser that has been nowhere."""

    median_s: float
    worst_s: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Self:
        """The figures of what was measured."""
        return cls(statistics.median(milliseconds) / 1e3, max(milliseconds) / 1e3)


@dataclass(frozen=True)
class Opening:
    """A run's page.

    The first three are of one set of openings, the other two of another, in which nobody clicks.

    Attributes:
        values: Until findings and strips are painted with their values.
        answered: Until a click on a strip, made then, has painted that strip as the chosen one.
        interactive: The same, or the end of the last of the tasks above 50 ms that came less than
            half a second later.
        heatmap: Until the pixels of the heatmap are painted.
        curve: Until the line of the worst layer is.
        longest_ms: The longest task of all openings.
        scripts: The addresses of what was run.
    """

    values: Times
    answered: Times
    interactive: Times
    heatmap: Times
    curve: Times
    longest_ms: float
    scripts: list[str]


def open_run(page: Page, address: str) -> list[str]:
    """Begins to; the scripts that are loaded are added to the list as they come."""
    scripts: list[str] = []
    page.on(
        "request",
        lambda request: request.resource_type == "script" and scripts.append(request.url),
    )
    page.goto(address, wait_until="commit")
    return scripts


def measure(browser: Browser, address: str, layer: str, times: int) -> Opening:
    """Opens the page of a run, twice as often as `times`; `layer` is the one it shows first."""
    clicked: list[dict[str, Any]] = []
    watched: list[dict[str, Any]] = []
    scripts: list[str] = []
    for _ in range(times):
        with fresh_page(browser, SCRIPT) as page:
            open_run(page, address)
            clicked.append(page.evaluate("page.interactive()"))
        with fresh_page(browser, SCRIPT) as page:
            scripts = open_run(page, address)
            watched.append(page.evaluate("(layer) => page.history(layer)", layer))
    found = {
        name: Times.of([one[name] for one in openings])
        for openings in (clicked, watched)
        for name in openings[0]
        if name != LONGEST
    }
    longest = max(one[LONGEST] for one in (*clicked, *watched))
    return Opening(**found, longest_ms=longest, scripts=sorted(set(scripts)))
