"""What the streams have told so far: which attempts have begun, and what their schemas hold."""

import contextlib
from collections.abc import Container, Iterable, Mapping

from gainstage import wire
from gainstage_server.layout import Layout
from gainstage_server.origin import Origin
from gainstage_server.recent import Recent
from gainstage_server.store.interface import Store
from gainstage_server.store.records import AttemptRecord, Key, Stream

# What falls out is read from the store again, so that runs which go on must all find room, and
# those of a batch by far: what was looked up for it is there to its end. A layout of 1,000 rows
# takes 1 MB, or a tenth of that where another run has the same layers.
_LAYOUTS = 2_000
_ATTEMPTS = 10_000


class Catalogue:
    """Attempts and schemas, from memory or from the store.

    What a batch brings is staged until the batch is committed: after a failure nothing of it may
    be taken for known.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._attempts: Recent[Stream, AttemptRecord] = Recent(_ATTEMPTS)
        self._layouts: Recent[Key, Layout] = Recent(_LAYOUTS)
        self._newest: Recent[Stream, int] = Recent(_ATTEMPTS)  # seq
        self._staged_attempts: dict[Stream, AttemptRecord] = {}
        self._staged_layouts: dict[Key, Layout] = {}
        self._staged_newest: Mapping[Stream, int] = {}

    def look_up(self, origins: Iterable[Origin]) -> None:
        """Have at hand what is stored of the streams and schemas of these messages.

        It is asked for in one go: of the trainers of a server that was lost, all are unknown.
        """
        streams, keys = set[Stream](), set[Key]()
        for origin in origins:
            if stream := origin.stream:
                streams.add(stream)
            if key := origin.layout:
                keys.add(key)
        unheard = [stream for stream in streams if self._newest.get(stream) is None]
        for stream, seq in self._store.newest(unheard).items():
            self._newest.put(stream, seq)
        unknown = [stream for stream in streams if self._attempts.get(stream) is None]
        for record in self._store.attempts_among(unknown):
            self._attempts.put(record.stream, record)
        unread = [key for key in keys if self._layouts.get(key) is None]
        for key, raw in self._store.messages_at(unread):
            # A later release may have written it: to a frame that refers to it, this is told.
            with contextlib.suppress(wire.WireError):
                if layout := Layout.read(raw):
                    self._layouts.put(key, layout)

    def attempt(self, stream: Stream) -> AttemptRecord | None:
        """What is known of an attempt that was looked up; None: it has not begun."""
        return self._staged_attempts.get(stream) or self._attempts.get(stream)

    def layout(self, key: Key) -> Layout | None:
        """The schema sent as `key`; None: there is none."""
        known = self._staged_layouts.get(key) or self._layouts.get(key)
        if known is None and (known := Layout.read(self._store.message(key))):
            self._layouts.put(key, known)
        return known

    def newest(self, stream: Stream) -> int:
        """The newest seq that is stored of a stream that was looked up; -1: there is none."""
        newest = self._newest.get(stream)
        return -1 if newest is None else newest

    def stage_newest(self, newest: Mapping[Stream, int]) -> None:
        """Take note of the newest seq of each stream of this batch."""
        self._staged_newest = newest

    def stage_attempt(self, record: AttemptRecord) -> None:
        """Take note of an attempt that this batch begins or continues."""
        self._staged_attempts[record.stream] = record

    def stage_layout(self, key: Key, layout: Layout) -> None:
        """Take note of a schema that this batch brings, if nothing else is stored as `key`."""
        if self._layouts.get(key) is None and not self._is_stored(key):
            self._staged_layouts[key] = layout

    def _is_stored(self, key: Key) -> bool:
        if key.seq > self.newest(key.stream):
            return False
        frames = self._store.frames_after(key.stream, key.seq - 1, key.seq)
        return self._store.message(key) is not None or next(iter(frames), None) is not None

    @property
    def staged_attempts(self) -> list[AttemptRecord]:
        """The attempts that this batch begins or continues."""
        return list(self._staged_attempts.values())

    def keep(self) -> None:
        """The batch was committed."""
        for stream, record in self._staged_attempts.items():
            self._attempts.put(stream, record)
        for key, layout in self._staged_layouts.items():
            self._layouts.put(key, layout)
        for stream, seq in self._staged_newest.items():
            self._newest.put(stream, seq)

    def end(self, stream: Stream) -> None:
        """It is over; what comes late is held against what is stored."""
        self._layouts.drop_where(lambda key: key.stream == stream)

    def doubt(self, streams: Iterable[Stream]) -> None:
        """Of these, more may be stored than is known."""
        for stream in streams:
            self._newest.drop(stream)

    def follow(self, runs: Container[str]) -> None:
        """Another server has stored more of these runs; what it adds changes no schema."""
        self._newest.drop_where(lambda stream: stream.run in runs)
        self._attempts.drop_where(lambda stream: stream.run in runs)

    def forget_runs(self, runs: Container[str]) -> None:
        """Nothing is stored of these runs any more."""
        self.follow(runs)
        self._layouts.drop_where(lambda key: key.run in runs)

    def forget(self) -> None:
        """The batch is over: what was not kept is not known."""
        self._staged_attempts = {}
        self._staged_layouts = {}
        self._staged_newest = {}
