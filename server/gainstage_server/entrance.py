"""What of a batch may enter: each message is judged in the knowledge of those before it."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from gainstage import wire
from gainstage_server import progress
from gainstage_server.admission import Admitted, admit
from gainstage_server.boundary import Boundary, Inside, KnownRuns
from gainstage_server.catalogue import Catalogue
from gainstage_server.origin import origin_of
from gainstage_server.refused import Apart
from gainstage_server.settings import Settings
from gainstage_server.store.records import Key, RefusedRecord

Outcome = Key | wire.Refuse


class Sent(NamedTuple):
    """A message as it came, and what is known of its sender.

    Its clock is so many seconds behind the server's; it may send runs of this project, or with None
    those of all.
    """

    data: bytes
    behind: float = 0.0
    project: str | None = None


class Entrance:
    """Lets messages of a batch in, and stages in the catalogue what the next ones build on."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        known: KnownRuns,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._known = known
        self._boundary = Boundary(known)
        self._apart = Apart()
        self._clock = clock

    def forget(self) -> None:
        """The batch is over, or is judged anew."""
        self._catalogue.forget()
        self._boundary.forget()

    def enter(self, batch: Sequence[Sent]) -> tuple[Sequence[Outcome], Mapping[Key, Admitted]]:
        """What becomes of each message, and what may enter."""
        self._catalogue.look_up(origin_of(sent.data) for sent in batch)
        admitted: dict[Key, Admitted] = {}
        return [self._admit(sent, admitted) for sent in batch], admitted

    def keep_apart(
        self, batch: Sequence[Sent], outcomes: Sequence[Outcome]
    ) -> Sequence[RefusedRecord]:
        """What is kept apart of what was refused."""
        refused = [
            (sent.data, outcome, sent.project)
            for sent, outcome in zip(batch, outcomes, strict=True)
            if isinstance(outcome, wire.Refuse)
        ]
        return [self._owned(it) for it in self._apart.choose(refused, self._clock())]

    def _admit(self, sent: Sent, admitted: dict[Key, Admitted]) -> Outcome:
        """Judge one message, in the knowledge of those before it in the batch."""
        project, known = sent.project, self._catalogue
        if project is not None:
            known = Inside(known, self._boundary, project)
        result = admit(sent.data, self._settings, known)
        if isinstance(result, wire.Refuse):
            return result
        result = result.later(sent.behind)
        key, message = result.key, result.message
        if isinstance(message, wire.RunStart):
            if objection := self._objection(message, project):
                code, reason = objection
                return wire.Refuse(reason=reason, seq=message.seq, code=code)
            self._boundary.claim(message)
        # What came first under this key holds: frames after a repeated schema mean the stored one.
        if admitted.setdefault(key, result) is not result:
            return key
        if isinstance(message, wire.RunStart):
            if self._catalogue.attempt(key.stream) is None:
                self._catalogue.stage_attempt(progress.begin_attempt(message, self._clock()))
        elif result.layout and isinstance(message, wire.Schema):
            self._catalogue.stage_layout(key, result.layout)
        return key

    def _owned(self, record: RefusedRecord) -> RefusedRecord:
        """Of a sender who may send to all projects, the run tells whose it is."""
        owners = self._boundary.owners(record.run)
        if record.project is not None or len(owners) != 1:
            return record
        return replace(record, project=owners.pop())

    def _objection(self, start: wire.RunStart, project: str | None) -> tuple[str, str] | None:
        """Of what kind it is that this attempt may not begin for, and why; None: it may.

        `project` is the only one of its sender.
        """
        if project is not None and (reason := self._boundary.objection(start, project)):
            return "rule", reason
        new = self._boundary.new()
        if self._known.get(start.run) is not None or start.run in new:
            return None
        limit = self._settings.runs
        if len(self._known) + len(new) >= limit:
            reason = f"This server holds at most {limit} runs. Received one more. "
            return "runs", f"{reason}Raise GAINSTAGE_RUNS."
        limit = self._settings.project_runs
        if project is not None and self._boundary.count(project) >= limit:
            reason = f"A project holds at most {limit} runs. Received one more for {project!r}. "
            return "runs", f"{reason}Delete some, or have GAINSTAGE_PROJECT_RUNS raised."
        return None
