"""The on-disk queue between the training thread and the network.

What was appended survives the death of the process at any instruction afterwards (a power cut may
take the newest messages, never the queue's consistency). No method of an open spool raises: what
cannot be written is counted, and said once.
"""

import logging
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Generator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path

from gainstage.spool_file import PAGE, SpoolError, in_memory, opened
from gainstage.spool_late import LateFile, Message

log = logging.getLogger("gainstage")

SUFFIX = ".spool"
MAX_BYTES = 2**30
# In memory, where nothing can be written to disk, at all or for now.
MEMORY_BYTES = 2**26

# Of the bytes on disk, the part that the write-ahead log may take.
_LOG_SHARE = 1 / 16
# How much is logged before `settle` has something to do: less would wait for the disk too often.
_SETTLE_BYTES = 2**22
# Pages of the log that removing a few messages takes: the tables', the index's, the free list's.
_PAGES_REMOVING = 8
# What one read takes into memory, if it is not a single message.
_READ_BYTES = 2**23
# Messages that are removed while an append waits (1 ms for 160 kB each), and the pause in which it
# gets its turn: Python's locks are not fair.
_REMOVED_AT_ONCE, _PAUSE = 4, 0.0005

_SEQ_BITS = 48

# What of SQLite's errors room would mend. A quota counts as failed writing, and so does a limit.
_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_IOERR_WRITE})

_PAGES = "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count"
# A Ctrl-C may come between the end of the transaction and our taking note of it.
_INSERT = "INSERT OR IGNORE INTO messages VALUES (?, ?, ?)"
_DROP = "DELETE FROM messages WHERE rank = (SELECT min(rank) FROM messages WHERE rank >= 0)"
_COUNT = "UPDATE counts SET thinned = ?"
_AFTER = "SELECT seq, body FROM messages WHERE seq > ? ORDER BY seq LIMIT ?"
_NEWEST = "SELECT seq, body FROM messages ORDER BY seq DESC LIMIT 1"
_COUNTS = "SELECT (SELECT count(*) FROM messages), thinned FROM counts"
_HAS = "SELECT 1 FROM messages WHERE seq = ?"
_REMOVE = """
DELETE FROM messages WHERE seq IN (
    SELECT seq FROM messages WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?
)
"""


