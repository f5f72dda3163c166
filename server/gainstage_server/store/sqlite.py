"""The store in one SQLite file: write-ahead log, every commit on the disk, one writer."""

import shutil
import sqlite3
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    func,
    inspect,
    literal_column,
    select,
)
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from gainstage import wire
from gainstage.finding import Finding
from gainstage_server.store import tables
from gainstage_server.store.file import Log, engine
from gainstage_server.store.interface import Store, StoreError, Transaction
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
from gainstage_server.store.transaction import SQLiteTransaction, within

_FETCH = 64  # frames read ahead: 10 MB at 1,000 layers

_finding = msgspec.msgpack.Decoder(Finding)


def _in_span(span: Span, least: int = 0) -> tuple[Any, ...]:
    frames = tables.frames
    # SQLite knows how long a blob is without reading it.
    size = (func.length(frames.c.raw) >= least,) if least else ()
    return (
        *within(frames, span.stream),
        frames.c.source == "probe",
        frames.c.step >= span.first,
        frames.c.step < span.end,
        *size,
    )


_FRAME_COLUMNS = tuple(tables.frames.c[name] for name in FrameRecord._fields)
_BY_STEP = (tables.frames.c.step, tables.frames.c.seq)
_ROWID: ColumnElement[int] = literal_column("frames.rowid")


def _header(database: sqlite3.Connection, rowid: int) -> bytes:
    """The beginning of a frame: unlike substr(), this reads no more of the blob than it needs."""
    with database.blobopen("frames", "raw", rowid, readonly=True) as blob:
        prefix = blob.read(wire.PREFIX.size)
        return prefix + blob.read(wire.header_end(prefix) - len(prefix))


class SQLiteStore(Store):
    """One file, and the two that SQLite keeps beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = engine(path, "BEGIN IMMEDIATE")
        self._reader = engine(path, "BEGIN")
        self._writing = threading.Lock()
        self._log = Log(path)

    @override
    def open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._writer.begin() as connection:
                self._create_or_check(connection)
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(
                f"{self._path} cannot be opened: {error}. Expected a file that Gainstage has "
                "written, or none yet in a folder that can be written. See GAINSTAGE_DATABASE."
            ) from error

    def _create_or_check(self, connection: Connection) -> None:
        if not inspect(connection).get_table_names():
            tables.metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {tables.VERSION}")
            return
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version != tables.VERSION:
            raise StoreError(
                f"This release reads stores of version {tables.VERSION}. Received version "
                f"{version} in {self._path}. Use the release that wrote it, or another file "
                "(GAINSTAGE_DATABASE)."
            )
        tables.metadata.create_all(connection)

    @override
    def close(self) -> None:
        self._log.wait()
        self._writer.dispose()
        self._reader.dispose()

    @override
    @contextmanager
    def write(self) -> Generator[Transaction]:
        with self._writing:
            try:
                with self._writer.begin() as connection:
                    transaction = SQLiteTransaction(connection)
                    yield transaction
            except SQLAlchemyError as error:
                self._log.empty()  # on a disk that is full it may hold the room that was missing
                raise StoreError(f"Writing to {self._path} failed: {error}") from error
            self._log.wrote(transaction.bytes)

    @override
    def probe(self) -> None:
        try:
            with self._writing:
                with self._writer.begin() as connection:
                    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                    connection.exec_driver_sql(f"PRAGMA user_version = {int(version)}")
                self._log.wrote(0)
        except SQLAlchemyError as error:
            raise StoreError(f"Writing to {self._path} failed: {error}") from error

    @override
    def free_bytes(self) -> int:
        return shutil.disk_usage(self._path.parent).free

    def _rows(self, statement: Executable) -> list[Any]:
        with self._reader.begin() as connection:
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
        with self._reader.begin() as connection:
            for row in connection.execution_options(yield_per=_FETCH).execute(statement):
                yield FrameRecord(*row)

    @override
    def frames_after(self, stream: Stream, seq: int) -> Iterator[FrameRecord]:
        frames = tables.frames
        return self._stream(
            select(*_FRAME_COLUMNS)
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
            yield from self._stream(
                select(*_FRAME_COLUMNS).where(*_in_span(span, least)).order_by(*_BY_STEP)
            )

    @override
    def headers(self, spans: Sequence[Span]) -> Iterator[FrameRecord]:
        columns = (*_FRAME_COLUMNS[:-1], _ROWID)
        for span in spans:
            statement = select(*columns).where(*_in_span(span)).order_by(*_BY_STEP)
            with self._reader.begin() as connection:
                database = cast("sqlite3.Connection", connection.connection.driver_connection)
                rows = connection.execution_options(yield_per=_FETCH).execute(statement)
                for *place, rowid in rows:
                    yield FrameRecord(*place, raw=_header(database, rowid))
