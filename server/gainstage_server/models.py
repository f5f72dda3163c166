"""What the HTTP interface answers; OpenAPI shows these, and clients are generated from them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gainstage.finding import Severity
from gainstage_server.runs import Status
from gainstage_server.store.records import MarkState
from gainstage_server.workers import WorkerStatus

# null: not there, because it is masked or was not sampled; text: the value is not finite.
Number = float | Literal["NaN", "Infinity", "-Infinity"] | None


class Answer(BaseModel):
    """What all answers have in common: they hold these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """Why there is no answer: what was wrong, expected, received, and what to do."""

    detail: str


class RunSummary(Answer):
    """A run as lists show it. Times are Unix times in seconds."""

    id: str
    project: str
    tags: list[str]
    status: Status
    started: float
    ended: float | None
    last_seen: float
    step: int | None
    epoch: int | None
    frames: int = Field(description="Frames stored, of all attempts.")
    layers: int = Field(description="Rows of the newest schema.")
    verdicts: dict[str, int] = Field(description="Verdict -> rows that have it.")
    findings_open: int = Field(description="Open findings that are not muted.")
    worst_saturation: float | None
    config: dict[str, Any]
    environment: dict[str, str]
    logs: dict[str, Number]


class Runs(Answer):
    """All runs, newest first."""

    runs: list[RunSummary]


class NoticeModel(Answer):
    """Something that the person training should know."""

    time: float
    level: Literal["info", "warning", "error"]
    code: str
    text: str


class AbandonedModel(Answer):
    """Steps that an attempt did, and that are no longer part of the run."""

    from_: int = Field(alias="from", description="First step.")
    to: int = Field(description="Last step.")
    by: str = Field(description="The attempt that went on from a step before them.")


class AttemptModel(Answer):
    """One worker of one attempt at a run."""

    attempt: str
    worker: int
    started: float
    ended: float | None
    status: Literal["running", "completed", "interrupted"]
    frames: int
    thinned: int = Field(
        description="Frames that are missing, because the trainer's spool was full: of those "
        "sampled before the newest that is stored; once the attempt has ended, of all."
    )
    first_step: int | None
    last_step: int | None
    last_seen: float = Field(description="When something of it was last stored.")
    abandoned: AbandonedModel | None


class WorkerModel(Answer):
    """One of the processes that train a model together, by its newest attempt."""

    worker: int = Field(description="Its number; the chief's is 0.")
    attempt: str
    status: WorkerStatus = Field(description='"behind": by more than a few samples explain.')
    last_seen: float
    step: int | None = Field(description="Last step sampled.")
    behind: int | None = Field(description="Steps that the chief is ahead; null: not known.")


class Run(RunSummary):
    """A run in full."""

    judged: list[str] = Field(
        description="Of each row of the newest schema, empty where not judged; or nothing yet."
    )
    notices: list[NoticeModel]
    attempts: list[AttemptModel]
    workers: list[WorkerModel]


class RefusedModel(Answer):
    """A message of a trainer that was refused; null is what could not be read of it."""

    id: int
    time: float = Field(description="Unix time in seconds, by the server's clock.")
    run: str | None
    attempt: str | None
    worker: int | None
    seq: int | None
    reason: str
    size: int = Field(description="Of the message, in bytes.")
    kept: int = Field(description="How many of them are kept: its first.")


class Refused(Answer):
    """Messages that were refused and are kept apart, newest first."""

    messages: list[RefusedModel]
    since_start: int | None = Field(
        description="Refused since the server started, kept or not; null where the token is of one "
        "project, as all are counted together."
    )


class TrainingModel(Answer):
    """`wire.Training`."""

    backend: str
    keras: str
    optimizer: str
    learning_rate: Number
    momentum: Number
    weight_decay: Number
    loss: str
    batch_size: int | None
    penalty_per_example: bool


class LayerRow(Answer):
    """`wire.Row`, its verdict and its newest values."""

    id: str
    path: str
    kind: str
    call: int
    inputs: list[int]
    output_shape: list[int | None]
    kernel_shape: list[int]
    parameters: int
    trainable: bool
    fan_in: Number
    activation: str | None
    fused: bool
    unjudged: str
    arguments: dict[str, Any]
    state_fan_in: Number
    dtype: str
    verdict: str = Field(description="Empty where the row is not judged.")
    headroom_db: float | None = Field(description="Level at which its activation saturates.")
    values: dict[str, Number]


class Layers(Answer):
    """The newest frame of a run, row by row in order of data flow."""

    run: str
    step: int | None
    time: float | None
    training: TrainingModel | None
    rows: list[LayerRow]


class Bands(Answer):
    """The smallest, largest and last value of each bucket."""

    min: list[Number]
    max: list[Number]
    last: list[Number]


class Series(Answer):
    """Statistics of one row over steps; each step is the last of its bucket."""

    run: str
    row: str
    path: str
    from_: int | None = Field(alias="from", description="First step shown.")
    to: int | None = Field(description="Last step shown.")
    steps: list[int]
    times: list[float]
    downsampled: bool
    series: dict[str, Bands]


class Logs(Answer):
    """What the training logged over steps: the names of the newest frame that logged anything."""

    run: str
    steps: list[int] = Field(description="Each the last of its bucket.")
    times: list[float]
    downsampled: bool
    series: dict[str, Bands]


class Heatmap(Answer):
    """One statistic of all rows over steps; the values are [rows][steps]."""

    run: str
    statistic: str
    rows: list[str]
    steps: list[int]
    downsampled: bool
    min: list[list[Number]]
    max: list[list[Number]]
    last: list[list[Number]]


class Units(Answer):
    """One row's units over steps: the share of a unit's values that pass no gradient."""

    run: str
    row: str
    layer: str = Field(description="The row's path.")
    units: int = Field(description="Of the row; 0 where it has no unit map.")
    groups: int = Field(description="Of neighbouring units, one each where there are few.")
    steps: list[int] = Field(description="Those that have a map; each the last of its bucket.")
    downsampled: bool
    pinned: list[list[Number]] = Field(
        description="[groups][steps], means over a group; of a bucket the largest."
    )


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


class RuleModel(Answer):
    """`diagnosis.Rule`."""

    verdict: str
    title: str
    meaning: str
    threshold: str
    severity: Severity
    opens_after: int
    least_steps: int
    closes_after: int
    runbook: str = Field(description="Address of the page that says what to do.")


class Rules(Answer):
    """The rules in their order of precedence."""

    rules: list[RuleModel]
    version: int


class StatisticModel(Answer):
    """`statistics.Statistic`."""

    id: str
    title: str
    unit: str
    formula: str
    meaning: str
    version: int
    block: str = Field(description="Block of a frame that holds it.")


class Statistics(Answer):
    """The table of statistics."""

    statistics: list[StatisticModel]


class ActivationModel(Answer):
    """`activations.Activation`, and its curve."""

    name: str
    low: float | None = Field(description="Saturated below; null: never.")
    high: float | None = Field(description="Saturated above; null: never.")
    headroom: float | None
    elementwise: bool
    values: list[float] | None = Field(description="At each z; null where f mixes units.")


class Activations(Answer):
    """The table of activation functions, and the z at which their curves are given."""

    z: list[float]
    activations: list[ActivationModel]


class Health(Answer):
    """Whether the server works."""

    status: Literal["ok"]
