"""The on-disk queue between the training thread and the network.

An SQLite database in write-ahead mode: what was appended survives the death of the process at any
instruction afterwards (a power cut may take the newest messages, never the queue's consistency).
"""

import sqlite3
import threading
from pathlib import Path

SUFFIX = ".spool"
MAX_BYTES = 2**30

_TABLE = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY, frame INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL
)
"""

# Every second frame, oldest first.
_THIN = """
DELETE FROM messages WHERE seq IN (
    SELECT seq FROM (
        SELECT seq, row_number() OVER (ORDER BY seq) AS place FROM messages WHERE frame
    ) WHERE place % 2 = 0
)
"""


class SpoolInUseError(RuntimeError):
    """Another process has the spool open."""


class Spool:
    """A bounded queue of messages by sequence number; safe to use from several threads.

    When it is full, every second one of the frames that wait is dropped and counted in `thinned`:
    the run stays visible from its first step to its last at half the density. Messages that are
    not frames are never dropped.

    Args:
        path: The file; its folder is made where it does not exist.
        max_bytes: Bytes of messages that may wait.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.max_bytes = max_bytes
        self.thinned = 0
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            path, timeout=0, check_same_thread=False, isolation_level=None
        )
        try:
            # Held until the file is closed or its process is dead: two never send the same spool.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(_TABLE)
        except sqlite3.OperationalError as error:
            self._database.close()
            raise SpoolInUseError(f"{path} is in use by another process: {error}.") from error
        self._bytes = int(self._one("SELECT coalesce(sum(size), 0) FROM messages"))

    def append(self, seq: int, body: bytes, *, frame: bool) -> None:
        """Puts a message at the end of the queue; on disk when this returns."""
        with self._lock:
            while frame and self._bytes + len(body) > self.max_bytes and self._thin():
                pass
            self._database.execute(
                "INSERT INTO messages VALUES (?, ?, ?, ?)", (seq, frame, len(body), body)
            )
            self._bytes += len(body)

    def after(self, seq: int, limit: int) -> list[tuple[int, bytes]]:
        """At most `limit` waiting messages behind `seq`, in order."""
        with self._lock:
            return self._database.execute(
                "SELECT seq, body FROM messages WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
            ).fetchall()

    def remove_through(self, seq: int) -> None:
        """Drops every message up to `seq`: the server has committed them."""
        self._delete("seq <= ?", seq)

    def remove(self, seq: int) -> None:
        """Drops one message: the server has refused it."""
        self._delete("seq = ?", seq)

    def __len__(self) -> int:
        with self._lock:
            return int(self._one("SELECT count(*) FROM messages"))

    def close(self) -> None:
        """Closes the file, and deletes it where nothing waits in it."""
        with self._lock:
            empty = not self._one("SELECT count(*) FROM messages")
            self._database.close()
        if empty:
            self.path.unlink(missing_ok=True)

    def _delete(self, where: str, seq: int) -> None:
        with self._lock:
            gone = self._one(f"SELECT coalesce(sum(size), 0) FROM messages WHERE {where}", seq)  # noqa: S608
            self._database.execute(f"DELETE FROM messages WHERE {where}", (seq,))  # noqa: S608
            self._bytes -= int(gone)

    def _thin(self) -> bool:
        before = self._bytes
        dropped = self._database.execute(_THIN)
        self.thinned += dropped.rowcount
        self._bytes = int(self._one("SELECT coalesce(sum(size), 0) FROM messages"))
        return self._bytes < before

    def _one(self, query: str, *values: int) -> int:
        return self._database.execute(query, values).fetchone()[0]
