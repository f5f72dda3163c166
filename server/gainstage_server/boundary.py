"""What a trainer whose token is of one project may send: nothing to the runs of other projects."""

from collections.abc import Collection, Sequence
from typing import Protocol

from gainstage import wire
from gainstage.finding import Finding
from gainstage_server.admission import Known
from gainstage_server.layout import Layout
from gainstage_server.store.records import AttemptRecord, Key, RunRecord, Stream


class KnownRuns(Protocol):
    """What is known of the runs since the last commit."""

    def __len__(self) -> int: ...

    def get(self, run: str) -> RunRecord | None:
        """One run."""
        ...

    def count(self, project: str) -> int:
        """How many runs a project has."""
        ...

    def open_findings(self, run: str) -> Sequence[Finding]:
        """What is wrong with a run."""
        ...

    def refresh(self, runs: Collection[str]) -> None:
        """Read these runs from the store again."""
        ...


class Boundary:
    """Whose each run is, in the knowledge of what a batch has claimed before it is committed."""

    def __init__(self, known: KnownRuns) -> None:
        self._known = known
        self._claimed: dict[str, set[str]] = {}

    def claim(self, start: wire.RunStart) -> None:
        """Take note of an attempt that this batch begins."""
        self._claimed.setdefault(start.run, set()).add(start.project)

    def new(self) -> set[str]:
        """The runs that this batch begins."""
        return {run for run in self._claimed if self._known.get(run) is None}

    def count(self, project: str) -> int:
        """How many runs `project` has, with those that this batch begins."""
        return self._known.count(project) + sum(project in self._claimed[run] for run in self.new())

    def forget(self) -> None:
        """The batch is over."""
        self._claimed = {}

    def owners(self, run: str) -> set[str]:
        """The projects of the run: none where there is none, several where this batch moves it."""
        known = self._known.get(run)
        return self._claimed.get(run, set()) | ({known.project} if known else set())

    def excludes(self, run: str, project: str) -> bool:
        """Whether the run exists, and not in `project` alone."""
        return not self.owners(run) <= {project}

    def objection(self, start: wire.RunStart, project: str) -> str | None:
        """Why no trainer of `project` may begin this attempt; None: it may."""
        if start.project != project:
            return (
                f"This token sends runs of project {project!r} alone. Received one of "
                f"{start.project[:256]!r}. Give LayerMonitor project={project!r}, or another token."
            )
        if self.excludes(start.run, project):
            return (
                f"The run's name {start.run!r} is taken. Expected one that no other project uses. "
                "Give LayerMonitor another `run`, or none."
            )
        return None


class Inside:
    """What has begun, as a trainer of one project may know of it: nothing of other projects."""

    def __init__(self, known: Known, boundary: Boundary, project: str) -> None:
        self._known = known
        self._boundary = boundary
        self._project = project

    def attempt(self, stream: Stream) -> AttemptRecord | None:
        """What is known of the attempt; None: it has not begun."""
        excluded = self._boundary.excludes(stream.run, self._project)
        return None if excluded else self._known.attempt(stream)

    def layout(self, key: Key) -> Layout | None:
        """The schema sent as `key`; None: there is none."""
        excluded = self._boundary.excludes(key.run, self._project)
        return None if excluded else self._known.layout(key)
