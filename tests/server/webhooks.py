"""A webhook over runs that a test changes, and what its receiver was told."""

from collections.abc import Iterator

import pytest
from tests.receiver import Receiver, receiving

from gainstage.finding import Finding
from gainstage_server.commit import Committed
from gainstage_server.counters import Counters
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store.records import RunRecord
from gainstage_server.store.sqlite import SQLiteStore
from gainstage_server.webhook import Webhook

NOW, LOST_AFTER = 1_000.0, 60.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as it:
        yield it


@pytest.fixture
def runs(store: SQLiteStore) -> Runs:
    return Runs(store, LOST_AFTER)


def webhook(runs: Runs, receiver: Receiver, **settings: object) -> Webhook:
    """One that looks when it is told to."""
    return Webhook(Settings(webhook_url=receiver.url, **settings), runs, Counters())


def finding(layer: str = "hidden", verdict: str = "dead", **changes: object) -> Finding:
    fields = {"severity": "warning", "since_step": 0, "last_step": 1, "summary": f"{layer} has it."}
    return Finding(
        id=f"{layer}/{verdict}", row=layer, layer=layer, verdict=verdict, **fields | changes
    )


def changed(runs: Runs, *findings: Finding, run: str = "r", **changes: object) -> None:
    """A run after a batch in which these findings changed."""
    fields = {"project": "p", "started": 0.0, "attempt": "a", "attempt_started": 0.0}
    of_run = {"tags": (), "config": {}, "environment": {}, "last_seen": NOW, "last_frame": NOW - 10}
    record = RunRecord(run=run, **fields | of_run | changes)
    runs.apply(Committed((), (), {run: record}, {run: findings}))


def messages(receiver: Receiver) -> list[dict[str, str]]:
    """Alert or layer -> status, of each message so far."""
    found = []
    while not receiver.told.empty():
        message = receiver.told.get().message
        found.append(
            {
                one["labels"].get("layer", one["labels"]["alertname"]): one["status"]
                for one in message["alerts"]
            }
        )
    return found
