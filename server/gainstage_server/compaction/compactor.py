"""Turns frames that are no longer new into chunks, and chunks into larger or coarser ones.

One chunk a transaction, beside what enters.
"""

import logging
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from gainstage import wire
from gainstage_server.compaction import chunk
from gainstage_server.compaction.chunk import FACTORS, FRAMES, Chunk, Stored
from gainstage_server.compaction.merging import mergeable, merged
from gainstage_server.layout import Layout
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store
from gainstage_server.store.records import (
    MAX_STEP,
    Backlog,
    ChunkRecord,
    FrameRecord,
    Key,
    Span,
    Stream,
)

log = logging.getLogger("gainstage.server")

# Frames of a training that goes on are left as they came: the diagnosis restores itself from its
# newest ones, and what comes late comes among them. Of one that is over, the newest is left.
NEWEST = 32
# A run of which nothing was heard for so long counts as over; should it go on, that does no harm.
QUIET_SECONDS = 3_600.0
DAY = 86_400.0
# What is raised where something that is stored is not what it should be.
_UNREADABLE = ValueError, LookupError, msgspec.MsgspecError


def _by_step(frame: FrameRecord) -> tuple[int, int]:
    return frame.step, frame.seq


def pieces(frames: Sequence[FrameRecord]) -> list[Sequence[FrameRecord]]:
    """Frames as chunks of FRAMES each; the last takes what is too little for one of its own."""
    count = max(1, len(frames) // FRAMES)
    cuts = [*range(0, count * FRAMES, FRAMES), len(frames)]
    return [frames[first:end] for first, end in pairwise(cuts)]


def encoded(schema: wire.Schema, frames: Sequence[FrameRecord]) -> tuple[ChunkRecord, Chunk]:
    """The chunk of `frames`, in order of their steps.

    Raises:
        wire.WireError: A frame cannot be read.
    """
    made = chunk.encode(schema, [Stored(one.seq, one.step, one.time, one.raw) for one in frames])
    first, last = frames[0], frames[-1]
    record = ChunkRecord(
        run=first.run,
        attempt=first.attempt,
        worker=first.worker,
        seq=first.seq,
        schema=first.schema,
        source=first.source,
        first_step=first.step,
        last_step=last.step,
        last_seq=last.seq,
        last_time=max(one.time for one in frames),
        frames=len(frames),
        finest=1,
        sections=1,
        size=made.size,
        axis=made.axis.dump(),
    )
    return record, made


class Compactor:
    """Works off the backlog of a store; all calls come from one thread."""

    def __init__(
        self, settings: Settings, store: Store, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._queue: list[Backlog] = []
        self._unreadable: set[Key | Stream] = set()  # schemas, and streams with chunks
        # How many full chunks a stream had when none of them could be merged.
        self._left: dict[Stream, int] = {}

    def step(self) -> bool:
        """Make a chunk where one is due, make one coarser, or merge some.

        False: nothing is due, or there is no room.

        Raises:
            StoreError: It could not be stored; nothing has changed.
        """
        free = self._store.free_bytes()
        if free is not None and free < self._settings.disk_floor:
            return False
        if not self._queue:
            backlogs = self._store.backlogs(quiet_since=self._clock() - QUIET_SECONDS)
            self._queue = [backlog for backlog in backlogs if self._is_due(backlog)]
        while self._queue:
            backlog = self._queue.pop()
            try:
                with self._store.alone(backlog.run) as alone:
                    if alone and self._compact(backlog):
                        return True
            except _UNREADABLE:
                log.exception("Frames of %s cannot be compacted; they stay as they came.", backlog)
                self._unreadable.add(backlog.key)
        return self._coarsen() or self._merge()

    def _coarsen(self) -> bool:
        """Leave only the rollups of a chunk whose frames are too old for more."""
        limits, now = self._settings.detail_days, self._clock()
        before = {project: now - days * DAY for project, days in limits.items()}
        otherwise = before.pop("", None)
        detailed = self._store.detailed(before, otherwise) if limits else None
        if detailed is None:
            return False
        with self._store.alone(detailed.run) as alone:
            if alone:
                with self._store.write() as transaction:
                    transaction.coarsen(detailed, FACTORS[1])
        return alone

    def _merge(self) -> bool:
        """Make one chunk of those that follow each other, where there are enough."""
        for stream, count in self._store.full_chunks().items():
            if stream in self._unreadable or self._left.get(stream) == count:
                continue
            try:
                with self._store.alone(stream.run) as alone:
                    if alone and self._merge_of(stream):
                        return True
                    if alone:
                        self._left[stream] = count
            except _UNREADABLE:
                log.exception("Chunks of %s cannot be merged; they stay as they are.", stream)
                self._unreadable.add(stream)
        return False

    def _merge_of(self, stream: Stream) -> bool:
        with self._store.past() as past:
            chunks = mergeable(past.chunks(Span(stream, 0, MAX_STEP + 1)))
            if not chunks:
                return False
            seqs = [chunk.seq for chunk in chunks]
            logs = list(past.logs(stream, seqs))
            parts = [it for factor in FACTORS[1:] for it in past.parts(stream, seqs, factor)]
            made = merged(chunks, logs, parts)
        with self._store.write() as transaction:
            return transaction.merge(made, instead_of=chunks)

    def _is_due(self, backlog: Backlog) -> bool:
        older = backlog.frames - _left(backlog)
        return older >= _least(backlog) and backlog.key not in self._unreadable

    def _compact(self, backlog: Backlog) -> bool:
        frames = self._store.oldest(backlog, leave=_left(backlog), most=FRAMES)
        if len(frames) < _least(backlog):  # another server has been here since
            return False
        rewritten: ChunkRecord | None = None
        if known := self._store.chunks_from(backlog, frames[0]):
            # They came late: within a chunk, or before it. Those that belong to one section of it
            # go together, so that no entry of a resolution spans more than that.
            end = min(_end_behind(chunk, frames[0]) for chunk in known)
            frames = [frame for frame in frames if _by_step(frame) < end]
            if _is_open(known[0]) and (known[0].first_step, known[0].seq) < end:
                rewritten = known[0]
        if rewritten is not None:
            frames = sorted([*frames, *self._store.frames_of(rewritten)], key=_by_step)
        layout = Layout.read(self._store.message(backlog.key))
        if layout is None:
            raise LookupError(f"Schema {backlog.key} is not stored.")
        made = [encoded(layout.schema, piece) for piece in pieces(frames)]
        with self._store.write() as transaction:
            return transaction.compact(made, instead_of=rewritten)


def _is_open(chunk: ChunkRecord) -> bool:
    """Whether frames that come late go into the chunk, and not into one beside it."""
    return chunk.finest == 1 and chunk.sections == 1


def _end_behind(chunk: ChunkRecord, frame: FrameRecord) -> tuple[int, int]:
    """Where the first section of the chunk ends that ends behind the frame, as `_by_step`."""
    ends = ((int(axis.steps[-1]), int(axis.seqs[-1])) for axis in chunk.cut)
    return next(end for end in ends if _by_step(frame) < end)


def _left(backlog: Backlog) -> int:
    return 1 if backlog.quiet else NEWEST


def _least(backlog: Backlog) -> int:
    """How many frames are worth a chunk."""
    return 1 if backlog.quiet else FRAMES
