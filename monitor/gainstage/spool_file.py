"""The file under a spool: an SQLite database that one process has open at a time."""

import logging
import sqlite3
from pathlib import Path
from typing import NamedTuple

from gainstage.filesystem import LOCAL, filesystem

log = logging.getLogger("gainstage")

# "GSP" and the version of the tables below, in SQLite's header: tells a spool from other files.
APPLICATION = int.from_bytes(b"GSP\x01", "big")
# A frame of 160 kB is then 10 pages: on the machine of the benchmarks an append takes two thirds of
# what it takes with SQLite's 4,096 bytes, and one of 1 kB takes as long as there.
PAGE = 16_384
# Of an error's code: without what is particular to it, such as that a log is being read again.
_PRIMARY = 0xFF
# Seconds in which another process that only looks whether the file is in use is done with it.
_PATIENCE = 0.2

# `rank` orders frames as they are dropped, lowest first, so that those dropped one after another
# lie side by side and give back whole pages. Below zero: messages that are never dropped.
_TABLES = (
    f"PRAGMA application_id = {APPLICATION}",
    "CREATE TABLE messages (rank INTEGER PRIMARY KEY, seq INTEGER UNIQUE, body BLOB NOT NULL)",
    "CREATE TABLE counts (thinned INTEGER NOT NULL)",
    "INSERT INTO counts VALUES (0)",
)


class SpoolError(RuntimeError):
    """The file cannot be used as a spool; the text says why and what to do."""


class SpoolInUseError(SpoolError):
    """Another process, or another `Spool` of this one, has the file open."""


class EmptySpoolError(SpoolError):
    """There is no spool, or none yet: its training is about to begin, has ended, or died early."""


class Opened(NamedTuple):
    """A spool's file, open, and what is in it.

    Attributes:
        appender: For the thread that appends.
        sender: For the one that sends; it may be the same.
        waiting: Messages.
        thinned: Frames that were dropped.
    """

    appender: sqlite3.Connection
    sender: sqlite3.Connection
    waiting: int
    thinned: int


def in_memory() -> Opened:
    """A spool that ends with its process."""
    database = _connected(None, create=True)
    for statement in (f"PRAGMA page_size = {PAGE}", *_TABLES):
        database.execute(statement)
    return Opened(database, database, 0, 0)


def opened(path: Path, *, create: bool) -> Opened:
    """The file, which nobody else has open; `create` makes it, and its folder.

    Where SQLite can share memory between two connections, one appends while the other reads or
    waits for the disk. Over a network it cannot, so there is one connection, which keeps the index
    of the write-ahead log in its own memory. So it is where nobody says what the file system is,
    such as on macOS and Windows.

    Raises:
        SpoolInUseError: Somebody else has it open.
        EmptySpoolError: There is no spool in the file, and `create` is False.
        SpoolError: The file is no spool, or cannot be opened, read or written.
    """
    kind = filesystem(path.parent)
    shared = kind in LOCAL
    if create and kind is not None and not shared:
        log.warning(
            "gainstage: %s lies on a file system that is not known to be local (%s). Statistics "
            "are kept there, but locks may not reach other machines: run `gainstage sync` on it "
            "elsewhere only after the training has ended.",
            path.parent,
            kind,
        )
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            raise EmptySpoolError(f"{path} is not there.")
        appender = _alone(path, create=create, shared=shared)
        try:
            (waiting,) = appender.execute("SELECT count(*) FROM messages").fetchone()
            (thinned,) = appender.execute("SELECT thinned FROM counts").fetchone()
            sender = _prepared(_connected(path, create=False)) if shared else appender
        except sqlite3.Error:
            appender.close()
            raise
        return Opened(appender, sender, waiting, thinned)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY:
            raise SpoolInUseError(f"{path} is in use by another process.") from error
        raise _unusable(path, error) from error
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> SpoolError:
    return SpoolError(f"{path} cannot be used as a spool, and is left as it is: {error}.")


def _alone(path: Path, *, create: bool, shared: bool) -> sqlite3.Connection:
    """A connection to the file that nobody else has open."""
    database = _connected(path, create=create)
    try:
        if not shared:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute(f"PRAGMA page_size = {PAGE}")
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables and not create:
            raise EmptySpoolError(f"{path} holds nothing.")
        if tables and application != APPLICATION:
            raise SpoolError(f"{path} is no spool of this version, and is left as it is.")
        _prepared(database)
        # Another connection holds a shared lock from its first statement to its end, so exclusive
        # is only who comes first. It stays so until its process is dead, at the latest.
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN IMMEDIATE")
        for statement in () if tables else _TABLES:
            database.execute(statement)
        database.execute("COMMIT")
        if shared:
            database.execute("PRAGMA locking_mode = NORMAL")
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _connected(path: Path | None, *, create: bool) -> sqlite3.Connection:
    """A connection to a file or to memory, that makes no file of a spool that has vanished."""
    where = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}" if path else ":memory:"
    return sqlite3.connect(
        where, timeout=_PATIENCE, check_same_thread=False, isolation_level=None, uri=True
    )


def _prepared(database: sqlite3.Connection) -> sqlite3.Connection:
    database.execute("PRAGMA journal_mode = WAL")
    # Written is what the operating system has: it outlives the process. The disk is waited for when
    # the log moves into the file, so a power cut takes the newest messages, never the others.
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    return database
