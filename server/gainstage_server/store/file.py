"""How SQLite writes its file: page by page to a log, and from there into the file."""

import contextlib
import logging
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

log = logging.getLogger("gainstage.server")

# Another process may hold the lock for a checkpoint of the log; waiting is better than failing.
_BUSY_SECONDS = 10
# Of new files. A frame of 1,000 layers fills 10 of these instead of 40 of SQLite's usual ones: it
# takes half as long to write.
_PAGE_BYTES = 2**14
# After so much the log is moved into the file, beside the next commits.
_MOVED_BYTES = 4 * 2**20
# What a transaction writes besides messages: pages of tables and indexes.
_TRANSACTION_BYTES = 8 * _PAGE_BYTES
# A log begins anew once all of it is moved, which is never the case while commits go on. After so
# much, one waits for that; hardly anything is left to move by then. At 64 MiB, under a flood of
# large frames, every second commit would. The file keeps its size, unless a reader has had it grow
# beyond twice that: to write over it takes half as long as to have it grow again.
_LOG_BYTES = 256 * 2**20


def engine(path: Path, begin: str, **options: Any) -> Engine:
    """An engine whose transactions start with `begin`, as sqlite3's own never lock early.

    `options` are more of `sqlite3.connect`.
    """
    made = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_SECONDS, **options})
    # All rows of a plain INSERT in one statement: sqlite3 lets go of Python's lock for all of them,
    # and not row by row. To return anything of them would have SQLite write them to a temporary
    # file first.
    made.dialect.use_insertmanyvalues_wo_returning = True

    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=0")  # see `Log`
        connection.execute(f"PRAGMA journal_size_limit={2 * _LOG_BYTES}")
        # Debian's SQLite writes zeros over what is deleted: to delete a run of 10 GB, 10 GB more.
        connection.execute("PRAGMA secure_delete=OFF")

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(made, "connect", on_connect)
    event.listen(made, "begin", on_begin)
    return made


class Log:
    """Moves the log of the file at `path` into it, beside the commits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = 0  # in the log, when it was last moved
        self._unmoved = 0  # written since then, about
        self._thread = ThreadPoolExecutor(1, "gainstage-log")
        self._moving: Future[None] | None = None
        self._told = False

    def wrote(self, size: int) -> None:
        """A transaction with so many bytes of messages was committed."""
        self._unmoved += size + _TRANSACTION_BYTES
        if self._unmoved < _MOVED_BYTES or not (self._moving is None or self._moving.done()):
            return
        if self._bytes >= _LOG_BYTES:
            self._renew("RESTART")
        else:
            self._unmoved = 0
            self._moving = self._thread.submit(self._move, "PASSIVE")

    def empty(self) -> None:
        """Give back the room that the log takes, unless a reader needs what is in it."""
        self._renew("TRUNCATE")

    def _renew(self, mode: str) -> None:
        """Begin the log anew; where a reader needs what is in it, after as much again as usual."""
        self.wait()
        self._unmoved = 0
        self._move(mode)

    def close(self) -> None:
        """Let go of the thread, once nothing is being moved."""
        self._thread.shutdown()

    def wait(self) -> None:
        """Return when nothing is being moved."""
        if self._moving is not None:
            self._moving.result()

    def _move(self, mode: str) -> None:
        try:
            # Nobody waits for a reader.
            with contextlib.closing(sqlite3.connect(self._path, timeout=0)) as database:
                database.execute("PRAGMA synchronous=FULL")
                ((page_bytes,),) = database.execute("PRAGMA page_size")
                ((busy, pages, _),) = database.execute(f"PRAGMA wal_checkpoint({mode})")
        except sqlite3.Error as error:
            # What cannot be moved, for want of room or of rights, stays in the log.
            if not self._told:
                log.warning("The log of %s grows, as it cannot be moved: %s", self._path, error)
            self._told = True
        else:
            begun_anew = mode != "PASSIVE" and not busy
            self._bytes, self._told = 0 if begun_anew else page_bytes * max(0, pages), False
