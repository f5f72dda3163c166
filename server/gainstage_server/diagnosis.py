"""Runs the diagnosis over frames as they are stored, and keeps its state across restarts."""

import heapq
import logging
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

from msgspec.structs import replace

from gainstage import wire
from gainstage.finding import Finding
from gainstage_server.admission import Blocks
from gainstage_server.catalogue import Catalogue
from gainstage_server.recent import Recent
from gainstage_server.store.interface import Store, Transaction
from gainstage_server.store.records import (
    Checkpoint,
    FrameRecord,
    Key,
    MessageRecord,
    Stream,
)

log = logging.getLogger("gainstage.server")

# Restoring replays at most this many frames; a checkpoint holds windows over every unit, and
# writing it with each frame would multiply what is written.
FRAMES_BETWEEN_CHECKPOINTS = 8
_COURSES = 2_000  # runs diagnosed at a time; the others are restored when they go on
_MODELS = 64


class State(Protocol):
    """What the fold has made of the frames so far."""

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One name for each row; "" where it is not judged."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """Open ones first."""
        ...


class Fold(Protocol):
    """The diagnosis: `gainstage.diagnosis`."""

    def begin(self, schema: wire.Schema, like: Any) -> Any:
        """The state before the first frame of `schema`; `like`: one of the same rows, or None."""
        ...

    def advance(
        self, state: Any, frame: wire.Frame, blocks: Blocks
    ) -> tuple[Any, Sequence[Finding]]:
        """The state after `frame`, and the findings that opened, changed or closed."""
        ...

    def dump_state(self, state: Any) -> bytes:
        """The state as bytes, without the schema."""
        ...

    def load_state(self, data: bytes, schema: wire.Schema, like: Any) -> Any:
        """The state in `data`, of that schema; ValueError: it comes from other rules."""
        ...


Sample = tuple[wire.Frame, Blocks]


@dataclass
class _Course:
    """A stream's fold so far."""

    state: Any = None
    schema: int = -1
    seq: int = -1
    since_checkpoint: int = 0


@dataclass
class Judgement:
    """What some frames of a stream changed.

    Attributes:
        findings: Those that opened, changed or closed, by id.
        verdicts: Of the rows of `schema`.
        anew: Whether nothing that was stored of the stream's diagnosis holds any more.
        checkpoint: To continue from, where one is due.
        failure: What to tell where the rules failed, and nothing was judged.
    """

    stream: Stream
    findings: dict[str, Finding] = field(default_factory=dict)
    verdicts: tuple[str, ...] = ()
    schema: int = -1
    anew: bool = False
    checkpoint: Checkpoint | None = None
    failure: MessageRecord | None = None

    def store(self, transaction: Transaction) -> None:
        """Store it with the frames."""
        if self.anew:
            transaction.drop_findings(self.stream)
        transaction.put_findings(self.stream, list(self.findings.values()))
        if self.checkpoint is not None:
            transaction.put_checkpoint(self.checkpoint)
        if self.failure is not None:
            transaction.add([self.failure], [])


class _RulesError(Exception):
    """A fault in a rule, which must not keep frames from being stored."""


