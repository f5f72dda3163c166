"""Which frames a chunk holds, which of their blocks, and what its resolutions show of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from gainstage_server.compaction.rollups import BANDS, Flags, Places


class _Axis(msgspec.Struct, frozen=True, array_like=True):
    """Frame by frame, as bytes of little-endian numbers."""

    seqs: bytes
    steps: bytes
    times: bytes
    sampled: dict[int, bytes]  # block -> one bit for each frame, 1 where the frame has it


_axis = msgspec.msgpack.Decoder(_Axis)


@dataclass(frozen=True)
class Entries:
    """What a resolution shows of a chunk, or of frames that are in none.

    Attributes:
        seqs: [entries], of the last frame of each.
        steps: [entries], the same.
        times: [entries], the same.
        frames: [entries], how many each has.
    """

    seqs: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    frames: Places

    def __len__(self) -> int:
        return len(self.seqs)

    def at(self, chosen: Places | Flags) -> "Entries":
        """Those, in that order."""
        return Entries(
            self.seqs[chosen], self.steps[chosen], self.times[chosen], self.frames[chosen]
        )

    @classmethod
    def together(cls, parts: Sequence["Entries"]) -> "Entries":
        """All of these, one after the other."""
        return cls(
            np.concatenate([np.zeros(0, np.int64), *(part.seqs for part in parts)]),
            np.concatenate([np.zeros(0, np.int64), *(part.steps for part in parts)]),
            np.concatenate([np.zeros(0, np.float64), *(part.times for part in parts)]),
            np.concatenate([np.zeros(0, np.intp), *(part.frames for part in parts)]),
        )


@dataclass(frozen=True)
class Axis:
    """Which frames a chunk holds, in order, and which of them have which blocks."""

    seqs: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    sampled: Mapping[int, Flags]  # block -> [frames]

    def __len__(self) -> int:
        return len(self.seqs)

    def cut(self, sections: int) -> list["Axis"]:
        """The frames in so many sections, of equally many each."""
        size = len(self) // sections
        return [self._part(first, first + size) for first in range(0, len(self), size)]

    def _part(self, first: int, end: int) -> "Axis":
        """Some of the frames alone, with the blocks that they have."""
        flags = {block: of_all[first:end] for block, of_all in self.sampled.items()}
        return Axis(
            self.seqs[first:end],
            self.steps[first:end],
            self.times[first:end],
            {block: of_part for block, of_part in flags.items() if of_part.any()},
        )

    @classmethod
    def together(cls, parts: Sequence["Axis"]) -> "Axis":
        """The frames of all of these, one after the other."""
        blocks = dict.fromkeys(block for part in parts for block in part.sampled)
        flags = {
            block: [part.sampled.get(block, np.zeros(len(part), bool)) for part in parts]
            for block in blocks
        }
        return cls(
            np.concatenate([part.seqs for part in parts]),
            np.concatenate([part.steps for part in parts]),
            np.concatenate([part.times for part in parts]),
            {block: np.concatenate(of_parts) for block, of_parts in flags.items()},
        )

    def dump(self) -> bytes:
        """As it is stored."""
        bits = {
            block: np.packbits(flags, bitorder="little").tobytes()
            for block, flags in self.sampled.items()
        }
        return msgspec.msgpack.encode(
            _Axis(
                self.seqs.astype("<i8").tobytes(),
                self.steps.astype("<i8").tobytes(),
                self.times.astype("<f8").tobytes(),
                bits,
            )
        )

    @classmethod
    def load(cls, data: bytes) -> "Axis":
        """What `dump` wrote."""
        stored = _axis.decode(data)
        seqs, steps = (np.frombuffer(array, "<i8") for array in (stored.seqs, stored.steps))
        sampled = {
            block: np.unpackbits(
                np.frombuffer(bits, np.uint8), count=len(seqs), bitorder="little"
            ).astype(bool)
            for block, bits in stored.sampled.items()
        }
        return cls(seqs, steps, np.frombuffer(stored.times, "<f8"), sampled)

    def entries(self, factor: int, only: Sequence[int] | None = None) -> Entries:
        """The entries of so many frames each; the last may have fewer.

        Of frames that have a block of `only` where that is given: an entry without one has none.
        """
        starts = np.arange(0, len(self), factor)
        if only is None:
            ends = np.minimum(starts + factor, len(self))
            last, frames = ends - 1, ends - starts
        else:
            flags = [self.sampled[block] for block in only if block in self.sampled]
            counted = np.logical_or.reduce([np.zeros(len(self), bool), *flags])
            last = np.maximum.reduceat(np.where(counted, np.arange(len(self)), 0), starts)
            frames = np.add.reduceat(counted, starts, dtype=np.intp)
        return Entries(self.seqs[last], self.steps[last], self.times[last], frames)

    def entries_with(self, block: int, factor: int) -> tuple[Places, Places]:
        """The entries in which `block` was sampled, and in how many of the frames of each."""
        flags = self.sampled.get(block)
        if flags is None:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        # `np.unique` loads `numpy.ma`, for 20 ms of somebody's first answer.
        frames = np.bincount(np.flatnonzero(flags) // factor)
        found = np.flatnonzero(frames)
        return found, frames[found]

    def depth(self, block: int, factor: int) -> int:
        """How many values each cell of `block` has at this resolution."""
        entries, _ = self.entries_with(block, factor)
        return len(entries) * (1 if factor == 1 else BANDS)
