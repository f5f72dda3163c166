"""`gainstage backup`: a copy that can be opened, made while the store is written to."""

import threading
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gainstage.cli import app
from gainstage_server.store.interface import StoreError
from gainstage_server.store.postgresql import PostgreSQLStore
from gainstage_server.store.records import Stream
from gainstage_server.store.sqlite import SQLiteStore

from .stored import add, frame

STREAM = Stream("run", "a1", 0)


def backup(*words: object) -> Result:
    return CliRunner().invoke(app, ["backup", *map(str, words)])


def test_copy_holds_what_was_stored_at_one_instant_while_others_write(tmp_path: Path) -> None:
    source, copy = SQLiteStore(tmp_path / "source.db"), SQLiteStore(tmp_path / "copy.db")
    source.open()
    for seq in range(50):
        add(source, frame(seq, raw=bytes(20_000)))
    stop = threading.Event()

    def write() -> None:
        seq = 50
        while not stop.is_set():
            add(source, frame(seq), frame(seq + 1))
            seq += 2

    writer = threading.Thread(target=write)
    writer.start()
    try:
        result = backup(tmp_path / "copy.db", "--database", tmp_path / "source.db")
    finally:
        stop.set()
        writer.join()
    copy.open()
    copied = [record.seq for record in copy.frames_after(STREAM, -1)]
    written = len([*source.frames_after(STREAM, -1)])
    copy.close()
    source.close()

    assert result.exit_code == 0
    assert copied == list(range(len(copied)))
    assert 50 <= len(copied) < written
    assert len(copied) % 2 == 0  # both of a transaction, or neither
    assert not list(tmp_path.glob("*.part"))


def test_file_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("mine")

    result = backup(there, "--database", tmp_path / "source.db")

    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert there.read_text() == "mine"


def test_store_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    result = backup(tmp_path / "copy.db", "--database", tmp_path / "nothing.db")

    assert result.exit_code == 2
    assert result.stderr.startswith(f"There is no {tmp_path / 'nothing.db'} to copy.")
    assert not list(tmp_path.iterdir())


def test_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    source = SQLiteStore(tmp_path / "source.db")
    source.open()
    source.close()

    result = backup(tmp_path / "no" / "copy.db", "--database", tmp_path / "source.db")

    assert result.exit_code == 2
    assert "was not copied to" in result.stderr


def test_postgresql_is_left_to_its_own_tools_and_its_password_unsaid(tmp_path: Path) -> None:
    store = PostgreSQLStore("postgresql://me:secret@127.0.0.1:1/gainstage")

    with pytest.raises(StoreError, match="pg_dump") as told:
        store.backup(tmp_path / "copy.db")

    assert "secret" not in str(told.value)
