"""What a chunk's frames logged, beside the parts: there is little of it, and it has no rows."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from gainstage import wire
from gainstage_server.compaction.rollups import Flags, Floats


class Logs(msgspec.Struct, frozen=True, array_like=True):
    """What a chunk's frames logged: name -> [frames] float32, and a bit for each that has it."""

    values: dict[str, tuple[bytes, bytes]]

    @classmethod
    def of(cls, messages: Sequence[wire.AnyMessage]) -> "Logs":
        """Those of these frames."""
        logs = [message.logs if isinstance(message, wire.Frame) else {} for message in messages]
        names = dict.fromkeys(name for of_frame in logs for name in of_frame)
        return cls({name: _logged(logs, name) for name in names})

    @classmethod
    def together(cls, parts: Sequence["Logs"], frames: Sequence[int]) -> "Logs":
        """Those of several chunks, each of so many frames, one after the other."""
        names = list(dict.fromkeys(name for part in parts for name in part.values))
        read = [part.read(names, count) for part, count in zip(parts, frames, strict=True)]
        values, present = (np.concatenate(arrays) for arrays in zip(*read, strict=True))
        columns = zip(names, values.T, present.T, strict=True)
        return cls({name: _column(of_all, flags) for name, of_all, flags in columns})

    def dump(self) -> bytes:
        """As it is stored."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def load(cls, data: bytes) -> "Logs":
        """What `dump` wrote."""
        return _logs.decode(data)

    def read(self, names: Sequence[str], frames: int) -> tuple[Floats, Flags]:
        """[frames, names], and which of them were logged."""
        values = np.full((frames, len(names)), np.nan, np.float32)
        present = np.zeros((frames, len(names)), bool)
        for column, name in enumerate(names):
            if name in self.values:
                numbers, bits = self.values[name]
                values[:, column] = np.frombuffer(numbers, "<f4")
                flags = np.frombuffer(bits, np.uint8)
                present[:, column] = np.unpackbits(flags, count=frames, bitorder="little")
        return values, present


def _logged(logs: Sequence[Mapping[str, float]], name: str) -> tuple[bytes, bytes]:
    values = np.array([of_frame.get(name, np.nan) for of_frame in logs])
    # A loss that runs away leaves float32 before it leaves float64.
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    return _column(numbers, np.array([name in of_frame for of_frame in logs], bool))


def _column(values: Floats, present: Flags) -> tuple[bytes, bytes]:
    return values.astype("<f4").tobytes(), np.packbits(present, bitorder="little").tobytes()


_logs = msgspec.msgpack.Decoder(Logs)
