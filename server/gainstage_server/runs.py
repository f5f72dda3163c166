"""The current state of every run, in memory; all of it can be read from the store again."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from gainstage import wire
from gainstage.finding import Finding
from gainstage.workers import CHIEF
from gainstage_server.admission import Admitted
from gainstage_server.commit import Committed
from gainstage_server.layout import Layout
from gainstage_server.progress import is_newest
from gainstage_server.recent import Recent
from gainstage_server.store.interface import Store
from gainstage_server.store.records import AttemptRecord, Key, Mark, RunRecord, Stream

Status = Literal["live", "ended", "lost"]

# A lost run is shown for as long as someone may want to be told about it.
LOST_SHOWN_SECONDS = 24 * 3600.0

# Each holds a frame and a layout: 0.2 MB at 1,000 layers, 1.2 where no other run has the same.
_NEWEST = 1_000
# PostgreSQL takes 65,535 parameters.
_AT_ONCE = 4_096
# Streams of trainers that went: when each did is in the store, but for the last seconds of it.
_LEFT = 10_000


@dataclass(frozen=True)
class State:
    """What the store holds of a run; `record` None: nothing."""

    record: RunRecord | None
    findings: Sequence[Finding]
    marks: Mapping[str, Mark]

    @property
    def last_seen(self) -> float | None:
        """When it was last written."""
        return self.record and self.record.last_seen


@dataclass(frozen=True)
class Newest:
    """How the newest schema of a run lays out values, and the newest frame if one has come."""

    layout: Layout | None
    frame: bytes | None

    def encoded_schema(self) -> bytes | None:
        """The schema as it is sent."""
        return self.layout and wire.encode(self.layout.schema)


class Heard(NamedTuple):
    """Open findings that were not muted, and what they were made out from."""

    opened: Mapping[str, Finding]
    marks: Mapping[str, Mark]
    findings: tuple[Finding, ...]


_NO_FINDINGS: Mapping[str, Finding] = {}
_NO_MARKS: Mapping[str, Mark] = {}
_NOBODY: Counter[Stream] = Counter()


def _schema_of(run: RunRecord) -> Key:
    return Key(run.run, run.attempt, CHIEF, run.schema)


class Runs:
    """Runs, their open findings and their newest frame.

    Changed on the event loop, or while it waits for a commit, by replacing records that never
    change themselves; any thread may read.
    """

    def __init__(self, store: Store, lost_after: float) -> None:
        self._store = store
        self._lost_after = lost_after
        self._runs: dict[str, RunRecord] = {}
        self._projects: Counter[str] = Counter()
        self._open: dict[str, dict[str, Finding]] = {}
        self._marks: dict[str, Mapping[str, Mark]] = {}
        self._heard: dict[str, Heard] = {}
        self._newest: Recent[str, Newest] = Recent(_NEWEST)
        self._connections: dict[str, Counter[Stream]] = {}
        self._untold: dict[str, State] = {}
        self._left: Recent[Stream, float] = Recent(_LEFT)
        self._gone: dict[str, float] = {}  # when a trainer of the run was last here

    def load(self) -> None:
        """Read the state from the store."""
        self._runs = {record.run: record for record in self._store.runs()}
        self._projects = Counter(record.project for record in self._runs.values())
        self._open = {
            run: {finding.id: finding for finding in findings}
            for run, findings in self._store.open_findings().items()
        }
        self._marks = {}
        for mark in self._store.marks():
            self.mark(mark)

    def refresh(self, runs: Collection[str]) -> None:
        """Read runs from the store again, which another server has changed.

        Viewers are told when it is heard of, by the difference from what they know.
        """
        for run, state in self.read(runs).items():
            self._untold.setdefault(run, self._here(run))
            self.take(run, state)

    def told(self, run: str) -> State:
        """A run as its viewers know it, of its findings the open ones."""
        return self._untold.get(run) or self._here(run)

    def tell(self, run: str) -> None:
        """They are told all that is known."""
        self._untold.pop(run, None)

    @property
    def untold(self) -> Set[str]:
        """The runs of which they know less than is known here."""
        return self._untold.keys()

    def _here(self, run: str) -> State:
        return State(self.get(run), self.open_findings(run), self.marks(run))

    def read(self, runs: Collection[str]) -> dict[str, State]:
        """What the store says of each of these runs; changes nothing."""
        chosen, states = [*runs], dict[str, State]()
        for start in range(0, len(chosen), _AT_ONCE):
            states |= self._read(chosen[start : start + _AT_ONCE])
        return states

    def _read(self, runs: Collection[str]) -> dict[str, State]:
        # Findings are never older than the record, by which it is told whether they are known.
        records = {record.run: record for record in self._store.runs(runs)}
        findings = self._store.findings_among(runs)
        marks: dict[str, dict[str, Mark]] = {run: {} for run in runs}
        for mark in self._store.marks(runs):
            marks[mark.run][mark.finding] = mark
        return {run: State(records.get(run), findings.get(run, []), marks[run]) for run in runs}

    def read_records(self, runs: Collection[str]) -> dict[str, State]:
        """The same, with the findings and marks that are known here."""
        records = {record.run: record for record in self._store.runs(runs)} if runs else {}
        return {run: replace(self._here(run), record=records.get(run)) for run in runs}

    def take(self, run: str, state: State) -> None:
        """Hold what was read of a run."""
        record = state.record
        if record is None:
            self.forget(run)
            return
        if before := self._runs.get(run):
            self._projects[before.project] -= 1
        self._projects[record.project] += 1
        self._runs[run] = record
        self._open[run] = {finding.id: finding for finding in state.findings if finding.open}
        self._marks[run] = state.marks
        self._newest.drop(run)

    def __len__(self) -> int:
        return len(self._runs)

    def all(self) -> list[RunRecord]:
        """Every run, newest first."""
        # Copied in one go: another thread may be reading while a run begins.
        return sorted([*self._runs.values()], key=lambda record: -record.started)

    def unended(self) -> list[RunRecord]:
        """The runs of which no end has come, in no order."""
        return [record for record in [*self._runs.values()] if record.ended is None]

    def shown(self, now: float) -> list[RunRecord]:
        """Those whose state is told: the live ones, and those that were lost not long ago."""
        return [
            record
            for record in self.unended()
            if now - self.last_seen(record, now) <= LOST_SHOWN_SECONDS
        ]

    def get(self, run: str) -> RunRecord | None:
        """One run."""
        return self._runs.get(run)

    def count(self, project: str) -> int:
        """How many runs a project has."""
        return self._projects[project]

    def open_findings(self, run: str) -> Sequence[Finding]:
        """What is wrong with a run now."""
        return list(self._open.get(run, {}).values())

    def heard_findings(self, run: str) -> tuple[Finding, ...]:
        """What is wrong with a run now and was not muted: one object while that is the same."""
        opened, marks = self._open.get(run, _NO_FINDINGS), self._marks.get(run, _NO_MARKS)
        heard = self._heard.get(run)
        if heard is None or heard.opened is not opened or heard.marks is not marks:
            muted = {finding for finding, mark in marks.items() if mark.state == "muted"}
            found = tuple(finding for finding in opened.values() if finding.id not in muted)
            heard = self._heard[run] = Heard(opened, marks, found)
        return heard.findings

    def marks(self, run: str) -> Mapping[str, Mark]:
        """Finding -> what a person has said of it."""
        return self._marks.get(run, {})

    def mark(self, mark: Mark) -> None:
        """Take over a mark that was stored."""
        self._marks[mark.run] = {**self._marks.get(mark.run, {}), mark.finding: mark}

    def unmark(self, run: str, finding: str) -> None:
        """The finding's mark is no longer stored."""
        kept = {id: mark for id, mark in self._marks.get(run, {}).items() if id != finding}
        self._marks[run] = kept

    def forget(self, run: str) -> None:
        """Nothing of the run is stored any more."""
        if record := self._runs.get(run):
            self._projects[record.project] -= 1
        for known in (self._runs, self._open, self._marks, self._heard, self._gone):
            known.pop(run, None)
        self._newest.drop(run)

    def last_seen(self, record: RunRecord | AttemptRecord, now: float) -> float:
        """When it was heard of; a trainer that is connected is heard all the time."""
        connected = self._connections.get(record.run, _NOBODY)
        if isinstance(record, RunRecord):
            return now if connected else max(record.last_seen, self._gone.get(record.run, 0.0))
        stream = record.stream
        return now if connected[stream] else max(record.last_seen, self._left.get(stream) or 0.0)

    def status(self, record: RunRecord | AttemptRecord, now: float) -> Status:
        """Whether it goes on."""
        if record.ended is not None:
            return "ended"
        silent = now - self.last_seen(record, now)
        return "lost" if silent > self._lost_after else "live"

    def newest(self, run: str) -> Newest:
        """What a viewer of the run is shown first; reads the store unless it is in memory."""
        known, record = self._newest.get(run), self._runs.get(run)
        if known is not None or record is None:
            return known or Newest(None, None)
        return self.stored_newest(record)

    def stored_newest(self, record: RunRecord) -> Newest:
        """The same, as the store has it."""
        return Newest(self._stored_layout(record), self._store.newest_frame(_schema_of(record)))

    def layout(self, run: str) -> Layout | None:
        """The newest schema of the run; None: it has none."""
        if known := self._newest.get(run):
            return known.layout
        record = self._runs.get(run)
        return record and self._stored_layout(record)

    def _stored_layout(self, record: RunRecord) -> Layout | None:
        return Layout.read(self._store.message(_schema_of(record)))

    def newest_in_memory(self, run: str) -> Newest | None:
        """The same, if a message has come since the server started."""
        return self._newest.get(run)

    def connect(self, stream: Stream) -> None:
        """A trainer that brings this stream is connected."""
        self._connections.setdefault(stream.run, Counter())[stream] += 1

    def quiet(self, since: float) -> list[Stream]:
        """What connected trainers bring of runs that go on and were not written to since then."""
        quiet = {record.run for record in self.unended() if record.last_seen < since}
        connected = [stream for streams in [*self._connections.values()] for stream in streams]
        return [stream for stream in connected if stream.run in quiet]

    def disconnect(self, stream: Stream, now: float) -> None:
        """It is gone."""
        connected = self._connections[stream.run]
        connected[stream] -= 1
        # What is left holds no stream that nobody brings.
        connected = +connected
        if connected:
            self._connections[stream.run] = connected
        else:
            del self._connections[stream.run]
        self._left.put(stream, now)
        if stream.run in self._runs:
            self._gone[stream.run] = now

    def apply(self, committed: Committed) -> None:
        """Take over what a batch changed."""
        self._projects.update(record.project for record in committed.runs.values())
        self._projects.subtract(
            before.project for run in committed.runs if (before := self._runs.get(run))
        )
        self._runs.update(committed.runs)
        for run, findings in committed.findings.items():
            if not findings:
                continue
            open_ones = dict(self._open.get(run, {}))
            for finding in findings:
                if finding.open:
                    open_ones[finding.id] = finding
                else:
                    open_ones.pop(finding.id, None)
            self._open[run] = open_ones
        self._remember(committed.fresh)

    def _remember(self, fresh: Iterable[Admitted]) -> None:
        for item in fresh:
            message = item.message
            run = self._runs[message.run]
            if not is_newest(run, message) or item.layout is None:
                continue
            # What belongs to an older schema is not what the run shows.
            if isinstance(message, wire.Schema) and message.seq == run.schema:
                self._newest.put(run.run, Newest(item.layout, None))
            elif (
                isinstance(message, wire.Frame)
                and message.schema == run.schema
                and message.source == "probe"
            ):
                self._newest.put(run.run, Newest(item.layout, item.raw))
