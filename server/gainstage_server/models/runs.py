"""Answers about runs, their attempts and workers, and what of them was refused."""

from typing import Any, Literal

from pydantic import Field

from gainstage_server.models.answer import Answer, Number
from gainstage_server.runs import Status
from gainstage_server.workers import WorkerStatus


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
    status: Literal["running", "completed", "interrupted"] = Field(
        description='What its trainer said of it; "running": not that it ended.'
    )
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
