"""A run as one file: every message of its trainers as it came, oldest attempt first.

    4 bytes     length of the message, unsigned little-endian; 0 at the end of the file
    message     as `gainstage.wire` writes it

The 0 tells a file that is whole from one whose download broke off.
"""

import struct
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import msgspec

from gainstage import wire

SUFFIX = ".gainstage"
LENGTH = struct.Struct("<I")


class ArchiveError(ValueError):
    """The file is no archive, or not a whole one; its text says where it ends."""


class Entry(NamedTuple):
    """A message of an archive: its header, and where all of it lies."""

    message: wire.Message
    offset: int
    size: int


def packed(messages: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of an archive, message by message."""
    for message in messages:
        yield LENGTH.pack(len(message)) + message
    yield LENGTH.pack(0)


class Archive:
    """Reads an archive; of its frames only the headers are kept in memory.

    Attributes:
        path: Its file.
        run: Name of the run.
        entries: Its messages, in their order.

    Raises:
        ArchiveError: The file is no whole archive.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        # The thread that sent one stream may still be ending when that of the next one reads.
        self._reading = threading.Lock()
        try:
            self.entries = list(self._entries())
        except BaseException:
            self.close()
            raise
        self.run = self.entries[0].message.run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def read(self, entry: Entry) -> bytes:
        """The whole message."""
        with self._reading:
            self._file.seek(entry.offset)
            return self._file.read(entry.size)

    def _entries(self) -> Iterator[Entry]:
        file, size = self._file, self.path.stat().st_size
        run = None
        while length := self._length(file):
            offset = file.tell()
            if offset + length > size:
                raise self._broken(f"a message of {length} bytes at byte {offset}")
            message = self._header(file, length)
            if run not in (None, message.run) or (
                run is None and not isinstance(message, wire.RunStart)
            ):
                raise self._broken("messages of one run, the first of which starts it")
            run = message.run
            yield Entry(message, offset, length)
            file.seek(offset + length)
        if run is None:
            raise self._broken("at least one message")

    def _length(self, file: BinaryIO) -> int:
        data = file.read(LENGTH.size)
        if len(data) < LENGTH.size:
            raise self._broken("the mark of its end")
        (length,) = LENGTH.unpack(data)
        return length

    def _header(self, file: BinaryIO, length: int) -> wire.Message:
        try:
            prefix = file.read(min(length, wire.PREFIX.size))
            left = min(length, wire.header_end(prefix)) - len(prefix)
            message = wire.decode_header(prefix + file.read(left))
        except wire.WireError as error:
            raise self._broken(f"messages that can be read ({error})") from error
        if not isinstance(message, wire.Message):
            raise self._broken("messages of trainers")
        return message

    def _broken(self, expected: str) -> ArchiveError:
        return ArchiveError(
            f"{self.path} is no whole archive of a run. Expected {expected}. Received a file of "
            f"{self.path.stat().st_size} bytes without. Export the run anew."
        )


def _seq(entry: Entry) -> int:
    return entry.message.seq


class ArchivedStream:
    """The messages of one worker's attempt, as a queue that an `Uplink` delivers.

    Args:
        archive: What they are read from.
        stream: Attempt and worker.
        renamed: Fields of the messages that are to be others, such as `run`.
    """

    def __init__(self, archive: Archive, stream: tuple[str, int], renamed: dict[str, str]) -> None:
        self._archive = archive
        self._renamed = renamed
        self._waiting = sorted(
            (
                entry
                for entry in archive.entries
                if (entry.message.attempt, entry.message.worker) == stream
            ),
            key=_seq,
        )
        self.refused = 0
        self.where = str(archive.path)

    def __len__(self) -> int:
        return len(self._waiting)

    def settle(self) -> None:
        """Nothing waits for a disk."""

    def after(self, seq: int, limit: int) -> list[tuple[int, bytes]]:
        """At most `limit` messages behind `seq`, in order."""
        first = bisect_right(self._waiting, seq, key=_seq)
        return [
            (entry.message.seq, self._renaming(self._archive.read(entry)))
            for entry in self._waiting[first : first + limit]
        ]

    def remove_through(self, seq: int) -> None:
        """The server has committed them."""
        del self._waiting[: bisect_right(self._waiting, seq, key=_seq)]

    def remove(self, seq: int) -> None:
        """The server has refused it."""
        first = bisect_left(self._waiting, seq, key=_seq)
        end = bisect_right(self._waiting, seq, key=_seq)
        self.refused += end - first
        del self._waiting[first:end]

    def _renaming(self, data: bytes) -> bytes:
        if not self._renamed:
            return data
        message, blocks = wire.decode(data)
        fields = {k: v for k, v in self._renamed.items() if k in message.__struct_fields__}
        return wire.encode(msgspec.structs.replace(message, **fields), blocks)


def streams(archive: Archive) -> list[tuple[str, int]]:
    """The attempts and workers of an archive, in their order."""
    return list(
        dict.fromkeys((entry.message.attempt, entry.message.worker) for entry in archive.entries)
    )
