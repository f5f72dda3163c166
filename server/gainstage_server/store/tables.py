"""The tables. Every key begins with the run, so that a database can be split by runs.

A change of them is a revision in `migrations`.
"""

from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    literal_column,
)
from sqlalchemy.types import TypeDecorator

from gainstage_server.compaction.chunk import FRAMES


class Packed(TypeDecorator[Any]):
    """A value as MessagePack: unlike JSON it keeps NaN and infinity."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes:
        """To the database."""
        return msgspec.msgpack.encode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        """From the database."""
        return None if value is None else msgspec.msgpack.decode(value)


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("run", String, primary_key=True),
    Column("project", String, nullable=False),
    Column("tags", Packed, nullable=False),
    Column("config", Packed, nullable=False),
    Column("environment", Packed, nullable=False),
    Column("started", Double, nullable=False),
    Column("attempt", String, nullable=False),
    Column("attempt_started", Double, nullable=False),
    Column("ended", Double),
    Column("last_seen", Double, nullable=False),
    Column("last_frame", Double),
    Column("step", BigInteger),
    Column("epoch", BigInteger),
    Column("frames", BigInteger, nullable=False),
    Column("schema", BigInteger, nullable=False),
    Column("layers", Integer, nullable=False),
    Column("logs", Packed, nullable=False),
    Column("verdicts", Packed, nullable=False),
    Column("worst_saturation", Double),
    Column("mean_saturation", Double),
    Column("worst_excess", Double),
    Column("worst_nonfinite", Double),
    Column("costs", Packed, nullable=False),
)


def _stream_columns() -> tuple[Column[Any], ...]:
    return (
        Column("run", String, primary_key=True),
        Column("attempt", String, primary_key=True),
        Column("worker", Integer, primary_key=True, autoincrement=False),
    )


def _message_columns() -> tuple[Column[Any], ...]:
    return (
        *_stream_columns(),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
    )


attempts = Table(
    "attempts",
    metadata,
    *_stream_columns(),
    Column("started", Double, nullable=False),
    Column("ended", Double),
    Column("status", String, nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("thinned", BigInteger, nullable=False),
    Column("first_step", BigInteger),
    Column("last_step", BigInteger),
    Column("last_seen", Double, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    *_message_columns(),
    Column("type", String, nullable=False),
    Column("time", Double, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

frames = Table(
    "frames",
    metadata,
    *_message_columns(),
    Column("schema", BigInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("time", Double, nullable=False),
    # Of a frame in a chunk, what `compaction.chunk` leaves.
    Column("raw", LargeBinary, nullable=False),
    Column("chunk", BigInteger),
)
# Few are in no chunk. With all columns but for the bytes, which SQLite would pass over to see that
# `chunk`, behind them, is null.
Index(
    "frames_waiting",
    *(
        frames.c[name]
        for name in ("run", "attempt", "worker", "source", "step", "seq", "schema", "time", "chunk")
    ),
    sqlite_where=frames.c.chunk.is_(None),
    postgresql_where=frames.c.chunk.is_(None),
)

# `seq` is that of its first frame; of `parts`, that of the first frame of a section.
chunks = Table(
    "chunks",
    metadata,
    *_message_columns(),
    Column("schema", BigInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_time", Double, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("finest", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("axis", LargeBinary, nullable=False),
    Column("logs", LargeBinary, nullable=False),
    Column("sections", Integer, nullable=False),
)
# With a value for each frame, until they are too old for that.
DETAILED = chunks.c.finest == literal_column("1")
Index(
    "chunks_detailed",
    chunks.c.run,
    chunks.c.last_time,
    sqlite_where=DETAILED,
    postgresql_where=DETAILED,
)
# Full chunks of probe frames, until they are merged. With the columns of the condition, as SQLite
# looks at them again.
FULL = (chunks.c.frames == literal_column(str(FRAMES))) & (
    chunks.c.source == literal_column("'probe'")
)
Index(
    "chunks_full",
    *(
        chunks.c[name]
        for name in ("run", "attempt", "worker", "schema", "finest", "source", "frames")
    ),
    sqlite_where=FULL,
    postgresql_where=FULL,
)

# In the order of their keys, so that those of a chunk are written side by side.
parts = Table(
    "parts",
    metadata,
    *_message_columns(),
    Column("factor", Integer, primary_key=True, autoincrement=False),
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("group", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

# What the frames of a run take in the tables above, kept with every change of those: to add it up
# is to read them all.
sizes = Table(
    "sizes",
    metadata,
    Column("run", String, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("run", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("attempt", String, nullable=False),
    Column("worker", Integer, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("run", String, primary_key=True),
    Column("finding", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("time", Double, nullable=False),
)

# Of these the newest are kept; a person looks at a few of them.
REFUSED_MESSAGES = 256
REFUSED_BYTES = 4 * 2**20

# The run is empty where a message does not say of which it is.
refused = Table(
    "refused",
    metadata,
    Column("run", String, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Double, nullable=False),
    Column("attempt", String, nullable=False),
    Column("worker", Integer, nullable=False),
    Column("seq", BigInteger),
    Column("reason", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("project", String),
)

# The only table that is not of runs: small, and a copy of it serves each part of a database.
tokens = Table(
    "tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("scope", String, nullable=False),
    Column("project", String),
    Column("name", String, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    *_stream_columns(),
    Column("seq", BigInteger, nullable=False),
    Column("schema", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

OF_RUNS = tuple(table for table in metadata.sorted_tables if table is not tokens)
