"""What a store holds of runs, against what their trainers were told that it holds."""

from itertools import zip_longest

from benchmarks.delivery.frames import ATTEMPT, SCHEMA

from gainstage import wire
from gainstage.workers import CHIEF
from gainstage_server.compaction.axis import Axis
from gainstage_server.line import extents
from gainstage_server.store.interface import Store
from gainstage_server.store.records import Stream

from .messages import frame
from .trainers import Ran

WHOLE_EVERY = 8  # of so many runs, one is read with all bytes


class Stored:
    """Counts what was found.

    Attributes:
        frames: Run -> how many of it were looked up.
        compacted: Run -> how many of these were in chunks, at the last look.
        compared: Run -> how many were compared byte by byte.
        lost: Messages that are missing, there twice, or other than they were sent.
    """

    def __init__(self, store: Store, layers: int) -> None:
        self.frames: dict[str, int] = {}
        self.compacted: dict[str, int] = {}
        self.compared: dict[str, int] = {}
        self.lost = 0
        self._store, self._layers = store, layers

    def check(self, ran: Ran, *, whole: bool | None = None) -> None:
        """All of a run is stored once.

        Args:
            ran: The run.
            whole: Whether to compare every byte; None: of one run in so many.
        """
        stream = Stream(ran.run, ATTEMPT, CHIEF)
        messages = [record.seq for record in self._store.messages_of(stream)]
        end = [SCHEMA + 1 + ran.frames] if ran.ended else []
        self._count([*range(SCHEMA + 1), *end], messages)
        chunked: list[int] = []
        waiting: list[int] = []
        with self._store.past() as past:
            for span in extents(past.attempts(ran.run), CHIEF):
                for chunk in past.chunks(span):
                    chunked += map(int, Axis.load(chunk.axis).seqs)
                waiting += (record.seq for record in past.headers(span))
        self._count(list(range(SCHEMA + 1, SCHEMA + 1 + ran.frames)), [*chunked, *waiting])
        if whole or (whole is None and len(self.frames) % WHOLE_EVERY == 0):
            self._compare(ran, stream)
        self.frames[ran.run] = ran.frames
        self.compacted[ran.run] = len(chunked)

    def _count(self, expected: list[int], found: list[int]) -> None:
        self.lost += len(set(expected) ^ set(found)) + len(found) - len(set(found))

    def _compare(self, ran: Ran, stream: Stream) -> None:
        records = self._store.frames_after(stream, SCHEMA)
        for place, record in zip_longest(range(ran.frames), records):
            if place is None or record is None:
                self.lost += 1
                continue
            self.lost += not self._is_frame(record.raw, ran.run, place)
        self.compared[ran.run] = ran.frames

    def _is_frame(self, raw: bytes, run: str, place: int) -> bool:
        try:
            made = wire.decode_header(raw).time
        except wire.WireError:
            return False
        return raw == frame(run, self._layers, place, made)
