"""Whose a message is, read without all the rest of it."""

import re
import struct
from typing import Any

import msgspec

from gainstage import wire
from gainstage_server.store.records import Key, Stream

ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Whole numbers above 2**53 cannot be told apart in JavaScript.
MAX_WHOLE = 2**53
MAX_WORKER = 2**16


class Origin(msgspec.Struct, frozen=True):
    """What the header of a message says of its identity, whatever else is in it.

    Attributes:
        schema: What a frame says of the schema that it refers to.
    """

    run: str = ""
    attempt: str = ""
    worker: int = 0
    seq: int | None = None
    schema: Any = None

    @property
    def stream(self) -> Stream | None:
        """The stream that it belongs to; None: it cannot be told."""
        return Stream(self.run, self.attempt, self.worker) if self.run else None

    @property
    def layout(self) -> Key | None:
        """The key of that schema; None: it refers to none that there may be."""
        stream, seq = self.stream, self.schema
        # A truth value is an int as well, but no number of a database.
        if stream is None or type(seq) is not int or not 0 <= seq <= MAX_WHOLE:
            return None
        return Key(*stream, seq)


_decoder = msgspec.msgpack.Decoder(Origin)


def origin_of(data: bytes) -> Origin:
    """Whose `data` is, as far as that can be read; what no message may say counts as unread."""
    try:
        magic, _, size = wire.PREFIX.unpack_from(data)
        origin = _decoder.decode(memoryview(data)[wire.PREFIX.size : wire.PREFIX.size + size])
    except (struct.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Origin()
    known = (
        magic == wire.MAGIC
        and ID.fullmatch(origin.run)
        and ID.fullmatch(origin.attempt)
        and 0 <= origin.worker <= MAX_WORKER
        and (origin.seq is None or 0 <= origin.seq <= MAX_WHOLE)
    )
    return origin if known else Origin()
