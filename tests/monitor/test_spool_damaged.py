"""Files that are no spool, or no whole one: they are refused, and left as they are."""

import sqlite3
from pathlib import Path

import pytest

from gainstage.spool_file import PAGE, EmptySpoolError, SpoolError

from .spools import Opener, fill, logged, opened, path

__all__ = ["opened", "path"]  # the fixtures


@pytest.mark.parametrize("create", [True, False])
def test_file_that_is_no_spool_is_refused_and_left_as_it_is(
    opened: Opener, path: Path, create: bool
) -> None:
    path.write_bytes(b"The notes of somebody, who happened to give them this name." * 99)
    before = path.read_bytes()

    with pytest.raises(SpoolError, match="cannot be used as a spool"):
        opened(path, create=create)

    assert path.read_bytes() == before


@pytest.mark.parametrize("create", [True, False])
def test_database_of_another_program_is_refused_and_left_as_it_is(
    opened: Opener, path: Path, create: bool
) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE messages (text)")
    database.commit()
    database.close()
    before = path.read_bytes()

    with pytest.raises(SpoolError, match="is no spool"):
        opened(path, create=create)

    assert path.read_bytes() == before


def test_spool_that_its_training_has_not_begun_is_not_taken_from_it(
    opened: Opener, path: Path
) -> None:
    path.touch()

    with pytest.raises(EmptySpoolError):
        opened(path, create=False)

    assert path.exists()
    fill(opened(path), 0, 0)


def test_spool_that_was_cut_short_is_refused_and_left_as_it_is(opened: Opener, path: Path) -> None:
    spool = opened(path)
    fill(spool, 0, 99)
    spool.close()
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)

    with pytest.raises(SpoolError, match="malformed"):
        opened(path)

    assert path.read_bytes() == half


@pytest.mark.parametrize("first", [6, 60, 100])
def test_damaged_spool_gives_what_can_be_read_before_the_damage_and_raises_nothing(
    opened: Opener, path: Path, caplog: pytest.LogCaptureFixture, first: int
) -> None:
    spool = opened(path)
    fill(spool, 0, 99)
    spool.close()
    with path.open("r+b") as file:
        file.seek(first * PAGE)
        file.write(b"\xff" * 20 * PAGE)

    damaged = opened(path)
    read = damaged.after(-1, 100)
    damaged.append(100, b"more", frame=True)
    damaged.remove(99)
    damaged.close()

    assert [seq for seq, _ in read] == list(range(len(read)))
    assert any("malformed" in text for text in logged(caplog))
    assert path.exists()
