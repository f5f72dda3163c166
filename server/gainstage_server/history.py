"""A run's past: the frames of a worker's attempts as one line of steps, downsampled."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.units import UNITS
from gainstage.workers import CHIEF
from gainstage_server.layout import Layout
from gainstage_server.store.interface import Store
from gainstage_server.store.records import FrameRecord, Key, Span

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# Beyond every step that may enter.
MAX_STEP = 2**53
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Window:
    """Which steps are asked for, and how many points of them."""

    first: int = 0
    last: int = MAX_STEP
    points: int = 600


@dataclass(frozen=True)
class Cell:
    """One statistic of one row, the row by its id."""

    row: str
    statistic: str


class Buckets:
    """The smallest, largest and last value of each bucket, so that no spike is lost.

    Collects `frames` frames of `columns` values in at most `points` buckets.

    The buckets hold equally many frames, or one more. A NaN stays visible: it is smallest and
    largest of its bucket. Values that are not present count nowhere.

    Attributes:
        steps: [points], step of the last frame of each bucket.
        times: [points], time of the last frame of each bucket.
        frames: [points], how many frames were added to each bucket.
        min: [points, columns]
        max: [points, columns]
        last: [points, columns]
        present: [points, columns], False where no frame of the bucket has a value.
    """

    def __init__(self, frames: int, points: int, columns: int) -> None:
        self._expected = frames
        self._next = 0
        size = min(frames, points)
        self.downsampled = frames > points
        self.steps = np.zeros(size, np.int64)
        self.times = np.zeros(size, np.float64)
        self.frames = np.zeros(size, np.int64)
        self.min: Floats = np.full((size, columns), np.inf, np.float32)
        self.max: Floats = np.full((size, columns), -np.inf, np.float32)
        self.last: Floats = np.full((size, columns), np.nan, np.float32)
        self.present: Flags = np.zeros((size, columns), bool)

    @property
    def full(self) -> bool:
        """Whether all the frames that were announced have been added."""
        return self._next >= self._expected

    def add(self, step: int, time: float, values: Floats, present: Flags) -> None:
        """Add the next frame: `values` and `present` are [columns]."""
        place = self._next * len(self.steps) // self._expected
        self._next += 1
        self.frames[place] += 1
        self.steps[place], self.times[place] = step, time
        np.minimum(self.min[place], values, out=self.min[place], where=present)
        np.maximum(self.max[place], values, out=self.max[place], where=present)
        np.copyto(self.last[place], values, where=present)
        self.present[place] |= present

    def skip(self) -> None:
        """The next frame has nothing of what is asked for; a bucket of such frames stays empty."""
        self._next += 1


class _Reader(Protocol):
    def read(self, raw: bytes) -> tuple[Floats, Flags] | None:
        """The values in the frame `raw`, and which of them it has; None: it is to be skipped."""
        ...


class _Places:
    """Where the frames of one schema hold the values that are asked for."""

    def __init__(self, cells: Sequence[Cell], layout: Layout | None) -> None:
        self._size = len(cells)
        found: dict[str, list[tuple[int, int, int]]] = {}
        for position, cell in enumerate(cells):
            if layout and cell.row in layout.rows and cell.statistic in layout.places:
                block, column = layout.places[cell.statistic]
                row = layout.rows[cell.row]
                if layout.masks[block][row, column]:
                    found.setdefault(block, []).append((position, row, column))
        self._blocks = {name: np.array(places).T for name, places in found.items()}

    def read(self, raw: bytes) -> tuple[Floats, Flags]:
        """The values in the frame `raw`, and which of them it has."""
        _, blocks = wire.decode(raw)
        values = np.full(self._size, np.nan, np.float32)
        present = np.zeros(self._size, bool)
        for name, (positions, rows, columns) in self._blocks.items():
            if name in blocks:
                values[positions] = blocks[name][rows, columns]
                present[positions] = True
        return values, present


class _Units:
    """Where the frames of one schema hold the unit map of a row."""

    def __init__(self, row: str, groups: int, layout: Layout | None) -> None:
        self._groups = groups
        self._row = layout.rows.get(row, -1) if layout else -1
        self._columns = np.zeros(0, np.intp)
        if layout and self._row >= 0:
            # Of a row that once had more units, as many as are asked for.
            self._columns = layout.unit_columns(self._row)[:groups]

    def read(self, raw: bytes) -> tuple[Floats, Flags] | None:
        """The row's columns, where the frame `raw` has a map with some."""
        _, blocks = wire.decode(raw)
        if not self._columns.size or UNITS not in blocks:
            return None
        count = len(self._columns)
        values = np.full(self._groups, np.nan, np.float32)
        values[:count] = blocks[UNITS][self._row, self._columns]
        return values, np.arange(self._groups) < count


