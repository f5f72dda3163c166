"""Chunks of a long run: SECTIONS that follow each other become one, for views of much of it.

Of a chunk, each rollup is a few entries. A group is of so many cells then that a view of one of
them throws nearly all away that is read for it, once for each of the 782 chunks of 100,000 frames.
A merged chunk has the rollups of all its sections as if they came from one chunk, in groups of
fewer cells and more entries. The values of single frames stay as they were, section by section.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count

import numpy as np

from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import FRAMES, SECTIONS, Part, bands_of
from gainstage_server.compaction.logged import Logs
from gainstage_server.compaction.packing import Packer, Unpacker, group_cells
from gainstage_server.compaction.rollups import BANDS, Floats
from gainstage_server.store.records import ChunkRecord, MergedChunk

# Of the chunks. A quarter of it are rollups, which are held in memory twice while they are packed;
# 1,000 layers with 40 statistics have half of it. Views of what is larger read it chunk by chunk.
_MOST_BYTES = 2**29
# Cells that are put together at a time: whole groups of every depth that rollups have.
_TOGETHER = group_cells(BANDS)


def mergeable(chunks: Iterable[ChunkRecord]) -> Sequence[ChunkRecord]:
    """Of the chunks of one stream, the first that can be merged, if any, in order of their steps.

    All are full: entries are counted in the merged one as they are in each of them.
    """
    found: dict[tuple[int, int], list[ChunkRecord]] = {}
    # Of those that lie over each other, whichever ends first leaves the most that do not.
    for chunk in sorted(chunks, key=lambda chunk: (chunk.last_step, chunk.last_seq)):
        if chunk.frames != FRAMES:
            continue
        alike = found.setdefault((chunk.schema, chunk.finest), [])
        end = (alike[-1].last_step, alike[-1].last_seq) if alike else (-1, -1)
        if end < (chunk.first_step, chunk.seq):
            alike.append(chunk)
        if len(alike) == SECTIONS:
            small = sum(one.size for one in alike) <= _MOST_BYTES
            return alike if small else ()
    return ()


def merged(
    chunks: Sequence[ChunkRecord], logs: Sequence[bytes], parts: Sequence[tuple[int, Part]]
) -> MergedChunk:
    """The chunk of these, which are `mergeable`.

    Args:
        chunks: In order of their steps.
        logs: Those of each.
        parts: The rollups of all of them, each with its chunk's `seq`.

    Raises:
        ValueError, msgspec.MsgspecError: Something of them cannot be read.
        LookupError: Something of them is missing.
    """
    axes = {chunk.seq: Axis.load(chunk.axis) for chunk in chunks}
    axis = Axis.together(list(axes.values()))
    of_all = Logs.together([Logs.load(one) for one in logs], [len(one) for one in axes.values()])
    made = list(_rollups(axes, parts))
    before, after = (sum(len(one.data) for one in some) for some in ([it for _, it in parts], made))
    last = chunks[-1]
    record = chunks[0]._replace(
        last_step=last.last_step,
        last_seq=last.last_seq,
        last_time=max(chunk.last_time for chunk in chunks),
        frames=len(axis),
        sections=len(chunks),
        size=sum(chunk.size for chunk in chunks) - before + after,
        axis=axis.dump(),
    )
    return MergedChunk(record, of_all.dump(), made)


def _rollups(axes: Mapping[int, Axis], parts: Sequence[tuple[int, Part]]) -> Iterator[Part]:
    """The parts of chunks, whose axes these are by their seqs, as those of one."""
    of_blocks: dict[tuple[int, int], dict[int, dict[int, bytes]]] = {}
    for seq, part in parts:
        of_chunks = of_blocks.setdefault((part.factor, part.block), {})
        of_chunks.setdefault(seq, {})[part.group] = part.data
    packer, unpacker = Packer(), Unpacker()
    for (factor, block), of_chunks in of_blocks.items():
        sampled = [(seq, axis) for seq, axis in axes.items() if block in axis.sampled]
        read = [
            _some_cells(unpacker, axis.depth(block, factor), of_chunks[seq])
            for seq, axis in sampled
        ]
        groups = count()
        for some in zip(*read, strict=True):
            of_chunk = [bands_of(values, factor) for values in some]
            bands = [np.concatenate(band) for band in zip(*of_chunk, strict=True)]
            for data in packer.pack(np.concatenate(bands)):
                yield Part(factor, block, next(groups), data)


def _some_cells(unpacker: Unpacker, depth: int, groups: Mapping[int, bytes]) -> Iterator[Floats]:
    """[depth, cells] of a block, some at a time, from all its groups."""
    size = _TOGETHER // group_cells(depth)
    for first in range(0, len(groups), size):
        some = range(first, min(first + size, len(groups)))
        yield np.concatenate([unpacker.unpack(groups[one], depth) for one in some], axis=1)
