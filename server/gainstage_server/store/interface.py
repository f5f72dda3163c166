"""What the server asks of a store; nothing else in the server knows SQL."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from gainstage.finding import Finding
from gainstage_server.compaction.chunk import Chunk, Part
from gainstage_server.store.records import (
    AttemptRecord,
    Backlog,
    Change,
    Checkpoint,
    ChunkRecord,
    FrameRecord,
    Key,
    Mark,
    MergedChunk,
    MessageRecord,
    RefusedRecord,
    RunRecord,
    Span,
    Stream,
    TokenRecord,
)


class StoreError(Exception):
    """The store could not do what it was asked to; its text says why."""


class Transaction(Protocol):
    """Everything of it is stored, or nothing."""

    def touch(self) -> None:
        """Write what is there already, to see whether that can be done."""
        ...

    def hold(self, seen: Mapping[str, float | None]) -> set[str]:
        """Keep other servers from writing to these runs before this is committed.

        Args:
            seen: Run -> the `last_seen` that it had when it was read; None: it was not there.

        Returns:
            The runs that other servers have written to since.
        """
        ...

    def tell(self, changes: Sequence[Change]) -> None:
        """Let the other servers know, once this is committed."""
        ...

    def new(self, keys: Iterable[Key]) -> set[Key]:
        """Those of `keys` under which nothing is stored."""
        ...

    def add(self, messages: Sequence[MessageRecord], frames: Sequence[FrameRecord]) -> None:
        """Store messages whose keys are new."""
        ...

    def put_runs(self, records: Sequence[RunRecord]) -> None:
        """Store these runs in place of what was known of them."""
        ...

    def put_attempts(self, records: Sequence[AttemptRecord]) -> None:
        """Store these attempts in place of what was known of them."""
        ...

    def put_findings(self, stream: Stream, findings: Sequence[Finding]) -> None:
        """Store findings of `stream`, each in place of the one with its id."""
        ...

    def drop_findings(self, stream: Stream) -> None:
        """Forget all findings of `stream`."""
        ...

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store the checkpoint in place of the stream's last one."""
        ...

    def put_mark(self, mark: Mark) -> None:
        """Store the mark in place of the one that the finding had."""
        ...

    def drop_mark(self, run: str, finding: str) -> None:
        """Forget the mark of a finding, if it has one."""
        ...

    def put_token(self, record: TokenRecord) -> None:
        """Store the token in place of the one with its id."""
        ...

    def put_refused(self, records: Sequence[RefusedRecord]) -> None:
        """Keep these apart, and as many of the older ones as a person may want to look at."""
        ...

    def coarsen(self, chunk: ChunkRecord, finest: int) -> None:
        """Leave only the resolutions of a chunk from `finest` frames an entry on.

        Nothing changes where the chunk is no longer what was read.
        """
        ...

    def merge(self, made: MergedChunk, *, instead_of: Sequence[ChunkRecord]) -> bool:
        """Put a chunk in place of those that became its sections, and of their rollups.

        False: some of those are no longer what was read. Then nothing has changed.
        """
        ...

    def compact(
        self, chunks: Sequence[tuple[ChunkRecord, Chunk]], *, instead_of: ChunkRecord | None
    ) -> bool:
        """Put frames into chunks of one stream, and leave of their bytes what the chunks say.

        False: some of the frames are gone, or in another chunk than the one that is replaced.
        Then nothing has changed.
        """
        ...

    def drop_run(self, run: str) -> None:
        """Forget everything of a run."""
        ...


class Past(Protocol):
    """The frames as of one instant: what is stored or compacted meanwhile changes nothing."""

    def message(self, key: Key) -> bytes | None:
        """One message other than a frame, as it came."""
        ...

    def attempts(self, run: str) -> list[AttemptRecord]:
        """The attempts at a run, oldest first."""
        ...

    def chunks(self, span: Span) -> list[ChunkRecord]:
        """The chunks of probe frames of which some may lie in `span`, by their first steps."""
        ...

    def logs(self, stream: Stream, seqs: Sequence[int]) -> Iterator[bytes]:
        """The logs of chunks of a stream, in this order."""
        ...

    def parts(
        self,
        stream: Stream,
        seqs: Sequence[int],
        factor: int,
        of: tuple[int, Sequence[int]] | None = None,
    ) -> Iterator[tuple[int, Part]]:
        """Parts of a resolution, each with its `seq`, in any order.

        Args:
            stream: Whose.
            seqs: Those that the parts stand under: of the first frame of a chunk, or of a section.
            factor: Which resolution.
            of: A block, and its groups that are wanted; None: all parts.
        """
        ...

    def headers(self, span: Span) -> Iterator[FrameRecord]:
        """The probe frames in `span` that are in no chunk, by their steps; `raw` is the header."""
        ...

    def cut(
        self, span: Span, ranges: Callable[[FrameRecord], Mapping[str, range]]
    ) -> Iterator[tuple[FrameRecord, dict[str, bytes]]]:
        """The same, and by the same names the bytes that `ranges` asks for by each header."""
        ...


