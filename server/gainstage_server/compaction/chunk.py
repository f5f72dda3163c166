"""Some consecutive frames of one schema and source as a chunk, and the frames again, bit for bit.

A chunk is cut three ways. By block: one that was not sampled takes no room. By resolution: once
with a value for each frame, and once for each of the FACTORS beyond 1 with `rollups.Bands` of so
many frames, counted from the chunk's first. And by cells, into groups (`packing`): the cells of a
block follow each other statistic by statistic, so that one statistic of all rows is a few groups;
those of a unit map follow row by row, because a map is looked at row by row.

A chunk that `merging` made of others has as many sections. Its rollups are of all of them, and the
values of the frames of each stand under the `seq` of the section's first frame.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from gainstage import wire
from gainstage.units import UNIT_MAPS
from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.logged import Logs
from gainstage_server.compaction.packing import Packer, Unpacker
from gainstage_server.compaction.rollups import BANDS, Bands, Flags, Floats, Places, roll_up

# What waits to become a chunk is read frame by frame, at a tenth of a millisecond each; much less
# in a chunk compresses worse.
FRAMES = 128
# Frames of an entry. Of 100,000 frames the last leaves 782 entries, more than a picture is wide.
# Each is a multiple of the one before.
FACTORS = (1, 16, 128)
# Chunks that are merged: at the coarsest resolution, groups are of 128 cells then, and a heatmap of
# 1,000 layers reads eight of them; at the finer one, of 16 cells.
SECTIONS = 16


class Part(NamedTuple):
    """A group of a block's cells at one resolution."""

    factor: int
    block: int  # its position in the schema
    group: int
    data: bytes


class Stored(NamedTuple):
    """A frame as the store has it."""

    seq: int
    step: int
    time: float
    raw: bytes


@dataclass(frozen=True)
class Chunk:
    """Frames as they are kept.

    Attributes:
        logs: What the frames logged, `Logs`.
        left: What is left of each frame's bytes: as far as its header ends, or all of them where
            the parts do not tell them exactly.
    """

    axis: Axis
    logs: bytes
    parts: Sequence[Part]
    left: Sequence[bytes]

    @property
    def size(self) -> int:
        """Bytes of its parts."""
        return sum(len(part.data) for part in self.parts)


def cell(name: str, shape: tuple[int, int], rows: Places, columns: Places) -> Places:
    """Which cells of the block `name`, of so many rows and columns, these are."""
    return rows * shape[1] + columns if name in UNIT_MAPS else columns * shape[0] + rows


def _cells(name: str, values: Floats) -> Floats:
    """[frames, rows, columns] of a block as [frames, cells]."""
    in_order = values if name in UNIT_MAPS else values.transpose(0, 2, 1)
    return in_order.reshape(len(values), -1)


def _block(name: str, shape: tuple[int, int], cells: Floats) -> Floats:
    """The reverse of `_cells`."""
    rows, columns = shape
    if name in UNIT_MAPS:
        return cells.reshape(-1, rows, columns)
    return cells.reshape(-1, columns, rows).transpose(0, 2, 1)


def encode(schema: wire.Schema, frames: Sequence[Stored]) -> Chunk:
    """The chunk of `frames`, all of `schema` and of one source, in order of their steps.

    Raises:
        wire.WireError: A frame cannot be read.
    """
    decoded = [wire.decode(frame.raw) for frame in frames]
    packer = Packer()
    sampled: dict[int, Flags] = {}
    parts: list[Part] = []
    for position, name in enumerate(schema.blocks):
        flags = np.array([name in blocks for _, blocks in decoded], bool)
        if not flags.any():
            continue
        sampled[position] = flags
        values = np.stack([blocks[name] for _, blocks in decoded if name in blocks])
        for factor, cells in _resolutions(_cells(name, values), np.flatnonzero(flags)):
            groups = enumerate(packer.pack(cells))
            parts += (Part(factor, position, group, data) for group, data in groups)
    axis = Axis(
        np.array([frame.seq for frame in frames], np.int64),
        np.array([frame.step for frame in frames], np.int64),
        np.array([frame.time for frame in frames], np.float64),
        sampled,
    )
    left = [_left(frame.raw, blocks) for frame, (_, blocks) in zip(frames, decoded, strict=True)]
    return Chunk(axis, Logs.of([message for message, _ in decoded]).dump(), parts, left)


