"""What is stored in one transaction."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    Connection,
    Executable,
    Table,
    bindparam,
    func,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from gainstage.finding import Finding
from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import FACTORS, Chunk, Part
from gainstage_server.store import tables
from gainstage_server.store.interface import Transaction
from gainstage_server.store.records import (
    AttemptRecord,
    Change,
    Checkpoint,
    ChunkRecord,
    FrameRecord,
    Key,
    Mark,
    MergedChunk,
    MessageRecord,
    RefusedRecord,
    RunRecord,
    Stream,
    TokenRecord,
)


def within(table: Table, stream: Stream) -> tuple[Any, ...]:
    """The conditions that a row of `table` is one of `stream`."""
    return (
        table.c.run == stream.run,
        table.c.attempt == stream.attempt,
        table.c.worker == stream.worker,
    )


def _named(table: Table, *names: str) -> tuple[Any, ...]:
    return tuple(table.c[name] == bindparam(name) for name in names)


# Put together once: that takes longer than to run it, and every batch does.
_SEQS: BindParameter[Any] = bindparam("seqs", expanding=True)
_STORED = union_all(
    *(
        select(table.c.seq).where(*_named(table, *Stream._fields), table.c.seq.in_(_SEQS))
        for table in (tables.messages, tables.frames)
    )
)

# SQL has no standard word for "or put it in place of what is there"; both dialects have the same.
Insert = Callable[[Table], sqlite.Insert | postgresql.Insert]


@cache
def _replace(insert: Insert, table: Table) -> Executable:
    statement = insert(table)
    values = [column for column in table.columns if not column.primary_key]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={column.name: statement.excluded[column.name] for column in values},
    )


@cache
def _grow(insert: Insert) -> Executable:
    sizes, statement = tables.sizes, insert(tables.sizes)
    grown = {"bytes": sizes.c.bytes + statement.excluded.bytes}
    return statement.on_conflict_do_update(index_elements=[sizes.c.run], set_=grown)


class SQLTransaction(Transaction):
    """What is written over one connection between its BEGIN and its COMMIT."""

    def __init__(self, connection: Connection, insert: Insert) -> None:
        self._connection = connection
        self._insert = insert
        self.bytes = 0  # of messages

    def _put(self, table: Table, records: Sequence[msgspec.Struct]) -> None:
        if records:
            rows = [msgspec.structs.asdict(record) for record in records]
            self._connection.execute(_replace(self._insert, table), rows)

    @override
    def touch(self) -> None:
        # The one row that every store has.
        self._connection.execute(text("UPDATE alembic_version SET version_num = version_num"))

    @override
    def hold(self, seen: Mapping[str, float | None]) -> set[str]:
        return set()  # there are no other servers

    @override
    def tell(self, changes: Sequence[Change]) -> None:
        pass

    @override
    def new(self, keys: Iterable[Key]) -> set[Key]:
        by_stream: dict[Stream, set[int]] = {}
        for key in keys:
            by_stream.setdefault(key.stream, set()).add(key.seq)
        for stream, seqs in by_stream.items():
            asked = {**stream._asdict(), "seqs": list(seqs)}
            seqs.difference_update(self._connection.execute(_STORED, asked).scalars())
        return {Key(*stream, seq) for stream, seqs in by_stream.items() for seq in seqs}

    def _add(self, table: Table, records: Sequence[MessageRecord | FrameRecord]) -> None:
        if records:
            self._connection.execute(self._insert(table), [record._asdict() for record in records])

    @override
    def add(self, messages: Sequence[MessageRecord], frames: Sequence[FrameRecord]) -> None:
        self._add(tables.messages, messages)
        self._add(tables.frames, frames)
        grown: Counter[str] = Counter()
        for record in frames:
            grown[record.run] += len(record.raw)
        self._grow(grown)
        self.bytes += sum(len(record.raw) for record in (*messages, *frames))

    def _grow(self, grown: Mapping[str, int]) -> None:
        """Count what runs take from now on; less, where negative."""
        if grown:
            rows = [{"run": run, "bytes": size} for run, size in grown.items()]
            self._connection.execute(_grow(self._insert), rows)

    @override
    def put_runs(self, records: Sequence[RunRecord]) -> None:
        self._put(tables.runs, records)

    @override
    def put_attempts(self, records: Sequence[AttemptRecord]) -> None:
        self._put(tables.attempts, records)

    @override
    def put_findings(self, stream: Stream, findings: Sequence[Finding]) -> None:
        rows = [
            {
                "run": stream.run,
                "id": finding.id,
                "attempt": stream.attempt,
                "worker": stream.worker,
                "open": finding.open,
                "raw": msgspec.msgpack.encode(finding),
            }
            for finding in findings
        ]
        if rows:
            self._connection.execute(_replace(self._insert, tables.findings), rows)

    @override
    def drop_findings(self, stream: Stream) -> None:
        self._connection.execute(tables.findings.delete().where(*within(tables.findings, stream)))

    @override
    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._put(tables.checkpoints, [checkpoint])

    @override
    def put_mark(self, mark: Mark) -> None:
        self._put(tables.marks, [mark])

    @override
    def drop_mark(self, run: str, finding: str) -> None:
        marks = tables.marks
        self._connection.execute(
            marks.delete().where(marks.c.run == run, marks.c.finding == finding)
        )

    @override
    def put_token(self, record: TokenRecord) -> None:
        self._put(tables.tokens, [record])

    @override
    def put_refused(self, records: Sequence[RefusedRecord]) -> None:
        if not records:
            return
        self._put(tables.refused, records)
        newest_first = tables.refused.c.id.desc()
        counted = select(
            tables.refused.c.id,
            func.row_number().over(order_by=newest_first).label("messages"),
            func.sum(func.length(tables.refused.c.raw)).over(order_by=newest_first).label("bytes"),
        ).subquery()
        beyond = (counted.c.messages > tables.REFUSED_MESSAGES) | (
            counted.c.bytes > tables.REFUSED_BYTES
        )
        oldest = select(counted.c.id).where(beyond)
        self._connection.execute(tables.refused.delete().where(tables.refused.c.id.in_(oldest)))

    @override
    def compact(
        self, chunks: Sequence[tuple[ChunkRecord, Chunk]], *, instead_of: ChunkRecord | None
    ) -> bool:
        stream = chunks[0][0].stream
        seqs = [seq for _, made in chunks for seq in made.axis.seqs.tolist()]
        before = self._size_of_free(stream, seqs, instead_of)
        if before is None:
            return False
        after = sum(made.size + sum(map(len, made.left)) for _, made in chunks)
        self._grow({stream.run: after - before})
        if instead_of is not None:
            for table in (tables.chunks, tables.parts):
                own = *within(table, stream), table.c.seq == instead_of.seq
                self._connection.execute(table.delete().where(*own))
        for record, made in chunks:
            self._put_chunk(record, made.logs, made.parts)
            self._put_frames(record, made.axis, made.left)
        return True

    @override
    def merge(self, made: MergedChunk, *, instead_of: Sequence[ChunkRecord]) -> bool:
        chunks, parts, frames = tables.chunks, tables.parts, tables.frames
        if not self._are_as_read(instead_of):
            return False
        record, stream = made.record, made.record.stream
        seqs = [chunk.seq for chunk in instead_of]
        self._connection.execute(
            parts.delete().where(
                *within(parts, stream), parts.c.seq.in_(seqs), parts.c.factor > FACTORS[0]
            )
        )
        self._connection.execute(
            chunks.delete().where(*within(chunks, stream), chunks.c.seq.in_(seqs))
        )
        self._put_chunk(*made)
        for section in record.cut:
            own = *within(frames, stream), frames.c.seq.in_(section.seqs.tolist())
            rows = self._connection.execute(select(frames.c.seq, frames.c.raw).where(*own))
            left = {row.seq: row.raw for row in rows}
            self._put_frames(record, section, [left[seq] for seq in section.seqs.tolist()])
        self._grow({record.run: record.size - sum(chunk.size for chunk in instead_of)})
        return True

    @override
    def coarsen(self, chunk: ChunkRecord, finest: int) -> None:
        chunks, parts = tables.chunks, tables.parts
        if not self._are_as_read([chunk]):
            return
        seqs = [int(axis.seqs[0]) for axis in chunk.cut]
        own = *within(parts, chunk.stream), parts.c.seq.in_(seqs)
        self._connection.execute(parts.delete().where(*own, parts.c.factor < finest))
        summed = select(func.coalesce(func.sum(func.length(parts.c.data)), 0)).where(*own)
        size = int(self._connection.execute(summed).scalar_one())
        self._connection.execute(
            chunks.update()
            .where(*within(chunks, chunk.stream), chunks.c.seq == chunk.seq)
            .values(finest=finest, size=size)
        )
        self._grow({chunk.run: size - chunk.size})

    def _size_of_free(
        self, stream: Stream, seqs: Sequence[int], instead_of: ChunkRecord | None
    ) -> int | None:
        """Bytes of these frames and of the chunk that is replaced; None: they are not free."""
        frames = tables.frames
        free = frames.c.chunk.is_(None)
        if instead_of is not None:
            if not self._are_as_read([instead_of]):
                return None
            free |= frames.c.chunk == instead_of.seq
        own = *within(frames, stream), frames.c.seq.in_(seqs), free
        measured = select(func.count(), func.sum(func.length(frames.c.raw))).where(*own)
        count, size = self._connection.execute(measured).one()
        if count != len(seqs):
            return None
        return int(size) + (0 if instead_of is None else instead_of.size)

    def _are_as_read(self, read: Sequence[ChunkRecord]) -> bool:
        """Whether no other server has made other chunks of these, of one stream, meanwhile."""
        chunks = tables.chunks
        rows = self._connection.execute(
            select(*(chunks.c[name] for name in ChunkRecord._fields)).where(
                *within(chunks, read[0].stream), chunks.c.seq.in_([chunk.seq for chunk in read])
            )
        )
        return {ChunkRecord(*row) for row in rows} == set(read)

    def _put_chunk(self, record: ChunkRecord, logs: bytes, parts: Sequence[Part]) -> None:
        """Store a chunk, and parts that stand under its `seq`."""
        self._connection.execute(self._insert(tables.chunks), record._asdict() | {"logs": logs})
        identity = record.stream._asdict() | {"seq": record.seq}
        if parts:
            self._connection.execute(
                self._insert(tables.parts), [identity | part._asdict() for part in parts]
            )
        self.bytes += sum(len(part.data) for part in parts)

    def _put_frames(self, record: ChunkRecord, axis: Axis, left: Sequence[bytes]) -> None:
        """Store what is left of frames of a chunk in place of their rows.

        All else of a row the chunk knows. A row that is only made smaller keeps its page in SQLite:
        16 kB for a header. Of chunks that earlier releases made, the rows are like that.
        """
        frames, seqs = tables.frames, axis.seqs.tolist()
        self._connection.execute(
            frames.delete().where(*within(frames, record.stream), frames.c.seq.in_(seqs))
        )
        of_chunk = {"schema": record.schema, "source": record.source, "chunk": record.seq}
        columns = zip(seqs, axis.steps.tolist(), axis.times.tolist(), left, strict=True)
        rows = [
            {
                **record.stream._asdict(),
                **of_chunk,
                "seq": seq,
                "step": step,
                "time": time,
                "raw": raw,
            }
            for seq, step, time, raw in columns
        ]
        self._connection.execute(self._insert(frames), rows)

    @override
    def drop_run(self, run: str) -> None:
        for table in tables.OF_RUNS:
            self._connection.execute(table.delete().where(table.c.run == run))