class Store(Protocol):
    """Keeps everything that the server must not forget."""

    def open(self) -> None:
        """Make it ready for use; creates it where there is none.

        Raises:
            StoreError: It cannot be used, or a later release wrote it.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...

    def write(self) -> AbstractContextManager[Transaction]:
        """A transaction, committed to the disk at the end of the block.

        Raises:
            StoreError: It could not be committed, and nothing of it is stored.
        """
        ...

    def probe(self) -> None:
        """Write something.

        Raises:
            StoreError: Writing failed.
        """
        ...

    def free_bytes(self) -> int | None:
        """Space left where the store grows; None: it is on another machine, which does not tell."""
        ...

    def size_bytes(self) -> int:
        """Space that the store takes.

        Raises:
            StoreError: The store cannot be asked.
        """
        ...

    def backup(self, target: Path) -> None:
        """Write a copy of all that is stored now to the file `target`, beside writing.

        Raises:
            StoreError: There is no copy; `target` does not exist, or is what it was.
        """
        ...

    def listen(self, hear: Callable[[Sequence[Change] | None], None]) -> None:
        """Until the store is closed, call `hear` with what other servers change.

        It is called from a thread of the store's own, and with None where something may have been
        missed.
        """
        ...

    def runs(self, among: Collection[str] | None = None) -> list[RunRecord]:
        """All runs, or those of them that are there."""
        ...

    def run(self, run: str) -> RunRecord | None:
        """One run."""
        ...

    def attempts(self, run: str) -> list[AttemptRecord]:
        """The attempts at a run, oldest first."""
        ...

    def attempts_among(self, streams: Collection[Stream]) -> list[AttemptRecord]:
        """Those of these attempts that have begun."""
        ...

    def newest(self, streams: Collection[Stream]) -> dict[Stream, int]:
        """The newest seq of each stream under which something is stored; -1: there is none."""
        ...

    def messages(self, run: str, type: str, *, newest: int) -> list[bytes]:
        """A run's `newest` messages of one type as they came, oldest first."""
        ...

    def messages_of(
        self, stream: Stream, first: int = 0, last: int | None = None
    ) -> list[MessageRecord]:
        """The messages of a stream that are no frames, from `first` to `last`, in order."""
        ...

    def message(self, key: Key) -> bytes | None:
        """One message other than a frame, as it came."""
        ...

    def messages_at(self, keys: Collection[Key]) -> Iterator[tuple[Key, bytes]]:
        """Those of them that are stored, in any order."""
        ...

    def findings(self, run: str) -> list[Finding]:
        """A run's findings."""
        ...

    def findings_among(self, runs: Collection[str]) -> dict[str, list[Finding]]:
        """Those of each of these runs that has any."""
        ...

    def open_findings(self) -> dict[str, list[Finding]]:
        """Every run's open findings."""
        ...

    def marks(self, among: Collection[str] | None = None) -> list[Mark]:
        """The marks of all runs, or of these."""
        ...

    def tokens(self) -> list[TokenRecord]:
        """All tokens that were ever made, oldest first."""
        ...

    def token(self, id: str) -> TokenRecord | None:
        """One token."""
        ...

    def refused(self) -> list[RefusedRecord]:
        """What was refused and is kept apart, newest first."""
        ...

    def checkpoints(self, streams: Collection[Stream]) -> Iterator[Checkpoint]:
        """The last checkpoint of the diagnosis of each of these streams that has one."""
        ...

    def newest_frame(self, schema: Key) -> bytes | None:
        """The newest probe frame that refers to `schema`."""
        ...

    def frames_after(
        self, stream: Stream, seq: int, last: int | None = None
    ) -> Iterator[FrameRecord]:
        """The frames of a stream that come after `seq`, up to `last`, in order."""
        ...

    def frames_behind(self, newest: Mapping[Stream, int]) -> Iterator[FrameRecord]:
        """Of each stream the frames that come after a seq, in order, one stream after the other."""
        ...

    def past(self) -> AbstractContextManager[Past]:
        """What is stored now, for as long as the block lasts."""
        ...

    def alone(self, run: str) -> AbstractContextManager[bool]:
        """Whether no other server puts the run in order, and none will while the block lasts."""
        ...

    def backlogs(self, *, quiet_since: float) -> list[Backlog]:
        """What is in no chunk.

        Nothing more is expected of attempts that have ended, and of runs not heard of since then.
        """
        ...

    def detailed(self, before: Mapping[str, float], otherwise: float | None) -> ChunkRecord | None:
        """A chunk with a value for each frame, whose frames came before a time.

        Args:
            before: Project -> the time.
            otherwise: The time of all other projects; None: none of theirs.
        """
        ...

    def sizes(self) -> dict[str, int]:
        """Run -> bytes of its frames, without what holds them together."""
        ...

    def full_chunks(self) -> dict[Stream, int]:
        """How many full chunks streams have in which there may be enough to be merged."""
        ...

    def oldest(self, backlog: Backlog, *, leave: int, most: int) -> list[FrameRecord]:
        """The first `most` frames of a backlog by their steps, but for the newest `leave`."""
        ...

    def chunks_from(self, backlog: Backlog, frame: FrameRecord) -> list[ChunkRecord]:
        """Of what the backlog is of, chunks that end behind `frame`.

        The one that ends first, and all that begin before the frame.
        """
        ...

    def frames_of(self, chunk: ChunkRecord) -> list[FrameRecord]:
        """The frames of a chunk with all their bytes; none where only rollups are kept."""
        ...
