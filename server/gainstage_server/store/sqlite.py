"""The store in one SQLite file: write-ahead log, every commit on the disk, one writer."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import ColumnElement, Connection, literal_column
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from gainstage import wire
from gainstage_server.store.file import Log, engine
from gainstage_server.store.interface import StoreError, Transaction
from gainstage_server.store.migrations import migrate
from gainstage_server.store.past import PLACE, SQLPast, waiting_in
from gainstage_server.store.records import FrameRecord, Span
from gainstage_server.store.sql import SQLStore
from gainstage_server.store.transaction import SQLTransaction

# What a store from before there were revisions says of itself.
_UNREVISED = 1
_ROWID: ColumnElement[int] = literal_column("frames.rowid")


_LISTED = (
    "SELECT json_extract(value, '$[0]') AS run, json_extract(value, '$[1]') AS attempt, "
    "json_extract(value, '$[2]') AS worker, json_extract(value, '$[3]') AS seq "
    "FROM json_each(:listed)"
)


class _SQLitePast(SQLPast):
    @override
    def cut(
        self, span: Span, ranges: Callable[[FrameRecord], Mapping[str, range]]
    ) -> Iterator[tuple[FrameRecord, dict[str, bytes]]]:
        database = cast("sqlite3.Connection", self._connection.connection.driver_connection)
        for *place, rowid in self._rows(waiting_in(span, *PLACE, _ROWID)):
            # Unlike substr(), this reads no more of the frame than it needs.
            with database.blobopen("frames", "raw", rowid, readonly=True) as blob:
                prefix = blob.read(wire.PREFIX.size)
                header = prefix + blob.read(wire.header_end(prefix) - len(prefix))
                frame = FrameRecord(*place, raw=header)
                found: dict[str, bytes] = {}
                for name, at in ranges(frame).items():
                    blob.seek(at.start)
                    found[name] = blob.read(len(at))
            yield frame, found


class SQLiteStore(SQLStore):
    """One file, and the two that SQLite keeps beside it."""

    def __init__(self, path: Path) -> None:
        # A statement that sqlite3 caches holds on to what it was last given: one for each number of
        # frames in a batch would come to gigabytes.
        writer = engine(path, "BEGIN IMMEDIATE", cached_statements=0)
        super().__init__(str(path), engine(path, "BEGIN"), writer, _LISTED)
        self._path = path
        self._writing = threading.Lock()
        self._log = Log(path)

    @override
    def open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._writer.begin() as connection:
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                revision = migrate(connection, self._name, adopt=version == _UNREVISED)
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(
                f"{self._path} cannot be opened: {error}. Expected a file that Gainstage has "
                "written, or none yet in a folder that can be written. See GAINSTAGE_DATABASE."
            ) from error
        self._tell(revision)

    @override
    def close(self) -> None:
        self._log.close()
        super().close()

    @override
    @contextmanager
    def write(self) -> Generator[Transaction]:
        with self._writing:
            try:
                with self._writer.begin() as connection:
                    transaction = SQLTransaction(connection, insert)
                    yield transaction
            except SQLAlchemyError as error:
                self._log.empty()  # on a disk that is full it may hold the room that was missing
                raise StoreError(f"Writing to {self._path} failed: {error}") from error
            self._log.wrote(transaction.bytes)

    @override
    def free_bytes(self) -> int:
        return shutil.disk_usage(self._path.parent).free

    @override
    def size_bytes(self) -> int:
        files = (Path(f"{self._path}{end}") for end in ("", "-wal", "-shm"))
        return sum(file.stat().st_size for file in files if file.exists())

    @override
    def backup(self, target: Path) -> None:
        if not self._path.is_file():
            raise StoreError(
                f"There is no {self._path} to copy. Expected the file of a server "
                "(GAINSTAGE_DATABASE)."
            )
        part = target.with_name(f"{target.name}.part")
        try:
            part.unlink(missing_ok=True)
            # One read transaction, which keeps nobody from writing.
            with closing(sqlite3.connect(self._path)) as database:
                database.execute("VACUUM INTO ?", (str(part),))
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.rename(target)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._path} was not copied to {target}: {error}") from error
        finally:
            part.unlink(missing_ok=True)

    @override
    def _past(self, connection: Connection) -> SQLPast:
        return _SQLitePast(connection)
