"""The store in a PostgreSQL: every commit on the disk, and any number of servers that write."""

import uuid
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import Format
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    and_,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from gainstage import wire
from gainstage_server.compaction.chunk import Chunk
from gainstage_server.store import tables
from gainstage_server.store.interface import StoreError, Transaction
from gainstage_server.store.listener import CHANNEL, KEEPALIVES, Listener, notice
from gainstage_server.store.migrations import migrate
from gainstage_server.store.past import FETCH, PLACE, WITH_CHUNK, SQLPast, waiting_in
from gainstage_server.store.records import (
    Change,
    ChunkRecord,
    FrameRecord,
    Key,
    MergedChunk,
    Span,
    Stream,
)
from gainstage_server.store.sql import SQLStore, same
from gainstage_server.store.transaction import SQLTransaction, within

# PostgreSQL keeps long values in pieces of 1,996 bytes, and hardly a header is longer than one.
_PIECE = 1_996
_PIECES_AHEAD = 256
# Advisory locks are two numbers: what is locked, and which of these.
_MIGRATION, _RUN, _ORDER = 0x67610000, 0x67610001, 0x67610002
_CONNECT_SECONDS = 10

# Waits until no one else holds the locks, and holds them to the transaction's end.
_LOCK = text(
    "SELECT pg_advisory_xact_lock(:kind, number) FROM unnest(CAST(:numbers AS int[])) AS number"
)
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:kind, :number)")
# One by one: a planner that has not counted the rows yet takes a join, which reads all frames of
# the stream.
_PIECES = text(
    "SELECT (SELECT substring(frames.raw, asked.first, asked.size) FROM frames "
    "WHERE run = :run AND attempt = :attempt AND worker = :worker AND frames.seq = asked.seq) "
    "FROM unnest(CAST(:seqs AS bigint[]), CAST(:firsts AS int[]), CAST(:sizes AS int[])) "
    "WITH ORDINALITY AS asked(seq, first, size, place) ORDER BY place"
)
_LISTED = (
    "SELECT it ->> 0 AS run, it ->> 1 AS attempt, CAST(it ->> 2 AS int) AS worker, "
    "CAST(it ->> 3 AS bigint) AS seq FROM json_array_elements(CAST(:listed AS json)) AS it"
)
_TELL = text("SELECT pg_notify(:channel, told) FROM unnest(CAST(:told AS text[])) AS told")


class _Cursor(psycopg.Cursor[Any]):
    """Receives bytes as they are, and not as hexadecimal text."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.format = Format.BINARY


class _ServerCursor(psycopg.ServerCursor[Any]):
    """The same, some rows at a time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.format = Format.BINARY


def _on_connect(connection: psycopg.Connection[Any], _: object) -> None:
    # Stricter than that, such as waiting for a standby, may stay as the database's owner wants it.
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    )
    connection.commit()


def _on_connect_reader(connection: psycopg.Connection[Any], _: object) -> None:
    connection.cursor_factory = _Cursor
    connection.server_cursor_factory = _ServerCursor


def _engine(url: URL, **options: Any) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": _CONNECT_SECONDS, **KEEPALIVES},
        # A database that was started anew is found again without an error.
        pool_pre_ping=True,
        # An error may be logged, and a parameter be anything that a trainer sent.
        hide_parameters=True,
        **options,
    )


def _number(run: str) -> int:
    return zlib.crc32(run.encode()) >> 1


def _beginning(size: int) -> ColumnElement[bytes]:
    return func.substring(tables.frames.c.raw, 1, size)


def _header(connection: Connection, key: Key, size: int) -> bytes:
    frame = *within(tables.frames, key.stream), tables.frames.c.seq == key.seq
    return connection.execute(select(_beginning(size)).where(*frame)).scalar_one()


class PostgreSQLTransaction(SQLTransaction):
    """What no other server writes to the same runs until it is committed."""

    def __init__(self, connection: Connection, server: str) -> None:
        super().__init__(connection, insert)
        self._server = server

    @override
    def hold(self, seen: Mapping[str, float | None]) -> set[str]:
        self._hold(seen)
        runs = tables.runs.c
        rows = self._connection.execute(select(runs.run, runs.last_seen).where(runs.run.in_(seen)))
        held = {row.run: row.last_seen for row in rows}
        return {run for run, last_seen in seen.items() if held.get(run) != last_seen}

    @override
    def tell(self, changes: Sequence[Change]) -> None:
        told = [notice(self._server, change) for change in changes]
        self._connection.execute(_TELL, {"channel": CHANNEL, "told": told})

    @override
    def compact(
        self, chunks: Sequence[tuple[ChunkRecord, Chunk]], *, instead_of: ChunkRecord | None
    ) -> bool:
        self._hold(record.run for record, _ in chunks)
        return super().compact(chunks, instead_of=instead_of)

    @override
    def merge(self, made: MergedChunk, *, instead_of: Sequence[ChunkRecord]) -> bool:
        self._hold([made.record.run])
        return super().merge(made, instead_of=instead_of)

    @override
    def coarsen(self, chunk: ChunkRecord, finest: int) -> None:
        self._hold([chunk.run])
        super().coarsen(chunk, finest)

    def _hold(self, runs: Iterable[str]) -> None:
        # In one order everywhere, so that no two wait for each other.
        numbers = sorted(set(map(_number, runs)))
        self._connection.execute(_LOCK, {"kind": _RUN, "numbers": numbers})


