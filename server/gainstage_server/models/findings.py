"""Answers about what is wrong with a run, and what was tried for it."""

from pydantic import Field

from gainstage.finding import Severity
from gainstage.outcome import Standing
from gainstage_server.models.answer import Answer, Number
from gainstage_server.store.records import MarkState


class EvidenceModel(Answer):
    """`finding.Evidence`."""

    value: Number
    limit: Number
    unit: str
    reference: Number


class EffectModel(Answer):
    """`finding.Effect`."""

    term: str
    change: float


class AlternativeModel(Answer):
    """`finding.Alternative`."""

    name: str
    reason: str


class MarkModel(Answer):
    """What a person has said of a finding, and when."""

    state: MarkState
    time: float


class WantedMark(Answer):
    """What a person says of a finding: muted ones no longer count, and raise no alert."""

    state: MarkState


class FindingModel(Answer):
    """`finding.Finding`, and its mark."""

    id: str
    row: str
    layer: str
    verdict: str
    severity: Severity
    since_step: int
    last_step: int
    closed_step: int | None
    levels: dict[str, Number]
    evidence: dict[str, EvidenceModel]
    summary: str
    remedy: str
    code: str
    before: str = Field(description="The layer as it is, in the form of `code`.")
    effects: list[EffectModel]
    alternatives: list[AlternativeModel]
    mark: MarkModel | None


class Findings(Answer):
    """Open findings first, then the newest."""

    findings: list[FindingModel]


class ContestantModel(Answer):
    """One thing that was tried for the layer."""

    arm: str
    strength: Number = Field(description="Of an L2 penalty; null for other arms.")
    rank: int | None = Field(description="From 0; null where another strength did better.")
    standing: Standing | None = Field(
        description="What the seeds tell: best, it leads in every one of them; first, in some "
        "another does as well; few, it is first, of too few seeds to tell; alike, not told apart "
        "from the first. Null of what lies behind, and of what diverged."
    )
    outcomes: dict[str, list[list[Number]]] = Field(
        description='Column -> its course, [seeds][steps]; "NaN" where there is no such value.'
    )


class TrialModel(Answer):
    """`outcome.Trial`."""

    time: float
    layer: str
    summary: str
    metric: str = Field(description="The column that contestants are ranked by.")
    seeds: list[int]
    steps: list[int]
    interrupted: bool
    contestants: list[ContestantModel]


class Trials(Answer):
    """Newest first."""

    trials: list[TrialModel]
