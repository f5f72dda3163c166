"""The frames of one span: chunks at some resolution, and what is in no chunk yet."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import numpy as np

from gainstage import wire
from gainstage_server.buckets import Buckets, Piece
from gainstage_server.compaction.axis import Axis, Entries
from gainstage_server.compaction.chunk import bands_of, cell
from gainstage_server.compaction.packing import Unpacker, group_cells
from gainstage_server.compaction.rollups import BANDS, Bands, Flags, Places, side_by_side
from gainstage_server.layout import Layout
from gainstage_server.selection import Selection, Spots, values
from gainstage_server.store.interface import Past
from gainstage_server.store.records import ChunkRecord, FrameRecord, Key, Span

_TOGETHER = 256  # frames that are in no chunk


class Found:
    """Where the frames of one schema hold what is wanted."""

    def __init__(self, layout: Layout | None, wanted: Selection) -> None:
        self.spots: Mapping[str, Spots] = wanted.spots(layout) if layout else {}
        self.schema = layout.schema if layout else None
        names = list(self.schema.blocks) if self.schema else []
        self.blocks = {names.index(name): name for name in self.spots}

    def cells(self, block: int) -> Places:
        """[n], the cells of `block` that are wanted, in the order of its spots."""
        if self.schema is None:
            return np.zeros(0, np.intp)
        name = self.blocks[block]
        shape = len(self.schema.rows), len(self.schema.blocks[name].columns)
        return cell(name, shape, self.spots[name].rows, self.spots[name].places)


@dataclass(frozen=True)
class Held:
    """What is read of a chunk, or of a section of one, of which some frames lie in `span`.

    Attributes:
        axis: The frames of it.
        schema: Theirs.
        finest: The finest resolution that is kept of them.
        sections: How many they are in.
        only: Blocks without which an entry is left out; None: all entries are read.
        factor: The resolution at which they are read.
    """

    axis: Axis
    schema: int
    finest: int
    sections: int
    span: Span
    only: Sequence[int] | None = None
    factor: int = 1

    @classmethod
    def of(cls, record: ChunkRecord, span: Span, only: Sequence[int] | None = None) -> "Held":
        """A chunk, frame by frame."""
        axis = Axis.load(record.axis)
        return cls(axis, record.schema, record.finest, record.sections, span, only)

    @property
    def seq(self) -> int:
        """That of its first frame, under which its parts are stored."""
        return int(self.axis.seqs[0])

    @property
    def _whole(self) -> bool:
        steps = self.axis.steps
        return bool(self.span.first <= steps[0] and steps[-1] < self.span.end)

    @property
    def _touched(self) -> bool:
        steps = self.axis.steps
        return bool(self.span.first <= steps[-1] and steps[0] < self.span.end)

    def at(self, factor: int) -> list["Held"]:
        """The same at a resolution; what the span cuts through is read frame by frame.

        The frames of a merged chunk are read section by section.
        """
        own = max(factor if self._whole else 1, self.finest)
        if own > 1 or self.sections == 1:
            return [replace(self, factor=own)]
        sections = (replace(self, axis=it, sections=1) for it in self.axis.cut(self.sections))
        return [one for one in sections if one._touched]

    @cached_property
    def _all(self) -> Entries:
        return self.axis.entries(self.factor, self.only)

    @cached_property
    def kept(self) -> Flags:
        """Which of its entries are read."""
        entries = self._all
        inside = (self.span.first <= entries.steps) & (entries.steps < self.span.end)
        return inside & (entries.frames > 0)

    @property
    def entries(self) -> Entries:
        """Those that are read."""
        return self._all.at(self.kept)

    @property
    def frames(self) -> int:
        """How many of its frames are read."""
        if self._whole and self.only is None:
            return len(self.axis)
        return int(self.entries.frames.sum())


def entries_of(waiting: Sequence[FrameRecord]) -> Entries:
    """Frames that are in no chunk, as entries of one each."""
    return Entries(
        np.array([frame.seq for frame in waiting], np.int64),
        np.array([frame.step for frame in waiting], np.int64),
        np.array([frame.time for frame in waiting], np.float64),
        np.ones(len(waiting), np.intp),
    )


class Stretch:
    """Reads what is wanted of the frames in `span`."""

    def __init__(
        self,
        past: Past,
        span: Span,
        wanted: Selection,
        found: Callable[[Key], Found],
        *,
        sparse: bool,
    ) -> None:
        """Look up which frames there are, and read those that are in no chunk.

        Args:
            past: Where they are.
            span: Which.
            wanted: What of them.
            found: Where those of a schema have it.
            sparse: Whether frames without the blocks that it is in are left out.
        """
        self._past = past
        self._span = span
        self._size = len(wanted)
        self._found = found
        self._sparse = sparse
        self._chunks = [self._held(record) for record in past.chunks(span)]
        self._waiting = [
            (frame, values(self._size, self._schema(frame.schema).spots, blocks))
            for frame, blocks in past.cut(span, self._ranges)
            if blocks or not sparse
        ]

    def _schema(self, schema: int) -> Found:
        return self._found(Key(*self._span.stream, schema))

    def _held(self, record: ChunkRecord) -> Held:
        only = list(self._schema(record.schema).blocks) if self._sparse else None
        return Held.of(record, self._span, only)

    def _ranges(self, frame: FrameRecord) -> dict[str, range]:
        """Block -> where in the frame, whose header this is, the rows stand that are wanted."""
        header, spots = wire.decode_header(frame.raw), self._schema(frame.schema).spots
        blocks = header.blocks if isinstance(header, wire.Frame) else ()
        return {
            block.name: wire.rows_at(frame.raw, block, *spots[block.name].span)
            for block in blocks
            if block.name in spots
        }

    @property
    def frames(self) -> int:
        """How many there are."""
        return sum(held.frames for held in self._chunks) + len(self._waiting)

    def entries(self, factor: int) -> list[Entries]:
        """What there is at this resolution, piece by piece."""
        self._chunks = [it for held in self._chunks for it in held.at(factor)]
        waiting = entries_of([frame for frame, _ in self._waiting])
        return [*(held.entries for held in self._chunks), waiting]

    def fill(self, buckets: Buckets, ranks: Iterator[Places]) -> None:
        """Put the values of `entries` into buckets; `ranks` has one array for each piece."""
        ranked = [(held, next(ranks)) for held in self._chunks]
        of_waiting = next(ranks)
        ranked.sort(key=_kind)
        for (schema, factor), of_kind in groupby(ranked, _kind):
            found, pieces = self._schema(schema), {held.seq: (held, at) for held, at in of_kind}
            for block in found.blocks:
                self._fill(buckets, found, block, factor, pieces)
        self._fill_waiting(buckets, of_waiting)

    def _fill(
        self,
        buckets: Buckets,
        found: Found,
        block: int,
        factor: int,
        pieces: Mapping[int, tuple[Held, Places]],
    ) -> None:
        cells, columns = found.cells(block), found.spots[found.blocks[block]].columns
        sources = {
            seq: _Source(held, ranks, block, len(cells))
            for seq, (held, ranks) in pieces.items()
            if block in held.axis.sampled
        }
        buckets.fill(columns, self._read(sources, block, factor, cells))

    def _read(
        self, sources: dict[int, "_Source"], block: int, factor: int, cells: Places
    ) -> Iterator[Piece]:
        """What each of the sources, which are chunks or sections by their seq, has of the cells."""
        by_size: dict[int, list[int]] = {}
        for seq, source in sources.items():
            by_size.setdefault(group_cells(source.depth), []).append(seq)
        unpacker, stream = Unpacker(), self._span.stream
        for size, seqs in by_size.items():
            groups = cells // size
            cut = {one: np.flatnonzero(groups == one) for one in sorted(set(groups.tolist()))}
            for seq, part in self._past.parts(stream, seqs, factor, of=(block, list(cut))):
                source, own = sources[seq], cut[part.group]
                of_group = side_by_side(cells[own] % size)
                source.take(
                    bands_of(unpacker.unpack(part.data, source.depth, of_group), factor), own
                )
                if source.taken == len(cells):
                    yield Piece(source.ranks, source.bands, source.weights)
                    del sources[seq]

    def _fill_waiting(self, buckets: Buckets, ranks: Places) -> None:
        buckets.fill(np.arange(self._size), self._together(ranks))

    def _together(self, ranks: Places) -> Iterator[Piece]:
        """What frames that are in no chunk have, some at a time."""
        for first in range(0, len(self._waiting), _TOGETHER):
            some = slice(first, first + _TOGETHER)
            read = zip(*(of_frame for _, of_frame in self._waiting[some]), strict=True)
            numbers, present = (np.stack(arrays) for arrays in read)
            yield Piece(ranks[some], Bands.exact(numbers), present.astype(np.intp))


def _kind(piece: tuple[Held, Places]) -> tuple[int, int]:
    held, _ = piece
    return held.schema, held.factor


class _Source:
    """What of the parts of one block of a chunk, or of a section, is read, group by group.

    Attributes:
        depth: How many values each cell has.
        ranks: [entries that are read], in the line.
        weights: [entries that are read, 1], how many frames each has.
        taken: Cells that were read.
    """

    def __init__(self, held: Held, ranks: Places, block: int, cells: int) -> None:
        self.held = held
        sampled, weights = held.axis.entries_with(block, held.factor)
        self.depth = len(sampled) * (1 if held.factor == 1 else BANDS)
        every = np.full(len(held.kept), -1, np.intp)
        every[held.kept] = ranks
        at = every[sampled]
        self._read = slice(None) if (at >= 0).all() else at >= 0
        self.ranks, self.weights = at[self._read], weights[self._read][:, None]
        self._cells = cells
        self.taken = 0

    @cached_property
    def bands(self) -> Bands:
        """[entries that are read, cells], as far as they were taken."""
        return Bands.empty(len(self.ranks), self._cells, exact=self.held.factor == 1)

    def take(self, cells: Bands, places: Places) -> None:
        """Put some cells into these places."""
        target = side_by_side(places)
        for own, band in zip(self.bands, cells, strict=True):
            own[:, target] = band[self._read]
            if cells.is_exact:
                break  # all four are one
        self.taken += len(places)
