"""What the other tests rely on trips where it should."""

import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .journal import exactly_once
from .plans import Plan
from .processes import Server, trainer

# What is done to a store that holds all, and what must then not pass.
DAMAGES = {
    "a frame is lost": "DELETE FROM frames WHERE seq = 9",
    "the run's start is lost": "DELETE FROM messages WHERE type = 'run_start'",
    "a frame is altered": "UPDATE frames SET raw = zeroblob(8) WHERE seq = 9",
    "a frame is another's": "UPDATE frames SET raw = (SELECT raw FROM frames WHERE seq = 8) "
    "WHERE seq = 9",
    "a frame is there twice": "INSERT INTO frames SELECT run, attempt, worker, 99, schema, source, "
    "step, time, raw, chunk FROM frames WHERE seq = 9",
    "an attempt counts too many": "UPDATE attempts SET frames = frames + 1",
    "a run counts too few": "UPDATE runs SET frames = frames - 1",
    "frames count as thinned that are not": "UPDATE attempts SET thinned = 1",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The journal and the store of a training that went well."""
    folder = tmp_path_factory.mktemp("whole")
    with Server(folder / "server") as server:
        server.start()
        plan = Plan(url=server.url, folder=folder / "spool", journal=folder / "journal")
        with trainer(plan) as training:
            training.succeeds()
        server.process.signal(signal.SIGTERM)
        server.process.wait()
    assert exactly_once(plan.journal, server.database).frames == plan.frames
    return plan.journal, server.database


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed(damage: str, whole: tuple[Path, Path], tmp_path: Path) -> None:
    journal, database = whole
    copy = Path(shutil.copy(database, tmp_path))
    with closing(sqlite3.connect(copy, isolation_level=None)) as store:
        assert store.execute(DAMAGES[damage]).rowcount > 0

    with pytest.raises(AssertionError):
        exactly_once(journal, copy)


def test_frame_that_was_never_appended_is_noticed(whole: tuple[Path, Path], tmp_path: Path) -> None:
    journal, database = whole
    shorter = tmp_path / "journal"
    lines = [line for line in journal.read_text().splitlines() if " 9 frame " not in line]
    shorter.write_text("\n".join(lines))

    with pytest.raises(AssertionError):
        exactly_once(shorter, database)
