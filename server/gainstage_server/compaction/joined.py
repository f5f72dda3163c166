"""Chunks of a long run: SECTIONS that follow each other become one, for views of the whole run.

A chunk has an entry or two at the coarsest resolution. A group is of so many cells then that a view
of one of them throws nearly all away that is read for it, once for each of the 782 chunks of
100,000 frames. A joined chunk has the coarsest parts of all its sections as if they came from one
chunk, in groups of fewer cells and more entries. Finer parts stay as they were, section by section.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import COARSEST, FRAMES, SECTIONS, Chunk, Part, bands_of
from gainstage_server.compaction.logged import Logs
from gainstage_server.compaction.packing import Packer, Unpacker
from gainstage_server.compaction.rollups import Floats
from gainstage_server.store.records import ChunkRecord


def joinable(chunks: Iterable[ChunkRecord]) -> Sequence[ChunkRecord]:
    """Of the chunks of one stream, by their first steps, the first that can be joined, if any.

    All are full: entries are counted in the joined one as they are in each of them.
    """
    found: dict[tuple[str, int, int], list[ChunkRecord]] = {}
    for chunk in chunks:
        if chunk.frames != FRAMES:
            continue
        alike = found.setdefault((chunk.source, chunk.schema, chunk.finest), [])
        if alike and (alike[-1].last_step, alike[-1].last_seq) > (chunk.first_step, chunk.seq):
            alike.clear()
        alike.append(chunk)
        if len(alike) == SECTIONS:
            return alike
    return ()


def joined(
    chunks: Sequence[ChunkRecord], logs: Sequence[bytes], parts: Sequence[tuple[int, Part]]
) -> tuple[ChunkRecord, Chunk]:
    """The chunk of these, with its coarsest parts.

    Args:
        chunks: Those that are `joinable`.
        logs: Those of each.
        parts: The coarsest of them all, each with its chunk's `seq`.
    """
    axes = {chunk.seq: Axis.load(chunk.axis) for chunk in chunks}
    axis = Axis.together(list(axes.values()))
    of_all = Logs.together([Logs.load(one) for one in logs], [len(one) for one in axes.values()])
    made = Chunk(axis, of_all.dump(), list(_coarsest(axes, parts)), left=())
    last, before = chunks[-1], sum(len(part.data) for _, part in parts)
    record = chunks[0]._replace(
        last_step=last.last_step,
        last_seq=last.last_seq,
        last_time=max(chunk.last_time for chunk in chunks),
        frames=len(axis),
        size=sum(chunk.size for chunk in chunks) - before + made.size,
        axis=axis.dump(),
    )
    return record, made


def _coarsest(axes: Mapping[int, Axis], parts: Sequence[tuple[int, Part]]) -> Iterator[Part]:
    """The parts of chunks, whose axes these are by their seqs, as those of one."""
    of_blocks: dict[int, dict[int, list[Part]]] = {}
    for seq, part in parts:
        of_blocks.setdefault(part.block, {}).setdefault(seq, []).append(part)
    packer, unpacker = Packer(), Unpacker()
    for block, of_chunks in sorted(of_blocks.items()):
        read = [
            bands_of(_cells(unpacker, axis.depth(block, COARSEST), of_chunks[seq]), COARSEST)
            for seq, axis in axes.items()
            if seq in of_chunks
        ]
        bands = [np.concatenate(band) for band in zip(*read, strict=True)]
        for group, data in enumerate(packer.pack(np.concatenate(bands))):
            yield Part(COARSEST, block, group, data)


def _cells(unpacker: Unpacker, depth: int, parts: Sequence[Part]) -> Floats:
    """[depth, cells] of a block, from all its groups."""
    in_order = sorted(parts, key=lambda part: part.group)
    return np.concatenate([unpacker.unpack(part.data, depth) for part in in_order], axis=1)
