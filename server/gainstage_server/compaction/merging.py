"""Chunks of a long run: SECTIONS that follow each other become one, for views of the whole run.

A chunk has an entry or two at the coarsest resolution. A group is of so many cells then that a view
of one of them throws nearly all away that is read for it, once for each of the 782 chunks of
100,000 frames. A merged chunk has the coarsest parts of all its sections as if they came from one
chunk, in groups of fewer cells and more entries. Finer parts stay as they were, section by section.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import COARSEST, FRAMES, SECTIONS, Part, bands_of
from gainstage_server.compaction.logged import Logs
from gainstage_server.compaction.packing import Packer, Unpacker
from gainstage_server.compaction.rollups import Floats
from gainstage_server.store.records import ChunkRecord, MergedChunk


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
            return alike
    return ()


def merged(
    chunks: Sequence[ChunkRecord], logs: Sequence[bytes], parts: Sequence[tuple[int, Part]]
) -> MergedChunk:
    """The chunk of these, which are `mergeable`.

    Args:
        chunks: In order of their steps.
        logs: Those of each.
        parts: The coarsest of them all, each with its chunk's `seq`.

    Raises:
        ValueError: Something of them cannot be read.
        LookupError: Something of them is missing.
    """
    axes = {chunk.seq: Axis.load(chunk.axis) for chunk in chunks}
    axis = Axis.together(list(axes.values()))
    of_all = Logs.together([Logs.load(one) for one in logs], [len(one) for one in axes.values()])
    made = list(_coarsest(axes, parts))
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


def _coarsest(axes: Mapping[int, Axis], parts: Sequence[tuple[int, Part]]) -> Iterator[Part]:
    """The parts of chunks, whose axes these are by their seqs, as those of one."""
    of_blocks: dict[int, dict[int, list[Part]]] = {}
    for seq, part in parts:
        of_blocks.setdefault(part.block, {}).setdefault(seq, []).append(part)
    packer, unpacker = Packer(), Unpacker()
    for block in dict.fromkeys(block for axis in axes.values() for block in axis.sampled):
        read = [
            bands_of(_cells(unpacker, axis.depth(block, COARSEST), of_blocks[block][seq]), COARSEST)
            for seq, axis in axes.items()
            if block in axis.sampled
        ]
        bands = [np.concatenate(band) for band in zip(*read, strict=True)]
        for group, data in enumerate(packer.pack(np.concatenate(bands))):
            yield Part(COARSEST, block, group, data)


def _cells(unpacker: Unpacker, depth: int, parts: Sequence[Part]) -> Floats:
    """[depth, cells] of a block, from all its groups."""
    in_order = sorted(parts, key=lambda part: part.group)
    return np.concatenate([unpacker.unpack(part.data, depth) for part in in_order], axis=1)