class _PostgreSQLPast(SQLPast):
    @override
    def cut(
        self, span: Span, ranges: Callable[[FrameRecord], Mapping[str, range]]
    ) -> Iterator[tuple[FrameRecord, dict[str, bytes]]]:
        frames = self._headers(span)
        while some := list(islice(frames, FETCH)):
            found: list[dict[str, bytes]] = [{} for _ in some]
            asked = [
                (place, name, at)
                for place, frame in enumerate(some)
                for name, at in ranges(frame).items()
            ]
            wanted = [(some[place].seq, at) for place, _, at in asked]
            for (place, name, _), piece in zip(asked, self._pieces(span, wanted), strict=True):
                found[place][name] = piece
            yield from zip(some, found, strict=True)

    def _headers(self, span: Span) -> Iterator[FrameRecord]:
        for *place, piece in self._rows(
            waiting_in(span, *PLACE, _beginning(_PIECE)), _PIECES_AHEAD
        ):
            end = wire.header_end(piece)
            key = Key(*place[:4])
            raw = piece if end <= len(piece) else _header(self._connection, key, end)
            yield FrameRecord(*place, raw=raw[:end])

    def _pieces(self, span: Span, wanted: Sequence[tuple[int, range]]) -> Sequence[bytes]:
        """Of the frames with these seqs, these bytes."""
        asked = {
            **span.stream._asdict(),
            "seqs": [seq for seq, _ in wanted],
            "firsts": [at.start + 1 for _, at in wanted],  # SQL counts bytes from 1
            "sizes": [len(at) for _, at in wanted],
        }
        return self._connection.execute(_PIECES, asked).scalars().all() if wanted else ()


class PostgreSQLStore(SQLStore):
    """One database, on this machine or another."""

    def __init__(self, url: str) -> None:
        """Use the database at `url`, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`."""
        parsed = make_url(url)
        # Without user, password and options: a name for messages and logs.
        name = URL.create(
            parsed.drivername, host=parsed.host, port=parsed.port, database=parsed.database
        )
        # As in SQLite, a reader sees what was there when it began.
        reader = _engine(parsed, isolation_level="REPEATABLE READ").execution_options(
            postgresql_readonly=True
        )
        writer = _engine(parsed)
        event.listen(reader, "connect", _on_connect_reader)
        event.listen(writer, "connect", _on_connect)
        super().__init__(str(name), reader, writer, _LISTED)
        self._url = url
        self._server = uuid.uuid4().hex
        self._listener: Listener | None = None

    @override
    def open(self) -> None:
        try:
            with self._writer.begin() as connection:
                connection.execute(_LOCK, {"kind": _MIGRATION, "numbers": [0]})
                revision = migrate(connection, self._name)
        except SQLAlchemyError as error:
            raise StoreError(
                f"{self._name} cannot be opened: {error}. Expected a PostgreSQL that answers, "
                "and a database in which its user may create tables. See GAINSTAGE_DATABASE."
            ) from error
        self._tell(revision)

    @override
    @contextmanager
    def write(self) -> Generator[Transaction]:
        try:
            with self._writer.begin() as connection:
                yield PostgreSQLTransaction(connection, self._server)
        except SQLAlchemyError as error:
            raise StoreError(f"Writing to {self._name} failed: {error}") from error

    @override
    @contextmanager
    def alone(self, run: str) -> Generator[bool]:
        asked = {"kind": _ORDER, "number": _number(run)}
        with self._reading() as connection:
            yield connection.execute(_TRY_LOCK, asked).scalar_one()

    @override
    def frames_behind(self, newest: Mapping[Stream, int]) -> Iterator[FrameRecord]:
        if not newest:
            return iter(())
        frames = tables.frames
        asked = self._asked([Key(*stream, seq) for stream, seq in newest.items()])
        behind = and_(*same(frames, asked, Stream._fields), frames.c.seq > asked.c.seq)
        order = (frames.c[name] for name in Key._fields)
        return self._whole(select(*WITH_CHUNK).join(asked, behind).order_by(*order))

    @override
    def backup(self, target: Path) -> None:
        raise StoreError(
            f"{self._name} is a PostgreSQL, which has its own tools for this. Use pg_dump "
            "(consistent, while servers write), or what whoever runs it has set up."
        )

    @override
    def listen(self, hear: Callable[[Sequence[Change] | None], None]) -> None:
        self._listener = Listener(self._url, self._server, hear)

    @override
    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        super().close()

    @override
    def free_bytes(self) -> None:
        return None

    @override
    def size_bytes(self) -> int:
        (row,) = self._rows(select(func.pg_database_size(func.current_database())))
        return row[0]

    @override
    def _past(self, connection: Connection) -> SQLPast:
        return _PostgreSQLPast(connection)
