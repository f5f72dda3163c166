"""What trainers appended, by their own account outside of the spool, against what was stored."""

import contextlib
import hashlib
import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from gainstage import wire
from gainstage.spool import SUFFIX, Spool
from gainstage_server.store.records import Stream
from gainstage_server.store.sqlite import SQLiteStore

# run, attempt, worker, seq
Key = tuple[str, str, int, int]


class Content(NamedTuple):
    """What a message is, and a digest of its bytes."""

    type: str
    digest: str


class Journal(NamedTuple):
    """What trainers began to append, and what they had appended."""

    begun: dict[Key, Content]
    appended: dict[Key, Content]


class Account(NamedTuple):
    """Frames that were appended, and how many of them were thinned."""

    frames: int
    thinned: int


def keep(path: Path) -> None:
    """From now on this process writes down, in `path`, what it is about to append and has appended.

    A line that was written outlives the process, which may be killed at any instruction. Processes
    may share a journal.
    """
    append = Spool.append
    lines = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def journaled(self: Spool, seq: int, body: bytes, **others: Any) -> None:
        message = wire.decode_header(body)
        identity = f"{message.run} {message.attempt} {message.worker} {seq}"
        what = f"{identity} {message.__struct_config__.tag} {_digest(body)}\n"
        os.write(lines, f"begun {what}".encode())
        append(self, seq, body, **others)
        os.write(lines, f"appended {what}".encode())

    Spool.append = journaled


def read(path: Path, run: str | None = None) -> Journal:
    """The journal in `path`, of one run or of all; it gives no identity to two messages."""
    journal = Journal({}, {})
    if not path.exists():
        return journal
    for line in path.read_text().splitlines():
        event, name, attempt, worker, seq, kind, digest = line.split()
        if run not in (None, name):
            continue
        known: dict[Key, Content] = getattr(journal, event)
        key = (name, attempt, int(worker), int(seq))
        assert key not in known, f"{key} was {event} twice."
        known[key] = Content(kind, digest)
    return journal


def exactly_once(
    path: Path, database: Path, *, run: str | None = None, thinned: bool = False
) -> Account:
    """Every message that was appended by the journal in `path` is stored once, as it was appended.

    Missing are as many frames as the attempts say were thinned: none, unless `thinned`. Nothing is
    stored of these runs that was not at least begun to be appended, and the store's own counts are
    those of its rows.
    """
    journal = read(path, run)
    streams = {key[:3] for key in journal.begun}
    everything = _stored(database)
    rows = [(key, content) for key, content in everything if key[:3] in streams]
    there = dict(rows)
    lost = {key: content for key, content in journal.appended.items() if key not in there}
    attempts = {
        (run, attempt, worker): (frames, dropped)
        for run, attempt, worker, frames, dropped in ask(
            database, "SELECT run, attempt, worker, frames, thinned FROM attempts"
        )
    }
    frames = Counter(key[:3] for key, content in everything if content.type == "frame")
    of_runs = Counter(key[0] for key, content in everything if content.type == "frame")

    assert journal.appended, "Nothing was appended."
    assert len(rows) == len(there)
    assert [key for key, content in rows if journal.begun.get(key) != content] == []
    assert [key for key, content in lost.items() if content.type != "frame"] == []
    assert len(lost) == sum(attempts[stream][1] for stream in streams)
    assert bool(lost) == thinned
    assert {stream: count for stream, (count, _) in attempts.items()} == {
        stream: frames[stream] for stream in attempts
    }
    of_records = dict(ask(database, "SELECT run, frames FROM runs"))
    assert of_records == {run: of_runs[run] for run in of_records}
    return Account(sum(frames[stream] for stream in streams) + len(lost), len(lost))


def frames_in(database: Path) -> int:
    """How many frames are stored."""
    return ask(database, "SELECT count(*) FROM frames")[0][0]


def waiting_in(folder: Path) -> int:
    """How many messages wait in the spools of a folder."""
    spools = folder.glob(f"*{SUFFIX}")
    return sum(ask(spool, "SELECT count(*) FROM messages")[0][0] for spool in spools)


def _stored(database: Path) -> list[tuple[Key, Content]]:
    """What the server's store holds, which may be in use: a run that is over becomes chunks."""
    rows = ask(database, "SELECT run, attempt, worker, seq, type, raw FROM messages")
    streams = ask(database, "SELECT DISTINCT run, attempt, worker FROM frames")
    with contextlib.closing(SQLiteStore(database)) as store:
        for stream in streams:
            frames = store.frames_after(Stream(*stream), -1)
            rows += ((*frame[:4], "frame", frame.raw) for frame in frames)
    return [(tuple(key), Content(kind, _digest(raw))) for *key, kind, raw in rows]


def ask(database: Path, question: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of a database that may be in use."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(question, values).fetchall()


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()
