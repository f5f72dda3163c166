"""Frames as of one instant: in chunks, and those that are in none yet."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, select
from typing_extensions import override

from gainstage import wire
from gainstage_server.compaction.chunk import FACTORS, Part, Reader, is_whole
from gainstage_server.store import tables
from gainstage_server.store.interface import Past
from gainstage_server.store.records import (
    AttemptRecord,
    ChunkRecord,
    FrameRecord,
    Key,
    Span,
    Stream,
)
from gainstage_server.store.transaction import within

FETCH = 64  # frames read ahead: 10 MB at 1,000 layers
_PARTS = 256  # read ahead; they are of some 20 kB each
_SEQS = 500  # asked for at a time

_FRAMES = tables.frames.c
# The columns of a frame record, but for what is last in it.
PLACE = tuple(_FRAMES[name] for name in FrameRecord._fields[:-1])
WITH_CHUNK = (*PLACE, _FRAMES.chunk, _FRAMES.raw)
CHUNK = tuple(tables.chunks.c[name] for name in ChunkRecord._fields)
PART = tuple(tables.parts.c[name] for name in Part._fields)


def attempts_of(connection: Connection, run: str) -> list[AttemptRecord]:
    """The attempts at a run, oldest first."""
    table = tables.attempts
    found = select(table).where(table.c.run == run).order_by(table.c.started, table.c.worker)
    return [AttemptRecord(**row) for row in connection.execute(found).mappings()]


def waiting_in(span: Span, *columns: Any) -> Executable:
    """`columns` of the probe frames in `span` that are in no chunk, by their steps."""
    chosen = select(*columns).where(
        *within(tables.frames, span.stream),
        _FRAMES.source == "probe",
        _FRAMES.step >= span.first,
        _FRAMES.step < span.end,
        _FRAMES.chunk.is_(None),
    )
    return chosen.order_by(_FRAMES.step, _FRAMES.seq)


class SQLPast(Past):
    """Reads over one connection, within one transaction that sees no later ones."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _rows(
        self, statement: Executable, ahead: int = FETCH, most: int | None = None
    ) -> Iterator[Any]:
        """The rows of `statement`, read `ahead` by so many; at once where that is the `most`.

        The former takes three more trips to a PostgreSQL.
        """
        whole = most is not None and most <= ahead
        options: dict[str, Any] = {} if whole else {"yield_per": ahead}
        with self._connection.execute(statement, execution_options=options) as rows:
            yield from rows

    @override
    def message(self, key: Key) -> bytes | None:
        messages = tables.messages
        return self._connection.execute(
            select(messages.c.raw).where(*within(messages, key.stream), messages.c.seq == key.seq)
        ).scalar_one_or_none()

    @override
    def attempts(self, run: str) -> list[AttemptRecord]:
        return attempts_of(self._connection, run)

    @override
    def chunks(self, span: Span) -> list[ChunkRecord]:
        chunks = tables.chunks
        rows = self._connection.execute(
            select(*CHUNK)
            .where(
                *within(chunks, span.stream),
                chunks.c.source == "probe",
                chunks.c.last_step >= span.first,
                chunks.c.first_step < span.end,
            )
            .order_by(chunks.c.first_step, chunks.c.seq)
        )
        return [ChunkRecord(*row) for row in rows]

    @override
    def logs(self, stream: Stream, seqs: Sequence[int]) -> Iterator[bytes]:
        table = tables.chunks
        for some in _some(seqs):
            rows = self._connection.execute(
                select(table.c.seq, table.c.logs).where(
                    *within(table, stream), table.c.seq.in_(some)
                )
            )
            logs = {row.seq: row.logs for row in rows}
            yield from (logs[seq] for seq in some)

    @override
    def parts(
        self,
        stream: Stream,
        seqs: Sequence[int],
        factor: int,
        of: tuple[int, Sequence[int]] | None = None,
    ) -> Iterator[tuple[int, Part]]:
        table = tables.parts
        for some in _some(seqs):
            of_these = *within(table, stream), table.c.seq.in_(some), table.c.factor == factor
            wanted = select(table.c.seq, *PART).where(*of_these)
            most = None
            if of is not None:
                block, groups = of
                wanted = wanted.where(table.c.block == block, table.c.group.in_(groups))
                most = len(some) * len(groups)
            for seq, *part in self._rows(wanted, _PARTS, most):
                yield seq, Part(*part)

    @override
    def headers(self, span: Span) -> Iterator[FrameRecord]:
        return (frame for frame, _ in self.cut(span, lambda _: {}))

    def whole(self, statement: Executable) -> Iterator[FrameRecord]:
        """The frames of `statement`, which selects WITH_CHUNK, with all their bytes.

        Those of which only rollups are kept are left out.
        """
        of_section: dict[Key, bytes | None] = {}
        for *place, chunk, raw in self._rows(statement):
            if chunk is None or is_whole(raw):
                yield FrameRecord(*place, raw=raw)
                continue
            record = FrameRecord(*place, raw=raw)
            key = Key(*record.stream, record.seq)
            if key not in of_section:
                of_section = self._section(key, chunk)
            whole = of_section[key]
            if whole is not None:
                yield record._replace(raw=whole)

    def _section(self, key: Key, chunk: int) -> dict[Key, bytes | None]:
        """All bytes of the frames of the section that `key` lies in; None: of mere rollups."""
        stream, chunks = key.stream, tables.chunks
        found = self._connection.execute(
            select(*CHUNK).where(*within(chunks, stream), chunks.c.seq == chunk)
        ).one()
        record = ChunkRecord(*found)
        axis = next(axis for axis in record.cut if key.seq in axis.seqs)
        seqs = axis.seqs.tolist()
        keys = [Key(*stream, seq) for seq in seqs]
        if record.finest > 1:
            return dict.fromkeys(keys)
        left = self._connection.execute(
            select(_FRAMES.seq, _FRAMES.raw).where(
                *within(tables.frames, stream), _FRAMES.seq.in_(seqs)
            )
        )
        raws = {row.seq: row.raw for row in left}
        exact = [part for _, part in self.parts(stream, seqs[:1], FACTORS[0])]
        reader = Reader(self._schema(Key(*stream, record.schema)), axis)
        frames = reader.frames(exact, [raws[seq] for seq in seqs])
        return dict(zip(keys, frames, strict=True))

    def _schema(self, key: Key) -> wire.Schema:
        raw = self.message(key)
        message = wire.decode(raw)[0] if raw else None
        if not isinstance(message, wire.Schema):
            raise LookupError(f"{key} is no schema, but frames refer to it.")
        return message


def _some(seqs: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(seqs), _SEQS):
        yield seqs[first : first + _SEQS]