def _resolutions(values: Floats, frames: Places) -> Iterator[tuple[int, Floats]]:
    """Each factor, and [depth, cells] of `values`, which are those of so many `frames`."""
    yield 1, values
    bands, weights = Bands.exact(values), np.ones(len(frames), np.intp)
    entries, finer = frames, 1
    for factor in FACTORS[1:]:
        coarser = entries // (factor // finer)
        starts = np.flatnonzero(np.diff(coarser, prepend=-1))
        bands, weights = roll_up(bands, weights, starts), np.add.reduceat(weights, starts)
        entries, finer = coarser[starts], factor
        yield factor, np.concatenate(bands)


def _left(raw: bytes, blocks: Mapping[str, wire.FloatBlock]) -> bytes:
    header = raw[: wire.header_end(raw)]
    return header if blocks and _assembled(header, blocks) == raw else raw


def is_whole(left: bytes) -> bool:
    """Whether `left` is all of a frame, and not only its header."""
    message = wire.decode_header(left)
    blocks = message.blocks if isinstance(message, wire.Frame) else ()
    return not blocks or len(left) > wire.header_end(left)


def _assembled(header: bytes, blocks: Mapping[str, wire.FloatBlock]) -> bytes:
    """The frame of `header`, whose blocks lie where it says; what is between them is zero."""
    message = wire.decode_header(header)
    places = message.blocks if isinstance(message, wire.Frame) else ()
    start = len(header) + -len(header) % wire.ALIGNMENT
    end = max((place.offset + blocks[place.name].nbytes for place in places), default=0)
    data = bytearray(start + end + -end % wire.ALIGNMENT)
    data[: len(header)] = header
    for place in places:
        block = np.ascontiguousarray(blocks[place.name], "<f4")
        data[start + place.offset : start + place.offset + block.nbytes] = block.tobytes()
    return bytes(data)


def bands_of(values: Floats, factor: int) -> Bands:
    """[entries, cells] of a part, from its values, [depth, cells]."""
    if factor == 1:
        return Bands.exact(values)
    depth = len(values) // BANDS
    return Bands(*(values[band * depth : (band + 1) * depth] for band in range(BANDS)))


class Reader:
    """Reads the parts of one chunk, or of a section of it; `schema` is the chunk's."""

    def __init__(self, schema: wire.Schema, axis: Axis) -> None:
        self._schema = schema
        self._axis = axis
        self._unpacker = Unpacker()

    @cached_property
    def names(self) -> list[str]:
        """The schema's blocks, by position."""
        return list(self._schema.blocks)

    def shape(self, block: int) -> tuple[int, int]:
        """Rows and columns."""
        name = self.names[block]
        return len(self._schema.rows), len(self._schema.blocks[name].columns)

    def bands(self, part: Part) -> Bands:
        """[entries, cells] of a part: the entries in which its block was sampled."""
        depth = self._axis.depth(part.block, part.factor)
        return bands_of(self._unpacker.unpack(part.data, depth), part.factor)

    def frames(self, parts: Sequence[Part], left: Sequence[bytes]) -> Iterator[bytes]:
        """The bytes of every frame, from all parts of factor 1 and what is left of each."""
        blocks = {block: self._values(block, parts) for block in self._axis.sampled}
        place = dict.fromkeys(blocks, 0)
        for index, rest in enumerate(left):
            own: dict[str, wire.FloatBlock] = {}
            for block, flags in self._axis.sampled.items():
                if flags[index]:
                    own[self.names[block]] = blocks[block][place[block]]
                    place[block] += 1
            yield rest if is_whole(rest) else _assembled(rest, own)

    def _values(self, block: int, parts: Sequence[Part]) -> Floats:
        """What the frames have of `block`: [frames with it, rows, columns]."""
        own = sorted((part for part in parts if part.block == block), key=lambda part: part.group)
        cells = np.concatenate([self.bands(part).last for part in own], axis=1)
        return _block(self.names[block], self.shape(block), cells)
