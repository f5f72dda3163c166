"""What is wrong in a store is noticed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.server.fold import NoFold

from gainstage_server.commit import Committer
from gainstage_server.compaction.compactor import Compactor
from gainstage_server.entrance import Sent
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store import store_at

from .load.messages import Waiting
from .load.stored import Stored
from .load.trainers import Ran

LAYERS, FRAMES = 3, 5
RAN = Ran("run", FRAMES, ended=True)


class Checked:
    """A run in a store, all but its newest frame in a chunk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store = store_at(str(path))
        self._store.open()
        settings = Settings(disk_floor=0)
        waiting = Waiting(RAN.run, LAYERS)
        for _ in range(FRAMES):
            waiting.sample()
        waiting.end()
        committer = Committer(settings, self._store, NoFold(), Runs(self._store, 60.0))
        committer.commit([Sent(body) for _, body in waiting.after(-1, 100)])
        assert Compactor(settings, self._store).step()

    def lost(self, ran: Ran = RAN) -> int:
        stored = Stored(self._store, LAYERS)
        stored.check(ran, whole=True)
        assert stored.compacted[ran.run] == FRAMES - 1
        return stored.lost

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self._path)) as database, database:
            assert database.execute(statement).rowcount == 1

    def close(self) -> None:
        self._store.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Checked]:
    with closing(Checked(tmp_path / "store.db")) as it:
        yield it


def test_run_that_is_stored_once_has_lost_nothing(run: Checked) -> None:
    assert run.lost() == 0


def test_frame_that_is_missing_is_noticed(run: Checked) -> None:
    assert run.lost(Ran(RAN.run, FRAMES + 1, ended=True)) > 0


def test_end_that_is_missing_is_noticed(run: Checked) -> None:
    run.change("DELETE FROM messages WHERE type = 'run_end'")

    assert run.lost() == 1


def test_frame_in_a_chunk_and_beside_it_is_noticed(run: Checked) -> None:
    run.change("UPDATE frames SET chunk = NULL WHERE seq = 3")

    assert run.lost() > 0


def test_frame_other_than_it_was_sent_is_noticed(run: Checked) -> None:
    other = "CAST(substr(raw, 1, length(raw) - 64) || zeroblob(64) AS BLOB)"
    run.change(f"UPDATE frames SET raw = {other} WHERE seq = 6")

    assert run.lost() == 1
