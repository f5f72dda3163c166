"""What the store holds, as plain records."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import Part

# What a person may say of a finding: that it is known, or that it is not to be told again.
MarkState = Literal["acknowledged", "muted"]

# What a token opens: to send, to read, or everything.
Scope = Literal["ingest", "read", "admin"]


class Stream(NamedTuple):
    """One worker of one attempt: messages are in order within it."""

    run: str
    attempt: str
    worker: int


class Key(NamedTuple):
    """Identity of a message."""

    run: str
    attempt: str
    worker: int
    seq: int

    @property
    def stream(self) -> Stream:
        """The stream that the message belongs to."""
        return Stream(self.run, self.attempt, self.worker)


class FrameRecord(NamedTuple):
    """A frame as it came, and what it is looked up by."""

    run: str
    attempt: str
    worker: int
    seq: int
    schema: int
    source: str
    step: int
    time: float
    raw: bytes

    @property
    def stream(self) -> Stream:
        """The stream that it belongs to."""
        return Stream(self.run, self.attempt, self.worker)


class ChunkRecord(NamedTuple):
    """A chunk but for its parts and logs; `seq` is that of its first frame.

    Its rollups stand under that, and the values of its frames under the `seq` of the first frame of
    each section.
    """

    run: str
    attempt: str
    worker: int
    seq: int
    schema: int
    source: str
    first_step: int
    last_step: int
    last_seq: int  # of its last frame
    last_time: float
    frames: int
    finest: int  # factor of the finest parts that are kept
    sections: int  # of equally many frames
    size: int  # bytes of all parts that are kept
    axis: bytes

    @property
    def cut(self) -> list[Axis]:
        """The frames of each of its sections."""
        return Axis.load(self.axis).cut(self.sections)

    @property
    def stream(self) -> Stream:
        """The stream that its frames belong to."""
        return Stream(self.run, self.attempt, self.worker)


class MergedChunk(NamedTuple):
    """What is stored in place of chunks that became the sections of one."""

    record: ChunkRecord
    logs: bytes
    rollups: Sequence[Part]


class Backlog(NamedTuple):
    """Frames of one schema and source that are in no chunk."""

    run: str
    attempt: str
    worker: int
    schema: int
    source: str
    frames: int
    quiet: bool  # no more are expected

    @property
    def stream(self) -> Stream:
        """The stream that they belong to."""
        return Stream(self.run, self.attempt, self.worker)

    @property
    def key(self) -> Key:
        """That of their schema."""
        return Key(*self.stream, self.schema)


class MessageRecord(NamedTuple):
    """Any other message of a trainer as it came."""

    run: str
    attempt: str
    worker: int
    seq: int
    type: str
    time: float
    raw: bytes


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the lists show it; its figures are those of the chief's newest frame.

    Times are Unix times in seconds by the server's clock; `started` and `ended` are those of the
    training, whenever the server came to know them.
    """

    run: str
    project: str
    tags: tuple[str, ...]
    config: dict[str, Any]
    environment: dict[str, str]
    started: float
    attempt: str  # the newest; older ones no longer change the run
    attempt_started: float
    ended: float | None = None
    last_seen: float
    last_frame: float | None = None
    step: int | None = None
    epoch: int | None = None
    frames: int = 0
    schema: int = -1  # seq of the newest; `layers` and `verdicts` are about its rows
    layers: int = 0
    logs: dict[str, float] = {}
    verdicts: tuple[str, ...] = ()  # one for each row; "" where not judged
    worst_saturation: float | None = None
    mean_saturation: float | None = None
    worst_excess: float | None = None
    worst_nonfinite: float | None = None
    # `Cadence.costs`; of the spool, frames that it has "thinned", and bytes "spooled".
    costs: dict[str, float] = {}

    @property
    def newest(self) -> float | None:
        """When its newest frame came, or its newest attempt began if none has since."""
        return max(self.last_frame or 0.0, self.attempt_started) or None


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One worker of one attempt at a run; its steps are those of its probe frames.

    Times are Unix times in seconds by the server's clock.
    """

    run: str
    attempt: str
    worker: int
    started: float
    ended: float | None = None
    status: str = "running"  # then as the run_end says
    frames: int = 0  # stored
    thinned: int = 0  # frames that are missing because the trainer's spool was full
    first_step: int | None = None
    last_step: int | None = None
    last_seen: float = 0.0  # when it was last stored

    @property
    def stream(self) -> Stream:
        """The stream that its messages belong to."""
        return Stream(self.run, self.attempt, self.worker)


class RefusedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was refused; run and attempt are empty where they could not be read."""

    id: int  # microseconds since 1970, or more: no two have the same
    time: float  # by the server's clock
    run: str
    attempt: str
    worker: int
    seq: int | None
    reason: str
    size: int  # of the message, in bytes
    raw: bytes  # its beginning
    project: str | None = None  # whose it is; None: it could not be told


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without what it takes to use it. Times are Unix times in seconds."""

    id: str
    hash: bytes  # SHA-256 of its secret
    scope: Scope
    project: str | None  # None: all of them
    name: str
    created: float
    expires: float | None = None
    revoked: float | None = None

    def holds(self, now: float) -> bool:
        """Whether it opens anything at the time `now`."""
        return self.revoked is None and (self.expires is None or now < self.expires)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The diagnosis of a stream after the frame `seq`, whose rows are those of `schema`."""

    run: str
    attempt: str
    worker: int
    seq: int
    schema: int
    state: bytes

    @property
    def stream(self) -> Stream:
        """The stream that it belongs to."""
        return Stream(self.run, self.attempt, self.worker)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has said of a finding, and when, in Unix seconds by the server's clock."""

    run: str
    finding: str
    state: MarkState
    time: float


class Change(msgspec.Struct, frozen=True):
    """That a run changed.

    Attributes:
        attempt: With `worker` the stream of which messages came: those from `first` to `last`.
        last: -1: none came.
        alike: The run's `last_seen` with this change, where its findings and what people say of
            them are as before it; None: they may not be.
    """

    run: str
    attempt: str = ""
    worker: int = 0
    first: int = 0
    last: int = -1
    alike: float | None = None

    @property
    def stream(self) -> Stream:
        """The stream that the messages belong to."""
        return Stream(self.run, self.attempt, self.worker)


# The largest that may enter.
MAX_STEP = 2**53


class Span(NamedTuple):
    """A part of a stream: `first <= step < end`."""

    stream: Stream
    first: int
    end: int
