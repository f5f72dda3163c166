"""A store that fails in the midst of a batch: nothing of it is there, and all of it comes later."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gainstage_server.live import UNREADABLE
from gainstage_server.settings import Settings
from gainstage_server.store.interface import StoreError
from gainstage_server.store.sqlite import SQLiteStore

from .conftest import Running, running
from .trainer import Trainer, read, send, subscribe

RUN = "/api/v1/runs/canonical"


@contextmanager
def failing_insert(store: SQLiteStore) -> Iterator[None]:
    """The rules run beside the insert, and come to their end."""
    with store._writer.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON frames BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    yield
    with store._writer.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")


@contextmanager
def failing_commit(store: SQLiteStore) -> Iterator[None]:
    """All that was to be written has been, and does not reach the disk."""
    dialect = store._writer.dialect

    def fail(_: object) -> None:
        raise dialect.dbapi.OperationalError("disk I/O error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", fail)
        yield


def known(server: Running) -> object:
    run = server.get(RUN).json()
    names = ("frames", "step", "verdicts", "judged", "findings_open", "worst_saturation")
    return [run[name] for name in names], server.get(f"{RUN}/findings").json()


@pytest.mark.parametrize("failing", [failing_insert, failing_commit])
def test_batch_that_fails_is_not_told_to_anyone_and_is_stored_once_when_it_comes_again(
    settings: Settings,
    tmp_path: Path,
    failing: Callable[[SQLiteStore], AbstractContextManager[None]],
) -> None:
    trainer = Trainer()
    before = [*trainer.opening(), *(trainer.quiet(step) for step in range(0, 30, 10))]
    # A finding opens with the third: were the first one judged twice, it would with the second.
    after = [trainer.loud(step) for step in (30, 10_000)]
    with (
        running(settings) as server,
        connect(f"{server.ws}/api/v1/live") as viewer,
    ):
        send(server.ws, before)
        subscribe(viewer, "canonical")
        shown = [read(viewer.recv(timeout=10)) for _ in range(2)]  # the schema, the newest frame
        was = known(server)
        with (
            failing(server.service.store),
            connect(f"{server.ws}/api/v1/ingest") as socket,
        ):
            socket.send(after[0])
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
        stayed = known(server)
        with pytest.raises(TimeoutError):
            viewer.recv(timeout=0.2)

        assert send(server.ws, [*before, *after]) == []
        told = [read(viewer.recv(timeout=10)) for _ in after]
        became = known(server)
        failures = server.service.counters.commit_failures

    with running(Settings(database=tmp_path / "whole.db", disk_floor=0)) as whole:
        send(whole.ws, [*before, *after])
        expected = known(whole)

    assert closed.value.rcvd.code == 1013
    assert failures >= 1
    assert (shown[-1].step, [frame.step for frame in told][-1]) == (20, 10_000)
    assert was == stayed
    assert became == expected
    assert became[0][:2] == [5, 10_000]


def fail(*_: object) -> None:
    raise StoreError("the disk is gone")


def ending(viewer: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        list(viewer)
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_viewer_of_a_run_that_cannot_be_read_is_told_to_come_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer()
    with running(settings) as server:
        send(server.ws, [*trainer.opening(), trainer.frame(0)])
    with running(settings) as server, connect(f"{server.ws}/api/v1/live") as viewer:
        # What a run shows is in the store alone after a start.
        monkeypatch.setattr(SQLiteStore, "message", fail)
        viewer.send('{"type": "subscribe", "run": "canonical"}')

        assert ending(viewer) == (1013, UNREADABLE)


def test_viewer_whose_token_cannot_be_looked_up_is_told_to_come_again(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SQLiteStore, "token", fail)
    header = {"Authorization": "Bearer gs_1_2"}
    with connect(f"{server.ws}/api/v1/live", additional_headers=header) as viewer:
        assert ending(viewer) == (1013, UNREADABLE)
