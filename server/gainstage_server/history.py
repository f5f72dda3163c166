"""A run's past: the frames of a worker's attempts as one line of steps, downsampled.

Chunks are read at the coarsest resolution that still gives half as many points as are asked for: of
the next finer one there is four to eight times as much to read, and a picture hardly shows it. What
a window or a later attempt cuts through, and what is in no chunk yet, is read frame by frame.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np

from gainstage import wire
from gainstage.workers import CHIEF
from gainstage_server.buckets import Buckets, Line, Piece
from gainstage_server.compaction.axis import Entries
from gainstage_server.compaction.chunk import FACTORS
from gainstage_server.compaction.logged import Logs
from gainstage_server.compaction.rollups import Bands, Flags, Floats
from gainstage_server.layout import Layout
from gainstage_server.line import extents, line
from gainstage_server.selection import Cell, Cells, Selection, UnitMap
from gainstage_server.store.interface import Past, Store
from gainstage_server.store.records import MAX_STEP, Key, Span, Stream
from gainstage_server.stretch import Found, Held, Stretch, entries_of


@dataclass(frozen=True)
class Window:
    """Which steps are asked for, and how many points of them."""

    first: int = 0
    last: int = MAX_STEP
    points: int = 600


class History:
    """Reads the past of one worker of a run from the store, or of one of its attempts."""

    def __init__(
        self, store: Store, run: str, worker: int = CHIEF, attempt: str | None = None
    ) -> None:
        self._store = store
        self._run = run
        self._worker = worker
        self._attempt = attempt

    def read(self, cells: Sequence[Cell], window: Window) -> Buckets:
        """The values of `cells`, in this order, over the steps of `window`."""
        return self._read(Cells(cells), window)

    def units(self, row: str, groups: int, window: Window) -> Buckets:
        """The first `groups` columns of the row's unit map, over the steps of `window`.

        Frames without it are left out.
        """
        return self._read(UnitMap(row, groups), window, sparse=True)

    def logs(self, names: Sequence[str], window: Window) -> Buckets:
        """What the training logged under `names`, in this order, over the steps of `window`."""
        with self._store.past() as past:
            spans = self._spans(past, window) if names else []
            pieces = [list(_logged(past, span, names)) for span in spans]
        found = Line.of([[entries for entries, _, _ in of_span] for of_span in pieces])
        buckets = Buckets(found.entries, window.points, len(names))
        logged = (
            Piece(ranks, Bands.exact(values), present.astype(np.intp))
            for (_, values, present), ranks in zip(chain(*pieces), found.ranks, strict=True)
        )
        buckets.fill(np.arange(len(names)), logged)
        return buckets

    def _spans(self, past: Past, window: Window) -> list[Span]:
        """What the line of steps is made of; of one attempt, all that it did."""
        done = extents(past.attempts(self._run), self._worker)
        if self._attempt is None:
            spans = line(done)
        else:
            spans = [span for span in done if span.stream.attempt == self._attempt]
        shown = (
            span._replace(first=max(span.first, window.first), end=min(span.end, window.last + 1))
            for span in spans
        )
        return [span for span in shown if span.first < span.end]

    def _read(self, wanted: Selection, window: Window, *, sparse: bool = False) -> Buckets:
        with self._store.past() as past:
            found = _found(past, wanted)
            spans = self._spans(past, window) if len(wanted) else []
            stretches = [Stretch(past, span, wanted, found, sparse=sparse) for span in spans]
            frames = sum(stretch.frames for stretch in stretches)
            factor = max(one for one in FACTORS if one == 1 or one * window.points <= 2 * frames)
            placed = Line.of([stretch.entries(factor) for stretch in stretches])
            buckets = Buckets(placed.entries, window.points, len(wanted))
            ranks = iter(placed.ranks)
            for stretch in stretches:
                stretch.fill(buckets, ranks)
            return buckets


def rehearse(store: Store) -> None:
    """Read the past of nobody, so that the first viewer of a run waits for nothing but its own.

    What SQLAlchemy makes of the statements and a PostgreSQL looks up for them takes 12 ms, once.

    Raises:
        StoreError: It cannot be read.
    """
    span = Span(Stream("", "", CHIEF), 0, 1)
    with store.past() as past:
        past.attempts(span.stream.run)
        past.message(Key(*span.stream, 0))
        past.chunks(span)
        list(past.parts(span.stream, [0], FACTORS[0], of=(0, [0])))
        list(past.cut(span, lambda _: {}))


def _found(past: Past, wanted: Selection) -> Callable[[Key], Found]:
    return cache(lambda schema: Found(Layout.read(past.message(schema)), wanted))


def _logged(
    past: Past, span: Span, names: Sequence[str]
) -> Iterator[tuple[Entries, Floats, Flags]]:
    chunks = [Held.of(record, span) for record in past.chunks(span)]
    stored = past.logs(span.stream, [held.seq for held in chunks])
    for held, logs in zip(chunks, stored, strict=True):
        logged, present = Logs.load(logs).read(names, len(held.axis))
        yield held.entries, logged[held.kept], present[held.kept]
    waiting = list(past.headers(span))
    logs = Logs.of([wire.decode_header(frame.raw) for frame in waiting])
    yield entries_of(waiting), *logs.read(names, len(waiting))
