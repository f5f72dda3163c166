"""A run's past: the frames of all its attempts as one line of steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gainstage import wire
from gainstage_server.buckets import Buckets, Flags, Floats
from gainstage_server.catalogue import stored_layout
from gainstage_server.layout import Layout
from gainstage_server.store.interface import Store
from gainstage_server.store.records import Key, Span

# Beyond every step that may enter.
MAX_STEP = 2**53


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


class History:
    """Reads the past of one run from the store."""

    def __init__(self, store: Store, run: str) -> None:
        self._store = store
        self._run = run

    def spans(self, window: Window) -> list[Span]:
        """What the run's line of steps is made of.

        An attempt that begins at a step which an earlier one had passed goes on from a checkpoint
        before it: what the earlier one did after that step is no longer part of the run.
        """
        spans: list[Span] = []
        end = window.last + 1
        for attempt, first in reversed(self._store.extents(self._run)):
            spans.append(Span(attempt, max(first, window.first), end))
            end = min(end, first)
        return [span for span in reversed(spans) if span.first < span.end]

    def read(self, cells: Sequence[Cell], window: Window) -> Buckets:
        """The values of `cells`, in this order, over the steps of `window`."""
        spans = self.spans(window)
        buckets = Buckets(self._store.count(self._run, spans), window.points, len(cells))
        places: dict[tuple[str, int], _Places] = {}
        for record in self._store.frames(self._run, spans):
            # A frame that was stored since they were counted comes next time.
            if buckets.full:
                break
            schema = (record.attempt, record.schema)
            if schema not in places:
                key = Key(self._run, record.attempt, record.worker, record.schema)
                places[schema] = _Places(cells, stored_layout(self._store, key))
            values, present = places[schema].read(record.raw)
            buckets.add(record.step, record.time, values, present)
        return buckets
