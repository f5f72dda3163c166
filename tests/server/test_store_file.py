"""The store's file: its log is moved into it beside the commits, and stays bounded."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks.machine import resident_mib
from sqlalchemy import event

from gainstage_server.compaction.chunk import FRAMES
from gainstage_server.store import file
from gainstage_server.store.interface import StoreError
from gainstage_server.store.records import Backlog, FrameRecord, Span, Stream
from gainstage_server.store.sqlite import SQLiteStore

from .committing import Commit, commit
from .compacting import compact
from .stored import add, frame, framed
from .trainer import Trainer

__all__ = ["commit"]  # the fixture


def test_every_commit_waits_for_the_disk(store: SQLiteStore) -> None:
    with store._writer.connect() as connection:
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()

    assert (synchronous, journal) == (2, "wal")


def test_deleting_a_run_does_not_write_it_once_more(store: SQLiteStore, tmp_path: Path) -> None:
    size = 8 * 2**20
    add(store, *(frame(seq, raw=bytes(size // 8)) for seq in range(8)))
    store.close()  # which moves the log into the file

    with store.write() as transaction:
        transaction.drop_run("run")

    assert (tmp_path / "gainstage.db").stat().st_size > size
    assert (tmp_path / "gainstage.db-wal").stat().st_size < size / 20


def test_frames_in_a_chunk_take_no_page_each(store: SQLiteStore, commit: Commit) -> None:
    def pages() -> int:
        with store._reader.connect() as connection:
            asked = (f"PRAGMA {it}_count" for it in ("page", "freelist"))
            every, free = (connection.exec_driver_sql(one).scalar_one() for one in asked)
            return every - free

    trainer, empty = Trainer(rows=1_000), pages()
    opening = trainer.opening()
    commit(*opening, *(trainer.frame(step) for step in range(FRAMES + 1)), trainer.run_end())
    assert pages() - empty > FRAMES

    assert compact(store) == 1

    assert pages() - empty < FRAMES / 2


def test_log_is_moved_into_the_file_beside_the_commits(store: SQLiteStore, tmp_path: Path) -> None:
    size = file._MOVED_BYTES
    add(store, frame(0, raw=bytes(size)))
    store._log.wait()

    assert (tmp_path / "gainstage.db").stat().st_size > size


def test_what_was_written_is_not_held_in_memory(store: SQLiteStore) -> None:
    size, most = 2**18, 32
    before = resident_mib(os.getpid())

    for count in range(1, most + 1):  # whatever the number of rows in a statement
        add(store, *(frame(1_000 * count + seq, raw=os.urandom(size)) for seq in range(count)))

    written_mib = size * most * (most + 1) / 2 / 2**20
    assert resident_mib(os.getpid()) - before < written_mib / 3


def test_log_gives_back_its_room_when_a_transaction_fails(
    store: SQLiteStore, tmp_path: Path
) -> None:
    size = file._MOVED_BYTES // 2
    add(store, frame(0, raw=bytes(size)))
    assert (tmp_path / "gainstage.db").stat().st_size < size

    with pytest.raises(StoreError), store.write() as transaction:
        transaction.add([], [frame(1, raw=None)])
    add(store, frame(1, raw=bytes(size)))

    assert (tmp_path / "gainstage.db").stat().st_size > size
    assert (tmp_path / "gainstage.db-wal").stat().st_size < 2 * size


def test_log_of_a_store_that_never_rests_begins_anew_in_the_room_that_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(file, "_LOG_BYTES", 2**20)
    store = SQLiteStore(tmp_path / "busy.db")
    store.open()
    sizes: list[int] = []
    for seq in range(64):
        add(store, frame(seq, raw=bytes(2**18)))
        sizes.append((tmp_path / "busy.db-wal").stat().st_size)

    store.close()
    assert max(sizes) < 2**23
    assert min(sizes[8:]) >= 2**20


def test_log_that_a_reader_holds_is_emptied_once_it_lets_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(file, "_MOVED_BYTES", 2**20)
    monkeypatch.setattr(file, "_LOG_BYTES", 2**20)
    store, path = SQLiteStore(tmp_path / "read.db"), tmp_path / "read.db-wal"
    store.open()
    add(store, frame(0))
    with closing(sqlite3.connect(tmp_path / "read.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM frames").fetchone()
        for seq in range(1, 16):
            add(store, frame(seq, raw=bytes(2**20)))
            store._log.wait()
        held = path.stat().st_size
    for seq in range(16, 19):
        add(store, frame(seq, raw=bytes(2**20)))
        store._log.wait()

    let_go = path.stat().st_size
    store.close()
    assert held > 14 * 2**20
    assert let_go < 4 * 2**20


def test_frames_of_a_transaction_are_written_by_one_statement_that_returns_nothing(
    store: SQLiteStore,
) -> None:
    seen: list[str] = []

    @event.listens_for(store._writer, "before_cursor_execute")
    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO frames"):
            seen.append(statement)

    add(store, *map(frame, range(100)))

    assert [statement.count("?") for statement in seen] == [100 * len(FrameRecord._fields)]
    assert "RETURNING" not in seen[0]


def test_asking_whether_anything_can_be_written_does_not_fill_the_disk(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(file, "_MOVED_BYTES", 2**20)
    monkeypatch.setattr(file, "_LOG_BYTES", 2**20)
    for _ in range(1_000):
        store.probe()
    store._log.wait()

    assert (tmp_path / "gainstage.db-wal").stat().st_size < 4 * 2**20


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("This is not the database that you are looking for.")
    opened = SQLiteStore(tmp_path / "notes.db")

    with pytest.raises(StoreError, match=r"notes\.db cannot be opened"):
        opened.open()

    opened.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    opened = SQLiteStore(tmp_path / "file" / "gainstage.db")

    with pytest.raises(StoreError, match="GAINSTAGE_DATABASE"):
        opened.open()

    opened.close()


def test_probing_writes_and_says_when_it_cannot(store: SQLiteStore, tmp_path: Path) -> None:
    store.probe()

    with store._writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match=r"gainstage\.db"):
        store.probe()


def test_what_is_looked_for_again_and_again_is_found_by_an_index(store: SQLiteStore) -> None:
    add(store, framed(1), framed(2))
    asked: list[tuple[str, object]] = []

    def on_execute(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(store._reader, "before_cursor_execute", on_execute)
    with store.past() as past:
        list(past.headers(Span(Stream("run", "a1", 0), 0, 9)))
    store.detailed({"p": 1.0}, 2.0)
    store.detailed({}, 2.0)
    store.full_chunks()
    list(store.frames_behind({Stream("run", "a1", 0): 3}))
    store.oldest(Backlog("run", "a1", 0, 1, "probe", 2, quiet=False), leave=1, most=9)

    with store._reader.begin() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            for statement, parameters in asked
            if statement.startswith("SELECT")
        ]
    used = [[step[3].split(" (")[0] for step in plan] for plan in plans]
    # Of frames not even the row, in which a column behind 160 kB of others is slow to reach.
    assert used[0] == ["SEARCH frames USING COVERING INDEX frames_waiting"]
    # Nor are they sorted, which would have all of them read before the first one is there.
    *_, behind, _, oldest = used
    assert [len(behind), len(oldest)] == [1, 1]
    assert behind[0].startswith("SEARCH frames USING")
    assert oldest[0] == "SEARCH frames USING INDEX frames_waiting"
    for plan in used[1:3]:
        assert plan[0].startswith("SCAN runs")
        assert plan[-1] == "SEARCH chunks USING INDEX chunks_detailed"
    assert used[3] == ["SCAN chunks USING COVERING INDEX chunks_full"]
    assert len(used) == 7
