"""What is read in the same way from SQLite and from PostgreSQL."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    FromClause,
    Table,
    and_,
    case,
    column,
    exists,
    func,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from gainstage.finding import Finding
from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import SECTIONS
from gainstage_server.store import tables
from gainstage_server.store.interface import Store, StoreError
from gainstage_server.store.past import CHUNK, FETCH, WITH_CHUNK, SQLPast, attempts_of
from gainstage_server.store.records import (
    AttemptRecord,
    Backlog,
    Change,
    Checkpoint,
    ChunkRecord,
    FrameRecord,
    Key,
    Mark,
    MessageRecord,
    RefusedRecord,
    RunRecord,
    Stream,
    TokenRecord,
)
from gainstage_server.store.transaction import within

log = logging.getLogger("gainstage.server")

_finding = msgspec.msgpack.Decoder(Finding)


_RUN = RunRecord.__struct_fields__
_RUNS = select(*(tables.runs.c[name] for name in _RUN))


def _run(row: Any) -> RunRecord:
    return msgspec.convert(dict(zip(_RUN, row, strict=True)), RunRecord)


def _through(column: ColumnElement[int], last: int | None) -> tuple[ColumnElement[bool], ...]:
    return () if last is None else (column <= last,)


def _among(table: Table, runs: Collection[str] | None) -> tuple[ColumnElement[bool], ...]:
    return () if runs is None else (table.c.run.in_(runs),)


def same(table: Table, other: FromClause, names: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    """The conditions that rows of two tables have the same in these columns."""
    return tuple(table.c[name] == other.c[name] for name in names)


class SQLStore(Store):
    """Reads by one engine, and writes by another.

    `listed` makes rows of a JSON list `:listed` of lists: `run`, `attempt`, `worker`, `seq`.
    """

    def __init__(self, name: str, reader: Engine, writer: Engine, listed: str) -> None:
        self._name = name  # in messages
        self._reader = reader
        self._writer = writer
        self._listed = text(listed)

    def _tell(self, revision: str | None) -> None:
        """Log that the store was brought to a revision, if it was."""
        if revision is not None:
            log.info("store migrated", extra={"database": self._name, "revision": revision})

    @override
    def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()

    @override
    def probe(self) -> None:
        with self.write() as transaction:
            transaction.touch()

    @contextmanager
    def _reading(self) -> Generator[Connection]:
        try:
            with self._reader.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"Reading from {self._name} failed: {error}") from error

    def _rows(self, statement: Executable) -> list[Any]:
        with self._reading() as connection:
            return list(connection.execute(statement))

    def _asked(self, what: Collection[Stream] | Collection[Key]) -> FromClause:
        """Streams or keys as a table: the same statement for any number of them."""
        listed = self._listed.bindparams(listed=msgspec.json.encode([*what]).decode())
        columns = (column(name, tables.frames.c[name].type) for name in Key._fields)
        return listed.columns(*columns).subquery("asked")

    def _joined(self, table: Table, what: Collection[Stream] | Collection[Key]) -> Iterator[Any]:
        """The rows of `table` that are of these streams or keys, some at a time."""
        if not what:
            return
        asked, names = self._asked(what), next(iter(what))._fields
        rows = select(table).join(asked, and_(*same(table, asked, names)))
        with self._reading() as connection:
            yield from connection.execute(rows, execution_options={"yield_per": FETCH})

    def _first(self, statement: Executable) -> Any:
        return next(iter(self._rows(statement)), None)

    @override
    def listen(self, hear: Callable[[Sequence[Change] | None], None]) -> None:
        pass  # there are no other servers

    @override
    def runs(self, among: Collection[str] | None = None) -> list[RunRecord]:
        return [_run(row) for row in self._rows(_RUNS.where(*_among(tables.runs, among)))]

    @override
    def run(self, run: str) -> RunRecord | None:
        row = self._first(_RUNS.where(tables.runs.c.run == run))
        return row and _run(row)

    @override
    def attempts(self, run: str) -> list[AttemptRecord]:
        with self._reading() as connection:
            return attempts_of(connection, run)

    @override
    def attempts_among(self, streams: Collection[Stream]) -> list[AttemptRecord]:
        rows = self._joined(tables.attempts, streams)
        return [AttemptRecord(**row._mapping) for row in rows]

    @override
    def newest(self, streams: Collection[Stream]) -> dict[Stream, int]:
        if not streams:
            return {}
        asked = self._asked(streams)
        # Each by the end of an index, however many there are.
        newest = (
            select(func.coalesce(func.max(table.c.seq), -1))
            .where(*same(table, asked, Stream._fields))
            .scalar_subquery()
            for table in (tables.messages, tables.frames)
        )
        stream = (asked.c[name] for name in Stream._fields)
        rows = self._rows(select(*stream, *newest))
        return {Stream(*row[:-2]): max(row[-2:]) for row in rows}

    @override
    def messages(self, run: str, type: str, *, newest: int) -> list[bytes]:
        table = tables.messages
        statement = select(table.c.raw).where(table.c.run == run, table.c.type == type)
        order = (table.c.time.desc(), table.c.seq.desc())
        return [row.raw for row in reversed(self._rows(statement.order_by(*order).limit(newest)))]

    @override
    def messages_of(
        self, stream: Stream, first: int = 0, last: int | None = None
    ) -> list[MessageRecord]:
        table = tables.messages
        columns = (table.c[name] for name in MessageRecord._fields)
        statement = (
            select(*columns)
            .where(*within(table, stream), table.c.seq >= first, *_through(table.c.seq, last))
            .order_by(table.c.seq)
        )
        return [MessageRecord(*row) for row in self._rows(statement)]

    @override
    def message(self, key: Key) -> bytes | None:
        table = tables.messages
        row = self._first(
            select(table.c.raw).where(*within(table, key.stream), table.c.seq == key.seq)
        )
        return row and row.raw

    @override
    def messages_at(self, keys: Collection[Key]) -> Iterator[tuple[Key, bytes]]:
        for row in self._joined(tables.messages, keys):
            yield Key(row.run, row.attempt, row.worker, row.seq), row.raw

    @override
    def findings(self, run: str) -> list[Finding]:
        return self.findings_among([run]).get(run, [])

    @override
    def findings_among(self, runs: Collection[str]) -> dict[str, list[Finding]]:
        return self._findings(*_among(tables.findings, runs))

    @override
    def open_findings(self) -> dict[str, list[Finding]]:
        return self._findings(tables.findings.c.open)

    def _findings(self, *which: ColumnElement[bool]) -> dict[str, list[Finding]]:
        table = tables.findings
        found: dict[str, list[Finding]] = {}
        for row in self._rows(select(table.c.run, table.c.raw).where(*which)):
            found.setdefault(row.run, []).append(_finding.decode(row.raw))
        return found

    @override
    def marks(self, among: Collection[str] | None = None) -> list[Mark]:
        table = tables.marks
        rows = self._rows(select(table).where(*_among(table, among)))
        return [Mark(**row._mapping) for row in rows]

    @override
    def tokens(self) -> list[TokenRecord]:
        rows = self._rows(select(tables.tokens).order_by(tables.tokens.c.created))
        return [TokenRecord(**row._mapping) for row in rows]

    @override
    def token(self, id: str) -> TokenRecord | None:
        row = self._first(select(tables.tokens).where(tables.tokens.c.id == id))
        return row and TokenRecord(**row._mapping)

    @override
    def refused(self) -> list[RefusedRecord]:
        newest_first = select(tables.refused).order_by(tables.refused.c.id.desc())
        return [RefusedRecord(**row._mapping) for row in self._rows(newest_first)]

    @override
    def checkpoints(self, streams: Collection[Stream]) -> Iterator[Checkpoint]:
        rows = self._joined(tables.checkpoints, streams)
        return (Checkpoint(**row._mapping) for row in rows)

    @override
    @contextmanager
    def past(self) -> Generator[SQLPast]:
        with self._reading() as connection:
            yield self._past(connection)

    def _past(self, connection: Connection) -> SQLPast:
        """What reads over `connection`."""
        raise NotImplementedError

    def _whole(self, statement: Executable) -> Iterator[FrameRecord]:
        with self.past() as past:
            yield from past.whole(statement)

    @override
    def newest_frame(self, schema: Key) -> bytes | None:
        frames = tables.frames
        newest = (
            select(*WITH_CHUNK)
            .where(
                *within(frames, schema.stream),
                frames.c.schema == schema.seq,
                frames.c.source == "probe",
            )
            .order_by(frames.c.seq.desc())
            .limit(1)
        )
        found = list(self._whole(newest))
        return found[0].raw if found else None

    @override
    def frames_after(
        self, stream: Stream, seq: int, last: int | None = None
    ) -> Iterator[FrameRecord]:
        frames = tables.frames
        return self._whole(
            select(*WITH_CHUNK)
            .where(*within(frames, stream), frames.c.seq > seq, *_through(frames.c.seq, last))
            .order_by(frames.c.seq)
        )

    @override
    def frames_behind(self, newest: Mapping[Stream, int]) -> Iterator[FrameRecord]:
        return (it for stream, seq in newest.items() for it in self.frames_after(stream, seq))

    @override
    @contextmanager
    def alone(self, run: str) -> Generator[bool]:
        yield True  # there are no other servers

    @override
    def backlogs(self, *, quiet_since: float) -> list[Backlog]:
        frames, attempts, runs = tables.frames, tables.attempts, tables.runs
        of = (frames.c.run, frames.c.attempt, frames.c.worker, frames.c.schema, frames.c.source)
        waiting = (
            select(*of, func.count().label("frames"))
            .where(frames.c.chunk.is_(None))
            .group_by(*of)
            .subquery()
        )
        quiet = attempts.c.ended.is_not(None) | (runs.c.last_seen < quiet_since)
        rows = self._rows(
            select(*waiting.c, quiet)
            .join(attempts, and_(*same(attempts, waiting, Stream._fields)))
            .join(runs, waiting.c.run == runs.c.run)
        )
        return [Backlog(*row) for row in rows]

    @override
    def detailed(self, before: Mapping[str, float], otherwise: float | None) -> ChunkRecord | None:
        chunks, runs = tables.chunks, tables.runs
        if not before and otherwise is None:
            return None
        due = case(before, value=runs.c.project, else_=otherwise) if before else literal(otherwise)
        # Run by run, each of which the index tells, and not chunk by chunk.
        some = exists().where(chunks.c.run == runs.c.run, tables.DETAILED, chunks.c.last_time < due)
        found = self._first(select(runs.c.run, due.label("due")).where(some).limit(1))
        row = found and self._first(
            select(*CHUNK)
            .where(chunks.c.run == found.run, tables.DETAILED, chunks.c.last_time < found.due)
            .limit(1)
        )
        return row and ChunkRecord(*row)

    @override
    def full_chunks(self) -> dict[Stream, int]:
        chunks, found = tables.chunks, Counter[Stream]()
        stream = [chunks.c[name] for name in Stream._fields]
        counted = select(*stream, func.count()).where(tables.FULL)
        alike = counted.group_by(*stream, chunks.c.schema, chunks.c.finest)
        for *key, count in self._rows(alike.having(func.count() >= SECTIONS)):
            found[Stream(*key)] += count
        return found

    @override
    def sizes(self) -> dict[str, int]:
        return {row.run: row.bytes for row in self._rows(select(tables.sizes))}

    @override
    def oldest(self, backlog: Backlog, *, leave: int, most: int) -> list[FrameRecord]:
        frames = tables.frames
        waiting = (*_of(frames, backlog), frames.c.chunk.is_(None))
        newest = select(frames.c.seq).where(*waiting).order_by(frames.c.seq.desc())
        kept = self._first(newest.limit(1).offset(leave - 1))
        if kept is None:
            return []
        # As a sum, so that no planner takes it for a range of the primary key: it would read every
        # frame of the stream, and sort them with all their bytes.
        older = frames.c.seq + 1 <= kept.seq
        return list(
            self._whole(
                select(*WITH_CHUNK)
                .where(*waiting, older)
                .order_by(frames.c.step, frames.c.seq)
                .limit(most)
            )
        )

    @override
    def chunks_from(self, backlog: Backlog, frame: FrameRecord) -> list[ChunkRecord]:
        chunks = tables.chunks
        at = tuple_(frame.step, frame.seq)
        last = chunks.c.last_step, chunks.c.last_seq
        behind = *_of(chunks, backlog), tuple_(*last) > at
        around = *behind, tuple_(chunks.c.first_step, chunks.c.seq) < at
        first = select(*CHUNK).where(*behind).order_by(*last).limit(1)
        found = (*self._rows(first), *self._rows(select(*CHUNK).where(*around).order_by(*last)))
        return list(dict.fromkeys(ChunkRecord(*row) for row in found))

    @override
    def frames_of(self, chunk: ChunkRecord) -> list[FrameRecord]:
        frames = tables.frames
        seqs = Axis.load(chunk.axis).seqs.tolist()
        return list(
            self._whole(
                select(*WITH_CHUNK).where(*within(frames, chunk.stream), frames.c.seq.in_(seqs))
            )
        )


def _of(table: Table, backlog: Backlog) -> tuple[Any, ...]:
    return (
        *within(table, backlog.stream),
        table.c.schema == backlog.schema,
        table.c.source == backlog.source,
    )
