"""Rows of a store, with every field set that does not matter."""

from gainstage_server.store.interface import Store
from gainstage_server.store.records import FrameRecord, Key, MessageRecord


def frame(seq: int, step: int = 0, attempt: str = "a1", **changes: object) -> FrameRecord:
    record = FrameRecord("run", attempt, 0, seq, 1, "probe", step, 0.0, b"raw%d" % seq)
    return record._replace(**changes)


def key(record: FrameRecord | MessageRecord) -> Key:
    return Key(*record[:4])


def add(store: Store, *records: FrameRecord) -> set[Key]:
    """The keys of what was new, and was stored."""
    with store.write() as transaction:
        transaction.hold({record.run: None for record in records})
        new = transaction.new(key(record) for record in records)
        transaction.add([], [record for record in records if key(record) in new])
        return new