class Spool:
    """A bounded queue of messages by sequence number; safe to use from several threads.

    When it is full, frames are dropped and counted in `thinned`: first every second one, oldest
    first, then every second one of those that are left, and so on. So at any time the frames that
    wait lie evenly over the run: none is more than twice as far from the next as another, the
    newest aside. Messages that are not frames are never dropped.

    Appending waits for the operating system, not for the disk: `settle` does that.

    Args:
        path: The file; its folder is made where it does not exist. None: in memory.
        max_bytes: Bytes that the file and its write-ahead log may take on disk together, a message
            of leeway. Where messages that are not frames take that much alone, no frame waits, and
            the file grows beyond it.
        create: Whether to make a spool where there is none.

    Raises:
        SpoolError: The file cannot be used; see `spool_file.opened`.
    """

    def __init__(
        self, path: Path | None, *, max_bytes: int = MAX_BYTES, create: bool = True
    ) -> None:
        self.path = path
        file = in_memory() if path is None else opened(path, create=create)
        self._appender, self._sender, self._waiting, self._thinned = file
        # Always taken in this order where both are: sending, then writing.
        self._sending, self._writing = threading.RLock(), threading.RLock()
        # One connection serves one thread at a time, and the disk is waited for while it does.
        self._reading = nullcontext() if self._appender is not self._sender else self._writing
        self._moving = False
        self._late = None if path is None else LateFile(path)
        self._held: deque[Message] = deque()  # could not be written yet; newer than what could
        self._no_room = False  # whether that is why
        self._unsure = False  # whether what is known of the file may not be so
        self._frames: Counter[str] = Counter()
        self._warned: set[str] = set()
        self._unsettled = 0  # bytes of the log, about
        # Well before who appends must.
        self._settle_bytes = min(_SETTLE_BYTES, int(max_bytes * _LOG_SHARE / 2))
        log_pages = int(max_bytes * _LOG_SHARE) // PAGE
        self._most_pages = max_bytes // PAGE - log_pages
        self._room = 0  # pages, of which it is known that they may be taken
        # Should nobody settle it, such as in a fork, who appends does.
        self._appender.execute(f"PRAGMA wal_autocheckpoint = {max(1, log_pages)}")
        self._thinned_in_file = self._thinned
        with self._told():
            self._held.extend(self._late.read() if self._late else ())
            self._write_held()

    @property
    def thinned(self) -> int:
        """Frames that were dropped since the spool was made, by all processes that opened it."""
        return self._thinned

    @property
    def waiting_bytes(self) -> int:
        """What waits, with the pages that hold the file together; 0 of one that cannot be read."""
        with self._writing:
            waiting = sum(len(it.body) for it in self._held)
            with suppress(sqlite3.Error):
                pages, free = self._appender.execute(_PAGES).fetchone()
                waiting += (pages - free) * PAGE
            return waiting

    @property
    def where(self) -> str:
        """Where messages wait: a folder, or "memory"."""
        return "memory" if self.path is None else str(self.path.parent)

    def append(self, seq: int, body: bytes, *, frame: bool, source: str = "") -> None:
        """Puts a message at the end of the queue; on disk when this returns.

        Args:
            seq: Larger than that of any message before.
            body: The message.
            frame: Whether it may be dropped.
            source: Frames of one source are thinned among themselves, so that of two that take
                turns neither is dropped whole.
        """
        rank = self._rank(seq, source) if frame else -1 - seq
        message = Message(rank, seq, body)
        with self._writing:
            self._held.append(message)
            if self._moving and self._late is not None:
                with self._told():
                    self._late.add(message)
                self._bound_held(MEMORY_BYTES)
            else:
                self._write_held()

    def after(self, seq: int, limit: int) -> list[tuple[int, bytes]]:
        """The first waiting messages behind `seq`, in order.

        At most `limit`, and no more than 8 MiB if it is more than one.
        """
        found: list[tuple[int, bytes]] = []
        size, all_read = 0, False
        with self._sending:
            # Before the file is read: what is written meanwhile is then in both, never in neither.
            with self._writing:
                held = [(it.seq, it.body) for it in self._held]
            with (
                self._reading,
                self._told(),
                closing(self._sender.execute(_AFTER, (seq, limit))) as rows,
            ):
                for row in rows:
                    if found and size + len(row[1]) > _READ_BYTES:
                        break
                    found.append(row)
                    size += len(row[1])
                else:
                    all_read = True
        if all_read:
            last = found[-1][0] if found else seq
            found += [message for message in held if message[0] > last]
        return found[:limit]

    def newest(self) -> tuple[int, bytes] | None:
        """The message that was appended last of those that wait."""
        with self._sending, self._writing:
            if self._held:
                return self._held[-1].seq, self._held[-1].body
            with self._told():
                return self._sender.execute(_NEWEST).fetchone()
        return None

    def remove_through(self, seq: int) -> None:
        """Drops every message up to `seq`: the server has committed them."""
        self._remove(0, seq)

    def remove(self, seq: int) -> None:
        """Drops one message: the server has refused it."""
        self._remove(seq, seq)

    def settle(self) -> None:
        """Moves the write-ahead log into the file, if it is long; for the thread that sends.

        This is what waits for the disk. Appending goes on meanwhile: where there is one connection,
        which is busy with this, into a file beside it.
        """
        if self._unsettled < self._settle_bytes:
            return
        with self._sending:
            with self._writing:
                self._moving = self._appender is self._sender
            try:
                with self._told():
                    self._unsettled = 0
                    self._sender.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            finally:
                with self._writing:
                    self._moving = False
                    self._write_held()

    def __len__(self) -> int:
        with self._writing:
            self._make_sure()
            return self._waiting + len(self._held)

    def close(self) -> None:
        """Closes the file, and deletes it where nothing waits in it."""
        with self._sending, self._writing:
            self._write_held()
            self._make_sure()
            if self._thinned != self._thinned_in_file:  # of a disk that has failed meanwhile
                with self._told():
                    self._appender.execute(_COUNT, (self._thinned,))
            sent = False
            with self._told():
                sent = self._appender.execute(_NEWEST).fetchone() is None
            self._sender.close()
            self._appender.close()
            if self._late is not None:
                self._late.close()
        if self.path is None:
            return
        if self._held:
            log.warning(
                "gainstage: %d messages could not be written to %s, and are lost.",
                len(self._held),
                self.path,
            )
        elif sent:
            # Where it cannot be, such as while a `gainstage sync` looks at it, it lies there empty.
            with suppress(OSError):
                self.path.unlink()

    def _rank(self, seq: int, source: str) -> int:
        """How often the number of the frame can be halved, then its age; the first is last."""
        number = self._frames[source] or 1 << _SEQ_BITS
        self._frames[source] += 1
        halvings = (number & -number).bit_length() - 1
        return halvings << _SEQ_BITS | seq

    def _write_held(self) -> None:
        """Puts on disk what is not there yet; where it fails, what waits in memory is bounded."""
        self._make_sure()
        while self._held and (
            self._written(self._held[0], full=False) or self._written(self._held[0], full=True)
        ):
            self._held.popleft()
            self._unsure = False
        if self._held:
            self._bound_held(0 if self._no_room else MEMORY_BYTES)
        elif self._late is not None:
            with self._told():
                self._late.clear()

    def _written(self, message: Message, *, full: bool) -> bool:
        """Whether it is on disk now; where the disk is `full`, in place of frames."""
        if full and not self._no_room:
            return False
        with self._told():
            if full:
                self._appender.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._write(message, disk_full=full)
            return True
        self._unsure, self._room = False, 0  # it was rolled back
        return False

    def _bound_held(self, most: int) -> None:
        """Drops frames of what waits in memory, where that has more than `most` bytes."""
        size = sum(len(it.body) for it in self._held)
        if size <= most:
            return
        dropped: set[int] = set()
        for message in sorted(it for it in self._held if it.is_frame):
            if size <= most / 2:
                break
            dropped.add(message.seq)
            size -= len(message.body)
        self._held = deque(it for it in self._held if it.seq not in dropped)
        self._thinned += len(dropped)

    def _write(self, message: Message, *, disk_full: bool) -> None:
        """In one transaction: either all of it happens or nothing."""
        database, dropped, added = self._appender, 0, 0
        self._unsure = True
        with database:
            database.execute("BEGIN IMMEDIATE")
            while not (fits := self._fits(len(message.body), disk_full=disk_full)):
                if not database.execute(_DROP).rowcount:
                    break
                dropped += 1
            kept = fits or not message.is_frame
            if kept:
                added = database.execute(_INSERT, message).rowcount
            thinned = self._thinned + dropped + (not kept)
            if thinned != self._thinned_in_file:
                database.execute(_COUNT, (thinned,))
        self._thinned = self._thinned_in_file = thinned
        self._waiting += added - dropped
        self._unsettled += len(message.body)

    def _make_sure(self) -> None:
        """Counts anew where a Ctrl-C came in a transaction, or before we took note of it."""
        if not self._unsure:
            return
        with self._told():
            if self._appender.in_transaction:
                self._appender.rollback()
            waiting, in_file = self._appender.execute(_COUNTS).fetchone()
            self._held = deque(
                it for it in self._held if not self._appender.execute(_HAS, (it.seq,)).fetchone()
            )
            self._waiting, self._room = waiting, 0
            self._thinned, self._thinned_in_file = max(self._thinned, in_file), in_file
            self._unsure = False

    def _fits(self, size: int, *, disk_full: bool) -> bool:
        needed = size // PAGE + 2  # its own pages, and one that is split
        if self._room < needed or disk_full:
            pages, free = self._appender.execute(_PAGES).fetchone()
            # No page is given back to the disk, so those that are free count as taken.
            self._room = free + (0 if disk_full else self._most_pages - pages)
        fits = self._room >= needed
        self._room -= needed if fits else 0
        return fits

    def _remove(self, first: int, last: int) -> None:
        gone = _REMOVED_AT_ONCE
        with self._sending:
            while gone == _REMOVED_AT_ONCE:
                gone = 0
                with self._writing, self._told():
                    self._make_sure()
                    self._unsure = True
                    self._held = deque(it for it in self._held if not first <= it.seq <= last)
                    gone = self._sender.execute(_REMOVE, (first, last, _REMOVED_AT_ONCE)).rowcount
                    self._waiting -= gone
                    self._unsure = False
                self._unsettled += _PAGES_REMOVING * PAGE
                self.settle()
                if gone == _REMOVED_AT_ONCE:
                    time.sleep(_PAUSE)

    @contextmanager
    def _told(self) -> Generator[None]:
        """An error of the file ends here: it is said once."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._no_room = getattr(error, "sqlite_errorcode", None) in _NO_ROOM
            text = f"{type(error).__name__}: {error}"
            if text not in self._warned:
                self._warned.add(text)
                then = (
                    "Frames are dropped and counted until there is room; other messages wait in "
                    "memory."
                    if self._no_room
                    else "What is in it stays there. New messages wait in memory until it works "
                    f"again; beyond {MEMORY_BYTES // 2**20} MiB, frames are dropped and counted."
                )
                log.warning("gainstage: The spool %s fails (%s). %s", self.path, text, then)


def spool_at(path: Path) -> Spool:
    """A new spool at `path`; where there can be none it is in memory, smaller, and that is said."""
    try:
        return Spool(path)
    except SpoolError as error:
        log.warning(
            "gainstage: %s Statistics wait in memory, %d MiB at most, and what no server has got "
            "when this process ends is lost. Give another folder by `spool=` or $GAINSTAGE_SPOOL.",
            error,
            MEMORY_BYTES // 2**20,
        )
        return Spool(None, max_bytes=MEMORY_BYTES)
