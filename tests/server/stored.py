"""Rows of a store, with every field set that does not matter."""

from collections import Counter

from sqlalchemy import func, select

from gainstage import wire
from gainstage_server.store import tables
from gainstage_server.store.interface import Store
from gainstage_server.store.records import FrameRecord, Key, MessageRecord
from gainstage_server.store.sql import SQLStore


def frame(seq: int, step: int = 0, attempt: str = "a1", **changes: object) -> FrameRecord:
    record = FrameRecord("run", attempt, 0, seq, 1, "probe", step, 0.0, b"raw%d" % seq)
    return record._replace(**changes)


def framed(seq: int, step: int = 0, attempt: str = "a1", **changes: object) -> FrameRecord:
    """The same, whose bytes can be read; they are a header."""
    sent = wire.Frame(run="run", attempt=attempt, seq=seq, time=0.0, schema=1, step=step)
    raw = wire.encode(sent)
    return frame(seq, step, attempt, raw=raw[: wire.header_end(raw)], **changes)


def key(record: FrameRecord | MessageRecord) -> Key:
    return Key(*record[:4])


def taken(store: SQLStore) -> dict[str, int]:
    """Run -> bytes of its frames, added up."""
    found: Counter[str] = Counter()
    with store._reader.begin() as connection:
        for table, column in ((tables.frames, "raw"), (tables.parts, "data")):
            length = func.length(table.c[column])
            for run, size in connection.execute(select(table.c.run, length)):
                found[run] += size
    return dict(found)


def add(store: Store, *records: FrameRecord) -> set[Key]:
    """The keys of what was new, and was stored."""
    with store.write() as transaction:
        transaction.hold({record.run: None for record in records})
        new = transaction.new(key(record) for record in records)
        transaction.add([], [record for record in records if key(record) in new])
        return new
