"""What a page costs that shows a run while it trains."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Browser, FloatRect, Page

from benchmarks.dashboard import memory
from benchmarks.dashboard.chromium import HEIGHT, WIDTH, fresh_page
from benchmarks.dashboard.opening import SCRIPT, open_run
from benchmarks.dashboard.trace import Traced, Work
from benchmarks.network import EVERY

# Until what a change of the view brings about is over.
SETTLE_MS = 1_000
RATE_SECONDS = 5.0
TURN_SECONDS = 2.0  # of the console, then of the heatmap
MOVES_PER_SECOND = 30
AT_THE_END = "console, at the end"


@dataclass(frozen=True)
class Rates:
    """Observed while a script asks for every frame that can be drawn.

    Attributes:
        taken: Frames of the feed that the page took over, a second.
        told: Changes of the step that its counter tells, a second. Numbers may wait for one another
            where meters do not.
        drawn: Calls of requestAnimationFrame, a second.
    """

    taken: float
    told: float
    drawn: float


@dataclass(frozen=True)
class Watched:
    """A page that was looked at for a while."""

    views: dict[str, Work]
    rates: Rates
    memory: memory.Growth


def _look(page: Page, seconds: float) -> None:
    page.wait_for_timeout(1e3 * seconds)


def _read(page: Page, seconds: float) -> None:
    """Scrolls the console and moves over the heatmap, in turns."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _scroll_console(page, min(end, time.monotonic() + TURN_SECONDS))
        _cross_heatmap(page, min(end, time.monotonic() + TURN_SECONDS))


def _scroll_console(page: Page, end: float) -> None:
    box = _box(page, "strip")
    page.mouse.move(WIDTH / 2, box["y"] + box["height"] / 2)
    while time.monotonic() < end:
        page.mouse.wheel(60, 0)
        page.wait_for_timeout(1e3 / MOVES_PER_SECOND)


def _cross_heatmap(page: Page, end: float) -> None:
    box = _box(page, "heatmap")
    begun = time.monotonic()
    while (now := time.monotonic()) < end:
        share = (now - begun) / TURN_SECONDS
        x = box["x"] + box["width"] * (0.1 + 0.8 * share)
        page.mouse.move(x, min(box["y"] + 20 + 60 * share, HEIGHT - 5))
        page.wait_for_timeout(1e3 / MOVES_PER_SECOND)


def _box(page: Page, test: str) -> FloatRect:
    box = page.get_by_test_id(test).first.bounding_box()
    if box is None:
        raise RuntimeError(f"The page shows no {test}.")
    return box


def _to(test: str, block: str) -> Callable[[Page], None]:
    """Scrolls the page until something's begin or end stands at that of the window."""

    def scroll(page: Page) -> None:
        page.get_by_test_id(test).first.evaluate(
            "(it, block) => it.closest('section').scrollIntoView({block, behavior: 'instant'})",
            block,
        )

    return scroll


VIEWS: dict[str, tuple[Callable[[Page], None], Callable[[Page, float], None]]] = {
    "as opened": (lambda page: page.evaluate("scrollTo(0, 0)"), _look),
    "console": (_to("strip", "start"), _look),
    "history": (_to("series", "end"), _look),
    "console, read": (_to("strip", "start"), _read),
}


def measure(browser: Browser, address: str, *, seconds: float, minutes: float) -> Watched:
    """Looks at a run that goes on, for `seconds` at each view, and `minutes` for its memory."""
    views: dict[str, Work] = {}
    with fresh_page(browser, SCRIPT) as page:
        open_run(page, address)
        page.wait_for_function("() => page.isShown()")
        # What is out of sight need not be painted.
        VIEWS["history"][0](page)
        page.wait_for_function("() => page.isHeatmapPainted()")
        process = 0
        for name, (place, act) in VIEWS.items():
            place(page)
            page.wait_for_timeout(SETTLE_MS)
            traced = Traced(browser, page)
            with traced:
                act(page, seconds)
            views[name], process = traced.work, traced.process
        place, act = VIEWS["console"]
        place(page)
        rates = _rates(page, min(seconds, RATE_SECONDS))
        growth = memory.measure(page, process, minutes)
        traced = Traced(browser, page)
        with traced:
            act(page, seconds)
        views[AT_THE_END] = traced.work
    return Watched(views, rates, growth)


def _rates(page: Page, seconds: float) -> Rates:
    found = page.evaluate("(seconds) => page.rates(seconds)", seconds)
    return Rates(
        taken=found["steps"] / EVERY / found["seconds"],
        told=found["told"] / found["seconds"],
        drawn=found["drawn"] / found["seconds"],
    )
