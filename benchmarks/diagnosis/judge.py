"""What the diagnosis says of a recording, and whether that is right."""

from dataclasses import dataclass

from benchmarks.diagnosis.families import FAULTY
from benchmarks.diagnosis.record import EVERY, Recording
from gainstage import wire
from gainstage.diagnosis import State, advance, begin
from gainstage.finding import Finding

HEALTHY = "healthy"


@dataclass(frozen=True)
class Judgement:
    """What was found in one training.

    Attributes:
        events: Findings in the order in which they opened.
        open: Those that are open at the end.
    """

    events: tuple[Finding, ...]
    open: tuple[Finding, ...]

    @property
    def first(self) -> Finding | None:
        """The first finding that is more than information."""
        return next((one for one in self.events if one.severity != "info"), None)

    @property
    def verdict(self) -> str:
        """Its verdict."""
        return HEALTHY if self.first is None else self.first.verdict

    @property
    def path(self) -> list[str]:
        """Names of what it is about, the layer and what holds it or is a part of it."""
        return [] if self.first is None else self.first.layer.split("/")

    @property
    def layer(self) -> str:
        """The last of them."""
        return "".join(self.path[-1:])

    @property
    def grace(self) -> int | None:
        """Samples before the first with the symptom."""
        return None if self.first is None else self.first.since_step // EVERY

    @property
    def samples(self) -> int | None:
        """Samples from the first with the symptom to the one at which it became a finding."""
        first = self.first
        return None if first is None else (first.last_step - first.since_step) // EVERY


def judge(recording: Recording) -> Judgement:
    """The diagnosis, run over the frames of `recording`."""
    state: State | None = None
    events: list[Finding] = []
    for message, blocks in recording.frames():
        if isinstance(message, wire.Schema):
            state = begin(message)
        elif isinstance(message, wire.Frame) and state is not None:
            state, changed = advance(state, message, blocks)
            events += [one for one in changed if one.open]
    still = () if state is None else tuple(one for one in state.findings if one.open)
    return Judgement(tuple(events), still)


def right(judgement: Judgement, verdict: str, layers: frozenset[str]) -> bool:
    """Whether `verdict` was found, of the layer at fault where one of the model's is."""
    accused = FAULTY not in layers or FAULTY in judgement.path
    return judgement.verdict == verdict and (verdict == HEALTHY or accused)
