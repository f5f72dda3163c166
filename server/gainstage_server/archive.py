"""A whole run to take away: its part of the HTTP interface."""

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from gainstage import archive as archives
from gainstage_server.compaction.chunk import FRAMES
from gainstage_server.parameters import PROBLEM, PROBLEMS, Named, Served
from gainstage_server.store.interface import Store
from gainstage_server.store.records import FrameRecord, Stream

MEDIA_TYPE = "application/x-gainstage-archive"
# Frames read at once, as many as a chunk has: while a client takes them its time, the store holds
# nothing open for it.
READ = FRAMES

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.get(
    "/runs/{run}/archive",
    response_class=StreamingResponse,
    responses={**PROBLEM, 200: {"content": {MEDIA_TYPE: {}}}},
)
def archive(record: Named, service: Served) -> StreamingResponse:
    """Every message of the run as it came, oldest attempt first, which `gainstage import` takes.

    Each stands behind its length, 4 bytes, unsigned and little-endian; a length of 0 ends it.
    """
    streams = [
        Stream(record.run, one.attempt, one.worker) for one in service.store.attempts(record.run)
    ]
    messages = _of_run(service.store, record.run, streams)
    return StreamingResponse(
        archives.packed(messages),
        media_type=MEDIA_TYPE,
        headers={
            "content-disposition": f'attachment; filename="{record.run}{archives.SUFFIX}"',
        },
    )


def _of_run(store: Store, run: str, streams: Sequence[Stream]) -> Iterator[bytes]:
    for stream in streams:
        yield from _messages(store, stream)
    if store.run(run) is None:  # what was read last is not all of it
        raise LookupError(f"Run {run!r} was deleted while it was read.")


def _messages(store: Store, stream: Stream) -> Iterator[bytes]:
    """All of a stream, in order of seq; of one that goes on, no frame whose schema is missing."""
    others = [(record.seq, record.raw) for record in store.messages_of(stream)]
    known = {seq for seq, _ in others}
    frames = (
        (record.seq, record.raw) for record in _frames(store, stream) if record.schema in known
    )
    return (raw for _, raw in heapq.merge(others, frames, key=lambda one: one[0]))


def _frames(store: Store, stream: Stream) -> Iterator[FrameRecord]:
    seq = -1
    while read := list(islice(store.frames_after(stream, seq), READ)):
        yield from read
        seq = read[-1].seq
