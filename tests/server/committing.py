"""A fixture that stores messages as the server does, without one."""

from collections.abc import Callable

import pytest

from gainstage import wire
from gainstage_server.commit import Committer
from gainstage_server.entrance import Sent
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store

from .fold import NoFold

Commit = Callable[..., None]


@pytest.fixture
def commit(store: Store) -> Commit:
    runs = Runs(store, 60.0)
    committer = Committer(Settings(disk_floor=0), store, NoFold(), runs)

    def commit(*messages: bytes) -> None:
        committed = committer.commit([Sent(message) for message in messages])
        assert not any(isinstance(outcome, wire.Refuse) for outcome in committed.outcomes)
        runs.apply(committed)

    return commit