def _call(rule: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return rule(*arguments)
    except Exception as error:
        raise _RulesError(f"{type(error).__name__}: {error}") from error


def _notice(frame: wire.Frame, failure: _RulesError) -> MessageRecord:
    key = Key(frame.run, frame.attempt, frame.worker, frame.seq)
    notice = wire.Notice(
        **key._asdict(),
        time=frame.time,
        level="error",
        code="diagnosis-failed",
        text=f"The server could not diagnose this attempt ({failure}). Its frames are stored; "
        "the server's log holds the details. Please report them.",
    )
    return MessageRecord(*key, "notice", notice.time, wire.encode(notice))


def _by_seq(sample: Sample) -> int:
    return sample[0].seq


def _sample(record: FrameRecord) -> Sample:
    frame, blocks = wire.decode(record.raw)
    if not isinstance(frame, wire.Frame):
        raise LookupError(f"{record[:4]} is stored among the frames, and is none.")
    return frame, blocks


class Diagnosis:
    """Folds each stream's frames in order of `seq`, whatever order they were stored in.

    Not shared between threads: the one that commits calls it.
    """

    def __init__(self, store: Store, catalogue: Catalogue, fold: Fold) -> None:
        self._store = store
        self._catalogue = catalogue
        self._fold = fold
        self._courses: Recent[Stream, _Course] = Recent(_COURSES)
        self._failed: Recent[Stream, bool] = Recent(_COURSES)
        # A state of each model, by its rows: the catalogue holds those of equal layers once.
        self._models: Recent[int, Any] = Recent(_MODELS)

    def judge(
        self,
        fresh: Mapping[Stream, Sequence[Sample]],
        open_findings: Callable[[str], Sequence[Finding]],
    ) -> list[Judgement]:
        """What the `fresh` frames of each stream, in order of `seq`, change.

        `open_findings` tells those of a run; the ones that an earlier attempt left open close with
        the first frame of this one. Streams on which the rules have failed before are left out.
        """
        wanted = {stream: it for stream, it in fresh.items() if not self._failed.get(stream)}
        firsts = {stream: it[0][0].seq for stream, it in wanted.items()}
        known = {stream: course for stream in firsts if (course := self._courses.get(stream))}
        going_on = {it: course for it, course in known.items() if course.seq <= firsts[it]}
        behind = self._restored({it: firsts[it] for it in firsts.keys() - going_on})
        stored = self._store.frames_behind({it: course.seq for it, course in behind.items()})
        judgements: list[Judgement] = []
        for stream, records in groupby(stored, lambda record: record.stream):
            course, samples = behind.pop(stream), map(_sample, records)
            judgements.append(self._judge(stream, course, samples, wanted[stream], open_findings))
        for stream, course in (going_on | behind).items():
            judgements.append(self._judge(stream, course, (), wanted[stream], open_findings))
        return judgements

    def forget(self, streams: Sequence[Stream]) -> None:
        """Nothing folded since the last commit holds: go back to what is stored."""
        for stream in streams:
            self._courses.drop(stream)
            self._failed.drop(stream)

    def end(self, stream: Stream) -> None:
        """It is over; for what comes late, its fold is restored."""
        self._courses.drop(stream)

    def forget_runs(self, runs: Container[str]) -> None:
        """What is stored of these runs is not what it was."""
        for known in (self._courses, self._failed):
            known.drop_where(lambda stream: stream.run in runs)

    def _judge(
        self,
        stream: Stream,
        course: _Course,
        stored: Iterable[Sample],
        fresh: Sequence[Sample],
        open_findings: Callable[[str], Sequence[Finding]],
    ) -> Judgement:
        """What `fresh` frames change, and `stored` ones that come after the fold so far."""
        judgement = Judgement(stream)
        self._courses.put(stream, course)
        try:
            if course.seq < 0:
                judgement.anew = True
                self._close(judgement, open_findings(stream.run), fresh[0][0])
            for frame, blocks in heapq.merge(stored, fresh, key=_by_seq):
                self._step(course, stream, frame, blocks, judgement)
            if judgement.findings or course.since_checkpoint >= FRAMES_BETWEEN_CHECKPOINTS:
                state = _call(self._fold.dump_state, course.state)
                judgement.checkpoint = Checkpoint(
                    **stream._asdict(), seq=course.seq, schema=course.schema, state=state
                )
                course.since_checkpoint = 0
        except _RulesError as failure:
            log.exception("The rules failed on %s; its frames are stored without them.", stream)
            self._failed.put(stream, True)
            self._courses.drop(stream)
            return Judgement(stream, failure=_notice(fresh[0][0], failure))
        judgement.verdicts, judgement.schema = course.state.verdicts, course.schema
        return judgement

    def _schema(self, stream: Stream, seq: int) -> wire.Schema:
        layout = self._catalogue.layout(Key(*stream, seq))
        if layout is None:
            raise LookupError(f"Schema {seq} of {stream} is not stored.")
        return layout.schema

    def _made(self, schema: wire.Schema, make: Callable[[Any], Any]) -> Any:
        """What `make` makes of a state of the same rows, or of None where there is none yet."""
        state = make(self._models.get(id(schema.rows)))
        self._models.put(id(schema.rows), state)
        return state

    def _restored(self, before: Mapping[Stream, int]) -> dict[Stream, _Course]:
        """Each stream's fold by its checkpoint; its begin, where that has passed `before`."""
        restored = {stream: _Course() for stream in before}
        for checkpoint in self._store.checkpoints(before):
            within = checkpoint.seq <= before[checkpoint.stream]
            if within and (course := self._continued(checkpoint)):
                restored[checkpoint.stream] = course
        return restored

    def _continued(self, checkpoint: Checkpoint) -> _Course | None:
        """The fold that was stored; None: it is of other rules."""
        schema = self._schema(checkpoint.stream, checkpoint.schema)
        try:
            state = self._made(
                schema, lambda like: self._fold.load_state(checkpoint.state, schema, like)
            )
        except ValueError as error:
            log.info("Diagnosing %s anew from its frames: %s", checkpoint.stream, error)
            return None
        return _Course(state, checkpoint.schema, checkpoint.seq)

    def _step(
        self,
        course: _Course,
        stream: Stream,
        frame: wire.Frame,
        blocks: Blocks,
        judgement: Judgement,
    ) -> None:
        if course.schema != frame.schema:
            schema = self._schema(stream, frame.schema)
            if course.state is not None:
                self._close(judgement, course.state.findings, frame)
            course.state = self._made(schema, lambda like: _call(self._fold.begin, schema, like))
            course.schema = frame.schema
        course.state, events = _call(self._fold.advance, course.state, frame, blocks)
        course.seq = frame.seq
        course.since_checkpoint += 1
        for finding in events:
            judgement.findings[finding.id] = finding

    @staticmethod
    def _close(judgement: Judgement, findings: Sequence[Finding], frame: wire.Frame) -> None:
        """What other rows or an earlier attempt showed is over; what holds still, opens again."""
        for finding in findings:
            if finding.open:
                judgement.findings[finding.id] = replace(finding, closed_step=frame.step)
