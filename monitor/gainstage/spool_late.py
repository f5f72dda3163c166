"""Messages that come while the file of a spool is busy: a plain file beside it."""

import errno
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

# Of each message: its rank, its seq, the length of its body, and a CRC-32 of that.
_HEAD = struct.Struct("<qqII")


class Message(NamedTuple):
    """A row of the spool; `rank` orders frames as they are dropped, and is negative of others."""

    rank: int
    seq: int
    body: bytes

    @property
    def is_frame(self) -> bool:
        """Whether it may be dropped."""
        return self.rank >= 0


class LateFile:
    """As crash-safe as the spool: what was added is with the operating system.

    There is no file while nothing is in it.
    """

    def __init__(self, spool: Path) -> None:
        self._path = spool.with_name(f"{spool.name}-late")
        self._file: BinaryIO | None = None
        self._there = self._path.exists()

    def add(self, message: Message) -> None:
        """Puts a message at its end.

        Raises:
            OSError: It cannot be written.
        """
        if self._file is None:
            self._file, self._there = self._path.open("ab", buffering=0), True
        rank, seq, body = message
        record = _HEAD.pack(rank, seq, len(body), zlib.crc32(body)) + body
        end = self._file.seek(0, os.SEEK_END)
        if self._file.write(record) < len(record):
            self._file.truncate(end)  # what comes behind half a record could not be read
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def read(self) -> list[Message]:
        """What it holds; without the last one where its process died while it was written.

        Raises:
            OSError: It cannot be read.
        """
        data = self._path.read_bytes() if self._there else b""
        messages: list[Message] = []
        place = 0
        while place + _HEAD.size <= len(data):
            rank, seq, size, check = _HEAD.unpack_from(data, place)
            place += _HEAD.size + size
            body = data[place - size : place]
            if len(body) < size or zlib.crc32(body) != check:
                break
            messages.append(Message(rank, seq, body))
        return messages

    def clear(self) -> None:
        """Deletes it: all that it holds is in the spool.

        Raises:
            OSError: It cannot be deleted.
        """
        self.close()
        if self._there:
            self._path.unlink(missing_ok=True)
            self._there = False

    def close(self) -> None:
        """Lets go of it."""
        if self._file is not None:
            self._file.close()
            self._file = None
