"""The workers of a run side by side: how far each has come, and whether one stays behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gainstage.workers import BESIDE, CHIEF
from gainstage_server.runs import Runs
from gainstage_server.store.records import AttemptRecord

WorkerStatus = Literal["live", "behind", "lost", "ended"]

# Each worker samples at steps of its own, and `every="auto"` moves them: a difference of a few
# samples is no delay.
SAMPLES_APART = 4


@dataclass(frozen=True)
class Worker:
    """One of the processes that train together.

    Attributes:
        newest: Its newest attempt.
        last_seen: When it was heard of, in Unix seconds by the server's clock.
        behind: Steps that the chief is ahead of it; None where one of them has sampled nothing.
    """

    newest: AttemptRecord
    status: WorkerStatus
    last_seen: float
    behind: int | None


def workers(attempts: Sequence[AttemptRecord], runs: Runs, now: float) -> list[Worker]:
    """The workers of a run in order of their numbers; `attempts` are all of it, oldest first."""
    newest = {one.worker: one for one in attempts if one.worker != BESIDE}
    chief = newest.get(CHIEF)
    found: list[Worker] = []
    for _, one in sorted(newest.items()):
        behind = _behind(one, chief)
        status: WorkerStatus = runs.status(one, now)
        if status == "live" and chief is not None and behind is not None:
            apart = max(_apart(one), _apart(chief))
            if apart and behind > SAMPLES_APART * apart:
                status = "behind"
        found.append(Worker(one, status, runs.last_seen(one, now), behind))
    return found


def _behind(one: AttemptRecord, chief: AttemptRecord | None) -> int | None:
    if chief is None or chief.last_step is None or one.last_step is None:
        return None
    return chief.last_step - one.last_step


def _apart(one: AttemptRecord) -> float:
    """Steps between two of its samples, on average; 0 where there are no two."""
    if one.first_step is None or one.last_step is None or one.frames < 2:
        return 0.0
    return (one.last_step - one.first_step) / (one.frames - 1)
