"""Two servers over one PostgreSQL: whatever comes to one is stored once, and known to the other."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import UnionType
from typing import Any

import httpx
import psycopg
import pytest
from websockets.sync.client import ClientConnection, connect

from gainstage import wire
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store
from gainstage_server.tokens import make

from .conftest import Running, running
from .trainer import Trainer, read, send, subscribe, wait_until

RUN = "/api/v1/runs/canonical"
PATHS = ("", "/layers", "/findings", "/series?layer=dense_1&statistic=pre_db")


@pytest.fixture
def backend() -> str:
    return "postgresql"


@pytest.fixture
def servers(settings: Settings) -> Iterator[tuple[Running, Running]]:
    with running(settings) as one, running(settings) as other:
        yield one, other


def shown(server: Running) -> dict[str, Any]:
    found = {path: server.get(RUN + path).json() for path in PATHS}
    # By the clock, where a trainer is connected.
    run = found[""]
    for told in (run, *run.get("attempts", ()), *run.get("workers", ())):
        told.pop("last_seen", None)
    return found


@contextmanager
def viewer_of(server: Running, run: str | None) -> Iterator[ClientConnection]:
    with connect(f"{server.ws}/api/v1/live") as viewer:
        subscribe(viewer, run)
        yield viewer


def news(viewer: ClientConnection, kind: type | UnionType) -> Any:
    """The next message of this kind."""
    while not isinstance(message := read(viewer.recv(timeout=20)), kind):
        pass
    return message


def test_what_comes_to_one_server_is_shown_by_the_other(servers: tuple[Running, Running]) -> None:
    one, other = servers
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.loud(10 * index) for index in range(4))]

    send(one.ws, messages)

    wait_until(lambda: other.get(RUN).json().get("frames") == 4)
    assert shown(other) == shown(one)
    assert other.get(RUN).json()["findings_open"] == 1


def test_viewers_of_the_other_server_get_each_frame_finding_and_run(
    servers: tuple[Running, Running],
) -> None:
    one, other = servers
    trainer = Trainer()
    with viewer_of(other, None) as lists:
        send(one.ws, trainer.opening())
        assert news(lists, wire.RunStart).run == "canonical"
    with viewer_of(other, "canonical") as viewer:
        send(one.ws, [trainer.loud(10 * index) for index in range(3)])

        # A finding is read as it is stored, which may be before the frame is that it opened with.
        told = [news(viewer, wire.Frame | wire.FindingChanged) for _ in range(4)]

    steps = [one.step for one in told if isinstance(one, wire.Frame)]
    (found,) = (one for one in told if isinstance(one, wire.FindingChanged))
    assert steps == [0, 10, 20]
    assert (found.run, found.finding.verdict) == ("canonical", "activity")


def test_a_trainer_that_moves_is_stored_once_and_its_diagnosis_goes_on(
    servers: tuple[Running, Running],
) -> None:
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.loud(10 * index) for index in range(8))]

    # Each time it sends again what it has not heard of.
    for index in range(len(messages)):
        assert send(servers[index % 2].ws, messages[max(0, index - 2) : index + 1]) == []

    wait_until(lambda: shown(servers[0]) == shown(servers[1]))
    run = servers[0].get(RUN).json()
    assert (run["frames"], run["step"], run["findings_open"]) == (8, 70, 1)
    assert [attempt["frames"] for attempt in run["attempts"]] == [8]


def test_two_servers_that_take_frames_of_one_run_at_once_count_each_once(
    servers: tuple[Running, Running],
) -> None:
    trainers = [Trainer(), Trainer(worker=1)]
    for trainer in trainers:
        send(servers[0].ws, trainer.opening())

    def train(server: Running, trainer: Trainer) -> None:
        for index in range(30):
            send(server.ws, [trainer.frame(index)])

    threads = [
        threading.Thread(target=train, args=pair) for pair in zip(servers, trainers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    wait_until(lambda: shown(servers[0]) == shown(servers[1]))
    run = servers[0].get(RUN).json()
    assert run["frames"] == 60
    assert [attempt["frames"] for attempt in run["attempts"]] == [30, 30]


def test_a_mark_set_on_one_server_is_seen_on_the_other(servers: tuple[Running, Running]) -> None:
    one, other = servers
    trainer = Trainer()
    send(one.ws, [*trainer.opening(), *(trainer.loud(10 * index) for index in range(4))])
    wait_until(lambda: other.get(RUN).json().get("findings_open") == 1)
    (finding,) = one.get(f"{RUN}/findings").json()["findings"]
    with viewer_of(other, "canonical") as viewer:
        news(viewer, wire.FindingChanged)

        httpx.put(f"{one.url}{RUN}/findings/{finding['id']}/mark", json={"state": "muted"})

        assert news(viewer, wire.FindingChanged).finding.id == finding["id"]
    assert other.get(RUN).json()["findings_open"] == 0


def test_a_run_that_one_server_deletes_is_gone_from_the_other_whatever_still_comes(
    servers: tuple[Running, Running],
) -> None:
    one, other = servers
    trainer = Trainer()
    send(other.ws, [*trainer.opening(), trainer.frame(0), trainer.run_end()])
    wait_until(lambda: one.get(RUN).status_code == 200)
    wait_until(lambda: one.get(RUN).json()["status"] == "ended")
    with viewer_of(other, "canonical") as viewer:
        assert httpx.delete(one.url + RUN).status_code == 204

        assert news(viewer, wire.RunDeleted).run == "canonical"
    with connect(f"{other.ws}/api/v1/ingest") as socket:
        socket.send(trainer.frame(10))
        assert "has not begun" in read(socket.recv(timeout=10)).reason

    assert [server.get(RUN).status_code for server in servers] == [404, 404]


def test_viewer_whose_token_is_of_one_project_is_told_of_what_another_server_deletes(
    servers: tuple[Running, Running], store: Store
) -> None:
    one, other = servers
    token, record = make("read", "digits", now=time.time())
    with store.write() as transaction:
        transaction.put_token(record)
    trainer = Trainer()
    send(other.ws, [*trainer.opening(), trainer.frame(0), trainer.run_end()])
    wait_until(lambda: one.get(RUN).status_code == 200)
    wait_until(lambda: one.get(RUN).json()["status"] == "ended")
    header = {"Authorization": f"Bearer {token}"}
    with connect(f"{other.ws}/api/v1/live", additional_headers=header) as viewer:
        subscribe(viewer, "canonical")

        assert httpx.delete(one.url + RUN).status_code == 204

        assert news(viewer, wire.RunDeleted).run == "canonical"


def test_a_run_whose_quiet_trainer_is_connected_to_another_server_is_live_and_not_deleted(
    settings: Settings,
) -> None:
    settings = settings.model_copy(update={"lost_after": 1.0})
    trainer = Trainer()
    with (
        running(settings) as one,
        running(settings) as other,
        connect(f"{other.ws}/api/v1/ingest") as socket,
    ):
        for message in (*trainer.opening(), trainer.frame(0)):
            socket.send(message)
        wait_until(lambda: one.get(RUN).status_code == 200)
        time.sleep(2 * settings.lost_after)

        assert one.get(RUN).json()["status"] == "live"
        refused = httpx.delete(one.url + RUN)
        assert (refused.status_code, "is live" in refused.text) == (409, True)

        socket.close()
        wait_until(lambda: one.get(RUN).json()["status"] == "lost")
        assert httpx.delete(one.url + RUN).status_code == 204


def test_a_server_that_heard_nothing_for_a_while_catches_up(
    servers: tuple[Running, Running], database: str
) -> None:
    one, other = servers
    trainer = Trainer()
    send(one.ws, [*trainer.opening(), trainer.loud(0)])
    wait_until(lambda: other.get(RUN).status_code == 200)
    with viewer_of(other, "canonical") as viewer:
        assert news(viewer, wire.Frame).step == 0
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        send(one.ws, [trainer.loud(10 * index) for index in range(1, 4)])

        while news(viewer, wire.Frame).step != 30:
            pass

    assert shown(other) == shown(one)
