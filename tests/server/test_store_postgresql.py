"""What is PostgreSQL's own about a store in it."""

import threading
from collections.abc import Iterator

import numpy as np
import psycopg
import pytest

from gainstage import wire
from gainstage_server.settings import Settings
from gainstage_server.store import store_at
from gainstage_server.store.interface import StoreError
from gainstage_server.store.postgresql import PostgreSQLStore
from gainstage_server.store.records import Key, Span, Stream

from .conftest import running
from .stored import add, frame

STREAM = Stream("run", "a1", 0)


@pytest.fixture
def backend() -> str:
    return "postgresql"


@pytest.fixture
def other(store: PostgreSQLStore, database: str) -> Iterator[PostgreSQLStore]:
    """The same database, as another server opens it."""
    opened = store_at(database)
    opened.open()
    yield opened
    opened.close()


def counted(store: PostgreSQLStore, what: str, view: str) -> int:
    """What PostgreSQL has counted of the table of frames until now."""
    with store._reader.begin() as connection:
        connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    with store._reader.begin() as connection:
        asked = f"SELECT {what} FROM {view} WHERE relname = 'frames'"
        return connection.exec_driver_sql(asked).scalar_one()


def test_every_commit_waits_for_the_disk_whatever_the_database_is_told(
    store: PostgreSQLStore, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store.close()  # what is connected keeps its settings

    with store._writer.connect() as connection:
        shown = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()

    assert shown == "on"


def test_what_is_wanted_of_a_frame_is_read_without_the_rest(store: PostgreSQLStore) -> None:
    header = wire.Frame(run="run", attempt="a1", seq=2, time=0.0, schema=1, step=0)
    raw = wire.encode(header, {"layers": np.zeros((1_000, 40), np.float32)})
    add(store, frame(2, raw=raw))

    def blocks_read() -> int:
        return counted(store, "toast_blks_read + toast_blks_hit", "pg_statio_user_tables")

    read = [blocks_read()]
    with store.past() as past:
        (found,) = past.headers(Span(STREAM, 0, 1))
    read.append(blocks_read())
    with store.past() as past:
        list(past.cut(Span(STREAM, 0, 1), lambda _: {"row": range(100_000, 100_160)}))
    read.append(blocks_read())
    list(store.frames_after(STREAM, 0))
    read.append(blocks_read())

    assert found.raw == raw[: wire.header_end(raw)]
    for_header, for_row, for_frame = np.diff(read)
    assert for_header < 5
    assert for_row < 10
    # All 160 kB of zeros, as they are: 20 pages of 8 KiB.
    assert for_frame >= 20


def test_what_is_wanted_of_a_few_frames_reads_no_others(store: PostgreSQLStore) -> None:
    header = wire.Frame(run="run", attempt="a1", seq=2, time=0.0, schema=1, step=0)
    raw = wire.encode(header, {"layers": np.zeros((2, 2), np.float32)})
    add(store, *(frame(seq, seq, raw=raw) for seq in range(1_000)))

    def rows_read() -> int:
        return counted(store, "seq_tup_read + idx_tup_fetch", "pg_stat_user_tables")

    before = rows_read()
    with store.past() as past:
        cut = list(past.cut(Span(STREAM, 500, 510), lambda _: {"row": range(8)}))

    assert len(cut) == 10
    # Of each its place and header, and what is wanted.
    assert rows_read() - before == 2 * len(cut)


def test_a_header_longer_than_a_piece_is_read_whole(store: PostgreSQLStore) -> None:
    logs = {f"a log with a long name {index}": 0.5 for index in range(100)}
    header = wire.Frame(run="run", attempt="a1", seq=2, time=0.0, schema=1, step=0, logs=logs)
    raw = wire.encode(header, {"layers": np.ones((1_000, 40), np.float32)})
    add(store, frame(2, raw=raw))

    with store.past() as past:
        (found,) = past.headers(Span(STREAM, 0, 1))

    assert len(found.raw) > 2_000
    assert found.raw == raw[: wire.header_end(raw)]


def test_two_servers_that_store_the_same_frame_store_it_once(
    store: PostgreSQLStore, other: PostgreSQLStore
) -> None:
    added: list[set[Key]] = []
    with store.write() as transaction:
        transaction.hold({"run": None})
        late = threading.Thread(target=lambda: added.append(add(other, frame(1, raw=b"late"))))
        late.start()
        late.join(0.2)
        assert late.is_alive()
        transaction.add([], [frame(1, raw=b"early")])
    late.join(10)

    assert added == [set()]
    assert [record.raw for record in store.frames_after(STREAM, 0)] == [b"early"]


def test_servers_that_store_other_runs_do_not_wait_for_each_other(
    store: PostgreSQLStore, other: PostgreSQLStore
) -> None:
    with store.write() as transaction:
        transaction.hold({"run": None})
        assert len(add(other, frame(1, run="another"))) == 1


def disconnect_all(database: str) -> None:
    """End every connection, as a PostgreSQL does that is started anew."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_database_that_was_started_anew_is_found_again(
    store: PostgreSQLStore, database: str
) -> None:
    add(store, frame(1))
    disconnect_all(database)

    add(store, frame(2))

    assert [record.seq for record in store.frames_after(STREAM, 0)] == [1, 2]


def test_a_connection_that_breaks_within_a_transaction_is_named_as_a_fault_of_the_store(
    store: PostgreSQLStore, database: str
) -> None:
    def break_halfway() -> None:
        with store.write() as transaction:
            transaction.new([Key(*STREAM, 1)])
            disconnect_all(database)
            transaction.add([], [frame(1)])

    with pytest.raises(StoreError, match="Writing to postgresql"):
        break_halfway()


def test_probing_says_when_nothing_can_be_written(store: PostgreSQLStore, database: str) -> None:
    store.probe()
    with psycopg.connect(database, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store.close()

    with pytest.raises(StoreError, match="Writing to postgresql"):
        store.probe()


UNREACHABLE = "postgresql://someone:s3cret@127.0.0.1:1/runs?password=s3cret&connect_timeout=2"


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    store = PostgreSQLStore(UNREACHABLE)

    with pytest.raises(StoreError, match=r"postgresql://127\.0\.0\.1:1/runs cannot") as told:
        store.open()

    assert "GAINSTAGE_DATABASE" in str(told.value)
    assert "s3cret" not in str(told.value)
    assert "s3cret" not in repr(Settings(database=UNREACHABLE))


def test_a_url_of_something_else_is_refused_without_showing_it() -> None:
    with pytest.raises(StoreError, match=r"begins with mysql://\.") as told:
        store_at("mysql://root:s3cret@host/runs")

    assert "s3cret" not in str(told.value)


def test_the_server_is_ready_though_it_cannot_see_how_full_the_disk_is(database: str) -> None:
    with running(Settings(database=database, disk_floor=2**60)) as server:
        assert server.get("/readyz").json() == {"status": "ok"}


def test_what_cannot_be_read_now_is_told_with_503(settings: Settings, database: str) -> None:
    with running(settings) as server:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DROP TABLE refused")

        answer = server.get("/api/v1/refused")

        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("Reading from postgresql")