class _Logs:
    """Reads the logs of a frame, which stand in its header."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def read(self, raw: bytes) -> tuple[Floats, Flags]:
        """What the frame `raw` has under the names that are asked for."""
        frame = wire.decode_header(raw)
        logs = frame.logs if isinstance(frame, wire.Frame) else {}
        values = np.array([logs.get(name, np.nan) for name in self._names])
        present = np.array([name in logs for name in self._names], bool)
        # A loss that runs away leaves float32 before it leaves float64.
        with np.errstate(over="ignore"):
            return values.astype(np.float32), present


def line(extents: Sequence[Span]) -> list[Span]:
    """What the run is made of; `extents` are all steps of a worker's attempts, oldest first.

    An attempt that begins at a step which an earlier one had passed goes on from a checkpoint
    before it: what the earlier one did after that step is no longer part of the run.
    """
    spans: list[Span] = []
    end = MAX_STEP + 1
    for span in reversed(extents):
        spans.append(span._replace(end=min(span.end, end)))
        end = min(end, span.first)
    return [span for span in reversed(spans) if span.first < span.end]


class History:
    """Reads the past of one worker of a run from the store, or of one of its attempts."""

    def __init__(
        self, store: Store, run: str, worker: int = CHIEF, attempt: str | None = None
    ) -> None:
        self._store = store
        self._run = run
        self._worker = worker
        self._attempt = attempt
        self._layouts: dict[Key, Layout | None] = {}

    def spans(self, window: Window) -> list[Span]:
        """What the line of steps is made of; of one attempt, all that it did."""
        extents = self._store.extents(self._run, self._worker)
        if self._attempt is None:
            spans = line(extents)
        else:
            spans = [span for span in extents if span.stream.attempt == self._attempt]
        shown = (
            span._replace(first=max(span.first, window.first), end=min(span.end, window.last + 1))
            for span in spans
        )
        return [span for span in shown if span.first < span.end]

    def read(self, cells: Sequence[Cell], window: Window) -> Buckets:
        """The values of `cells`, in this order, over the steps of `window`."""
        spans = self.spans(window)
        buckets = self._buckets(len(cells), window, spans)
        return self._read(buckets, self._store.frames(spans), partial(_Places, cells))

    def logs(self, names: Sequence[str], window: Window) -> Buckets:
        """What the training logged under `names`, in this order, over the steps of `window`."""
        if not names:
            return Buckets(0, window.points, 0)
        spans = self.spans(window)
        reader = _Logs(names)
        buckets = self._buckets(len(names), window, spans)
        return self._read(buckets, self._store.headers(spans), lambda _: reader)

    def units(self, row: str, groups: int, window: Window) -> Buckets:
        """The first `groups` columns of the row's unit map, over the steps of `window`.

        Frames without it are skipped; most of them are not even read, being too short to hold one.
        """
        spans = self.spans(window)
        schemas = self._store.schemas(spans) if groups else []
        layouts = filter(None, map(self._layout, schemas))
        sizes = [layout.masks[UNITS].size for layout in layouts if UNITS in layout.masks]
        if not sizes:
            return Buckets(0, window.points, groups)
        least = min(sizes) * FLOAT_BYTES
        buckets = self._buckets(groups, window, spans, least=least)
        frames = self._store.frames(spans, least=least)
        return self._read(buckets, frames, partial(_Units, row, groups))

    def _layout(self, schema: Key) -> Layout | None:
        if schema not in self._layouts:
            self._layouts[schema] = Layout.read(self._store.message(schema))
        return self._layouts[schema]

    def _buckets(
        self, columns: int, window: Window, spans: Sequence[Span], *, least: int = 0
    ) -> Buckets:
        return Buckets(self._store.count(spans, least=least), window.points, columns)

    def _read(
        self,
        buckets: Buckets,
        frames: Iterator[FrameRecord],
        reader: Callable[[Layout | None], _Reader],
    ) -> Buckets:
        readers: dict[Key, _Reader] = {}
        for record in frames:
            # A frame that was stored since they were counted comes next time.
            if buckets.full:
                break
            schema = Key(self._run, record.attempt, record.worker, record.schema)
            if schema not in readers:
                readers[schema] = reader(self._layout(schema))
            found = readers[schema].read(record.raw)
            if found is None:
                buckets.skip()
            else:
                buckets.add(record.step, record.time, *found)
        return buckets
