"""What the main thread of a page did, from a trace of Chromium's."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
TASK, RECEIVED, DRAWN = "RunTask", "WebSocketReceive", "Commit"
# Messages that come so close to one another are of one commit of the server's: a frame and what it
# said of findings.
TOGETHER_US = 20_000
LONG_MS = 50.0
# What lies within one of these belongs to it, unless it is another one of them.
PARTS = {
    "FunctionCall": "scripts",
    "EvaluateScript": "scripts",
    "FireAnimationFrame": "scripts",
    "TimerFire": "scripts",
    "EventDispatch": "scripts",
    "RunMicrotasks": "scripts",
    "MajorGC": "garbage",
    "MinorGC": "garbage",
    "UpdateLayoutTree": "style",
    "Layout": "layout",
    "PrePaint": "paint",
    "Paint": "paint",
    "Layerize": "paint",
    "Commit": "paint",
}
REST = "rest"


@dataclass(frozen=True)
class Work:
    """Work of the main thread from one frame of the feed to the next.

    All tasks count, whatever they did: scripts, style, layout, paint, garbage, and what the browser
    itself did there. Rasterizing and compositing are other threads', and so is what the page has
    a worker draw.

    Attributes:
        frames: How many of the feed came, the last of which does not count; those that came
            together count as one.
        drawn: How many were drawn.
        seconds: From the first of the feed to the last.
        median_ms: Work for one frame of the feed.
        p95_ms: Its 95th percentile.
        cpu_p95_ms: The same of the time that the thread had a core.
        drawn_p95_ms: As `p95_ms`, from one drawn frame to the next.
        longest_ms: The longest task.
        long: Tasks above 50 ms.
        parts_ms: What it did on a core, in ms for each frame of the feed, in the mean.
    """

    frames: int
    drawn: int
    seconds: float
    median_ms: float
    p95_ms: float
    cpu_p95_ms: float
    drawn_p95_ms: float
    longest_ms: float
    long: int
    parts_ms: dict[str, float]


class Traced:
    """Traces a page while the block runs; `work` is there behind it."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self._browser, self._page = browser, page
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> "Traced":
        self._browser.start_tracing(page=self._page, categories=CATEGORIES)
        return self

    def __exit__(self, *_: object) -> None:
        self._events = json.loads(self._browser.stop_tracing())["traceEvents"]

    @property
    def process(self) -> int:
        """The page's."""
        begun = next(e for e in self._events if e["name"] == "TracingStartedInBrowser")
        frames = begun["args"]["data"]["frames"]
        return next(f["processId"] for f in frames if f["url"] == self._page.url)

    @property
    def work(self) -> Work:
        """Of the page's main thread."""
        return measure(self._events, self.process)


def measure(events: Sequence[dict[str, Any]], process: int) -> Work:
    """The work of the main thread of `process`.

    Raises:
        RuntimeError: Fewer than three frames of the feed came.
    """
    own = _of_main_thread(events, process)
    tasks = _outermost([event for event in own if event["name"] == TASK and "dur" in event])
    starts = np.array([task["ts"] for task in tasks])
    received = _apart([event["ts"] for event in own if event["name"] == RECEIVED])
    if len(received) < 3:
        raise RuntimeError("The page received nothing of the feed: is its server slow, or gone?")
    # The task that receives a frame is the first of those for it.
    first = _tasks_at(starts, received)
    begin, end = starts[first[0]], starts[first[-1]]
    within = [event for event in own if begin <= event["ts"] < end]
    drawn = [event["ts"] for event in within if event["name"] == DRAWN]
    took = np.array([task["dur"] for task in tasks], float) / 1e3
    used = np.array([task.get("tdur", task["dur"]) for task in tasks], float) / 1e3
    work = _sums(took, first)
    counted = took[first[0] : first[-1]]
    return Work(
        frames=len(received),
        drawn=len(drawn),
        seconds=float(end - begin) / 1e6,
        median_ms=float(np.median(work)),
        p95_ms=float(np.quantile(work, 0.95)),
        cpu_p95_ms=float(np.quantile(_sums(used, first), 0.95)),
        drawn_p95_ms=float(np.quantile(_sums(took, _tasks_at(starts, drawn)), 0.95)),
        longest_ms=float(counted.max()),
        long=int((counted > LONG_MS).sum()),
        parts_ms={name: us / 1e3 / len(work) for name, us in parts(within).items()},
    )


def _of_main_thread(events: Sequence[dict[str, Any]], process: int) -> list[dict[str, Any]]:
    """In the order in which they begin, the outer ones first."""
    own = [event for event in events if event["pid"] == process]
    main = next(
        event["tid"]
        for event in own
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    )
    return sorted(
        (event for event in own if event["tid"] == main and event["ph"] != "M"),
        key=lambda event: (event["ts"], -event.get("dur", 0)),
    )


def _apart(times: Sequence[int]) -> list[int]:
    """Without those that came together with the one before."""
    kept: list[int] = []
    last = -TOGETHER_US
    for time in times:
        if time - last > TOGETHER_US:
            kept.append(time)
        last = time
    return kept


def _outermost(tasks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without tasks that ran within others."""
    kept: list[dict[str, Any]] = []
    end = 0
    for task in tasks:
        if task["ts"] >= end:
            kept.append(task)
            end = task["ts"] + task["dur"]
    return kept


def _tasks_at(starts: np.ndarray, times: Sequence[int]) -> np.ndarray:
    """The places of the tasks in which something happened at `times`."""
    return np.unique(np.maximum(np.searchsorted(starts, times, "right") - 1, 0))


def _sums(milliseconds: np.ndarray, first: np.ndarray) -> np.ndarray:
    """From each of `first` to the next; 0 where there are none."""
    if len(first) < 2:
        return np.zeros(1)
    return np.add.reduceat(milliseconds[: first[-1]], first[:-1])


def parts(events: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Microseconds on a core for each part, of nested events in the order in which they begin."""
    found = dict.fromkeys([*PARTS.values(), REST], 0.0)
    open_events: list[tuple[float, str]] = []  # their ends and their parts
    for event in events:
        if event["ph"] != "X":
            continue
        while open_events and open_events[-1][0] <= event["ts"]:
            open_events.pop()
        if not open_events and event["name"] != TASK:
            continue
        around = open_events[-1][1] if open_events else REST
        part = PARTS.get(event["name"], around)
        used = event.get("tdur", event.get("dur", 0))
        found[part] += used
        if open_events:
            found[around] -= used
        open_events.append((event["ts"] + event.get("dur", 0), part))
    return found
