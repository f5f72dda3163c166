"""A worker's attempts as one line of steps.

An attempt that begins at a step which an earlier one had passed goes on from a checkpoint before
it: what the earlier one did from that step on is no longer part of the run.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gainstage_server.store.records import AttemptRecord, Span, Stream


class Abandoned(NamedTuple):
    """What an attempt did that is no longer part of the run: `first <= step <= last`."""

    first: int
    last: int
    by: str  # the attempt that began before it


def extents(attempts: Iterable[AttemptRecord], worker: int) -> list[Span]:
    """All that each of a worker's attempts did, in the order of `attempts`."""
    return [
        Span(Stream(one.run, one.attempt, worker), one.first_step, one.last_step + 1)
        for one in attempts
        if one.worker == worker and one.first_step is not None and one.last_step is not None
    ]


def line(extents: Sequence[Span]) -> list[Span]:
    """What the run is made of; `extents` are those of a worker, oldest first."""
    cuts = abandoned(extents)
    kept = (
        span._replace(end=cuts[span.stream].first) if span.stream in cuts else span
        for span in extents
    )
    return [span for span in kept if span.first < span.end]


def abandoned(extents: Sequence[Span]) -> dict[Stream, Abandoned]:
    """What is no longer part of the run, by attempt; `extents` are those of a worker, oldest first.

    Where several later attempts began before what an attempt did, the one that began first of all
    is named.
    """
    found: dict[Stream, Abandoned] = {}
    earliest: Span | None = None
    for span in reversed(extents):
        if earliest is not None and earliest.first < span.end:
            first = max(earliest.first, span.first)
            found[span.stream] = Abandoned(first, span.end - 1, earliest.stream.attempt)
        if earliest is None or span.first < earliest.first:
            earliest = span
    return found
