"""What is read in the same way from SQLite and from PostgreSQL."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Executable, func, select
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from gainstage.finding import Finding
from gainstage_server.store import tables
from gainstage_server.store.interface import Store, StoreError
from gainstage_server.store.records import (
    AttemptRecord,
    Checkpoint,
    FrameRecord,
    Key,
    Mark,
    MessageRecord,
    RefusedRecord,
    RunRecord,
    Span,
    Stream,
)
from gainstage_server.store.transaction import within

FETCH = 64  # frames read ahead: 10 MB at 1,000 layers

_finding = msgspec.msgpack.Decoder(Finding)


def _in_span(span: Span, least: int = 0) -> tuple[Any, ...]:
    frames = tables.frames
    # How long the bytes are is known without reading them.
    size = (func.length(frames.c.raw) >= least,) if least else ()
    return (
        *within(frames, span.stream),
        frames.c.source == "probe",
        frames.c.step >= span.first,
        frames.c.step < span.end,
        *size,
    )


# The columns of a frame record, and what is last in it.
PLACE = tuple(tables.frames.c[name] for name in FrameRecord._fields[:-1])
_RAW = tables.frames.c.raw


def frames_in(span: Span, *columns: Any, least: int = 0) -> Executable:
    """`columns` of the probe frames in `span` of `least` bytes or more, by their steps."""
    frames = tables.frames
    chosen = select(*columns).where(*_in_span(span, least))
    return chosen.order_by(frames.c.step, frames.c.seq)


class SQLStore(Store):
    """Reads by one engine, and writes by another."""

    def __init__(self, name: str, reader: Engine, writer: Engine) -> None:
        self._name = name  # in messages
        self._reader = reader
        self._writer = writer

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

    def _first(self, statement: Executable) -> Any:
        return next(iter(self._rows(statement)), None)

    @override
    def runs(self) -> list[RunRecord]:
        names = RunRecord.__struct_fields__
        rows = self._rows(select(*(tables.runs.c[name] for name in names)))
        return [msgspec.convert(dict(zip(names, row, strict=True)), RunRecord) for row in rows]

    @override
    def attempts(self, run: str) -> list[AttemptRecord]:
        table = tables.attempts
        rows = self._rows(
            select(table).where(table.c.run == run).order_by(table.c.started, table.c.worker)
        )
        return [AttemptRecord(**row._mapping) for row in rows]

    @override
    def attempt(self, stream: Stream) -> AttemptRecord | None:
        row = self._first(select(tables.attempts).where(*within(tables.attempts, stream)))
        return row and AttemptRecord(**row._mapping)

    @override
    def messages(self, run: str, type: str, *, newest: int) -> list[bytes]:
        table = tables.messages
        statement = select(table.c.raw).where(table.c.run == run, table.c.type == type)
        order = (table.c.time.desc(), table.c.seq.desc())
        return [row.raw for row in reversed(self._rows(statement.order_by(*order).limit(newest)))]

    @override
    def messages_of(self, stream: Stream) -> list[MessageRecord]:
        table = tables.messages
        columns = (table.c[name] for name in MessageRecord._fields)
        statement = select(*columns).where(*within(table, stream)).order_by(table.c.seq)
        return [MessageRecord(*row) for row in self._rows(statement)]

    @override
    def message(self, key: Key) -> bytes | None:
        table = tables.messages
        row = self._first(
            select(table.c.raw).where(*within(table, key.stream), table.c.seq == key.seq)
        )
        return row and row.raw

    @override
    def findings(self, run: str) -> list[Finding]:
        table = tables.findings
        rows = self._rows(select(table.c.raw).where(table.c.run == run))
        return [_finding.decode(row.raw) for row in rows]

    @override
    def open_findings(self) -> dict[str, list[Finding]]:
        table = tables.findings
        found: dict[str, list[Finding]] = {}
        for row in self._rows(select(table.c.run, table.c.raw).where(table.c.open)):
            found.setdefault(row.run, []).append(_finding.decode(row.raw))
        return found

    @override
    def marks(self) -> list[Mark]:
        return [Mark(**row._mapping) for row in self._rows(select(tables.marks))]

    @override
    def refused(self) -> list[RefusedRecord]:
        newest_first = select(tables.refused).order_by(tables.refused.c.id.desc())
        return [RefusedRecord(**row._mapping) for row in self._rows(newest_first)]

    @override
    def checkpoint(self, stream: Stream) -> Checkpoint | None:
        row = self._first(select(tables.checkpoints).where(*within(tables.checkpoints, stream)))
        return row and Checkpoint(**row._mapping)

    @override
    def newest_frame(self, schema: Key) -> bytes | None:
        frames = tables.frames
        row = self._first(
            select(frames.c.raw)
            .where(
                *within(frames, schema.stream),
                frames.c.schema == schema.seq,
                frames.c.source == "probe",
            )
            .order_by(frames.c.seq.desc())
            .limit(1)
        )
        return row and row.raw

    def _stream(self, statement: Executable) -> Iterator[FrameRecord]:
        with self._reading() as connection:
            for row in connection.execution_options(yield_per=FETCH).execute(statement):
                yield FrameRecord(*row)

    @override
    def frames_after(self, stream: Stream, seq: int) -> Iterator[FrameRecord]:
        frames = tables.frames
        return self._stream(
            select(*PLACE, _RAW)
            .where(*within(frames, stream), frames.c.seq > seq)
            .order_by(frames.c.seq)
        )

    @override
    def extents(self, run: str, worker: int) -> list[Span]:
        frames, attempts = tables.frames, tables.attempts
        # One seek each in the index: together in one subquery they would read all steps.
        first, last = (
            select(bound(frames.c.step))
            .where(
                frames.c.run == run,
                frames.c.attempt == attempts.c.attempt,
                frames.c.worker == worker,
                frames.c.source == "probe",
            )
            .scalar_subquery()
            for bound in (func.min, func.max)
        )
        rows = self._rows(
            select(attempts.c.attempt, first.label("first"), last.label("last"))
            .where(attempts.c.run == run, attempts.c.worker == worker)
            .order_by(attempts.c.started)
        )
        return [
            Span(Stream(run, row.attempt, worker), row.first, row.last + 1)
            for row in rows
            if row.first is not None
        ]

    @override
    def schemas(self, spans: Sequence[Span]) -> list[Key]:
        schema = tables.frames.c.schema
        return [
            Key(*span.stream, row.schema)
            for span in spans
            for row in self._rows(select(schema).where(*_in_span(span)).distinct())
        ]

    @override
    def count(self, spans: Sequence[Span], *, least: int = 0) -> int:
        statements = (select(func.count()).where(*_in_span(span, least)) for span in spans)
        return sum(self._first(statement)[0] for statement in statements)

    @override
    def frames(self, spans: Sequence[Span], *, least: int = 0) -> Iterator[FrameRecord]:
        for span in spans:
            yield from self._stream(frames_in(span, *PLACE, _RAW, least=least))
