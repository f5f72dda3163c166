"""Trainers over a real WebSocket: stored once, acknowledged after the commit, refused aloud."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gainstage import handshake, wire
from gainstage_server.settings import Settings
from gainstage_server.store.interface import StoreError, Transaction
from gainstage_server.store.sqlite import SQLiteStore

from .conftest import Running, running
from .trainer import Trainer, acknowledged, read, send, wait_until


def test_what_a_trainer_sends_is_acknowledged_and_stored(server: Running) -> None:
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.frame(step) for step in (0, 10, 20))]

    assert send(server.ws, messages) == []

    run = server.get("/api/v1/runs/canonical").json()
    assert (run["frames"], run["step"], run["layers"], run["status"]) == (3, 20, 3, "live")


def test_messages_sent_again_are_acknowledged_and_not_stored_again(server: Running) -> None:
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.frame(step) for step in range(50))]

    for _ in range(3):
        assert send(server.ws, [*messages, messages[-1]]) == []

    counts = server.service.counters.messages
    assert server.get("/api/v1/runs/canonical").json()["frames"] == 50
    assert (counts["stored"], counts["duplicate"]) == (52, 107)


def test_two_connections_that_send_the_same_at_once_store_it_once(server: Running) -> None:
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.frame(step) for step in range(100))]
    senders = [threading.Thread(target=send, args=(server.ws, messages)) for _ in range(3)]

    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert server.get("/api/v1/runs/canonical").json()["frames"] == 100


class GatedStore(SQLiteStore):
    """Commits when the test lets it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate = threading.Event()
        self.failures = 0

    def write(self) -> AbstractContextManager[Transaction]:
        assert self.gate.wait(10)
        if self.failures:
            self.failures -= 1
            raise StoreError("The disk is on fire.")
        return super().write()


@dataclass
class Gated(Running):
    """A running server and its store."""

    store: GatedStore


@pytest.fixture
def gated(settings: Settings) -> Iterator[Gated]:
    store = GatedStore(Path(settings.database.get_secret_value()))
    store.gate.set()
    with running(settings, store=store) as server:
        yield Gated(server.port, server.service, server.stop, store)


def test_nothing_is_acknowledged_before_it_is_committed(gated: Gated) -> None:
    gated.store.gate.clear()
    with connect(f"{gated.ws}/api/v1/ingest") as socket:
        socket.send(Trainer().run_start())
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.2)
        assert gated.store.runs() == []

        gated.store.gate.set()

        assert acknowledged(socket, 0) == []
        assert [run.run for run in gated.store.runs()] == ["canonical"]


def test_a_store_that_fails_ends_the_connection_and_the_trainer_loses_nothing(gated: Gated) -> None:
    trainer = Trainer()
    messages = trainer.opening()
    gated.store.failures = 1

    with connect(f"{gated.ws}/api/v1/ingest") as socket:
        socket.send(messages[0])
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)

    assert closed.value.rcvd.code == 1013
    assert gated.service.counters.commit_failures == 1
    assert send(gated.ws, messages) == []


def test_after_a_failure_later_messages_of_the_same_connection_are_left_alone(gated: Gated) -> None:
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.frame(step) for step in range(200))]
    gated.store.gate.clear()
    gated.store.failures = 1

    with connect(f"{gated.ws}/api/v1/ingest") as socket:
        for message in messages:
            socket.send(message)
        gated.store.gate.set()
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)

    assert gated.store.runs() == []
    assert send(gated.ws, messages) == []
    assert gated.get("/api/v1/runs/canonical").json()["frames"] == 200


def test_below_the_disk_floor_nothing_is_stored_and_the_server_is_not_ready(
    settings: Settings,
) -> None:
    full = settings.model_copy(update={"disk_floor": 2**62})
    with running(full) as server:
        with connect(f"{server.ws}/api/v1/ingest") as socket:
            socket.send(Trainer().run_start())
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)

        ready = server.get("/readyz")
        assert closed.value.rcvd.code == 1013
        assert ready.status_code == 503
        assert "GAINSTAGE_DISK_FLOOR" in ready.json()["detail"]
        assert server.get("/healthz").status_code == 200


def test_a_server_whose_writer_failed_says_so_and_is_not_ready(
    server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server.service.runs, "apply", lambda committed: 1 / 0)
    with connect(f"{server.ws}/api/v1/ingest") as socket:
        socket.send(Trainer().run_start())
        wait_until(lambda: not server.service.writing)
        ready = server.get("/readyz")
        server.stop()

    assert ready.status_code == 503
    assert "Nothing is stored any more" in ready.json()["detail"]
    assert "Nothing is stored any more" in caplog.text


def test_a_refusal_in_between_names_its_message_and_the_rest_is_stored(server: Running) -> None:
    trainer = Trainer()
    bad = [*trainer.opening(), trainer.frame(1), trainer.frame(2, schema=99), trainer.frame(3)]

    refused = send(server.ws, bad)

    assert [refusal.seq for refusal in refused] == [3]
    assert "schema 99" in refused[0].reason
    assert server.get("/api/v1/runs/canonical").json()["frames"] == 2


@pytest.mark.parametrize("garbage", [b"\x00" * 100, "text for a human"])
def test_unreadable_bytes_are_refused_and_the_connection_goes_on(
    server: Running, garbage: bytes | str
) -> None:
    with connect(f"{server.ws}/api/v1/ingest") as socket:
        socket.send(garbage)
        refused = read(socket.recv(timeout=10))
        socket.send(Trainer().run_start())
        acknowledged(socket, 0)

    assert isinstance(refused, wire.Refuse)
    assert refused.seq is None
    assert "GS" in refused.reason


def test_a_message_slightly_too_large_is_refused_with_a_reason(server: Running) -> None:
    with connect(f"{server.ws}/api/v1/ingest", max_size=None) as socket:
        socket.send(bytes(wire.MAX_MESSAGE_BYTES + 1))
        refused = read(socket.recv(timeout=10))

    assert refused.reason == "A message has at most 16777216 bytes. Received: 16777217."


def test_a_message_far_too_large_closes_the_connection_with_1009(server: Running) -> None:
    with connect(f"{server.ws}/api/v1/ingest") as socket:
        # Only the beginning of a masked binary message: with the rest under way, the reason for
        # the end would race with the reset that unread bytes cause.
        socket.socket.sendall(b"\x82\xff" + (wire.MAX_MESSAGE_BYTES + 2**21).to_bytes(8) + b"mask")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)

    assert closed.value.rcvd.code == 1009


def test_compression_is_never_agreed_to(server: Running) -> None:
    with connect(f"{server.ws}/api/v1/ingest", compression="deflate") as socket:
        assert socket.response.headers.get("Sec-WebSocket-Extensions") is None


def test_one_trainer_more_than_the_cap_is_sent_away(settings: Settings) -> None:
    with running(settings.model_copy(update={"trainers": 1})) as server:
        with connect(f"{server.ws}/api/v1/ingest") as first:
            first.send(Trainer().run_start())
            acknowledged(first, 0)
            with (
                connect(f"{server.ws}/api/v1/ingest") as second,
                pytest.raises(ConnectionClosed) as closed,
            ):
                second.recv(timeout=10)
        wait_until(lambda: server.service.counters.trainers == 0)
        with connect(f"{server.ws}/api/v1/ingest") as third:
            third.send(Trainer(run="third").run_start())
            acknowledged(third, 0)

    assert closed.value.rcvd.code == 1013


def test_a_run_is_live_while_its_trainer_is_connected_and_lost_after_silence(
    settings: Settings,
) -> None:
    with running(settings.model_copy(update={"lost_after": 0.05})) as server:
        with connect(f"{server.ws}/api/v1/ingest") as socket:
            socket.send(Trainer().run_start())
            acknowledged(socket, 0)
            # Twice the time after which silence counts: what is tested is that it does not here.
            threading.Event().wait(0.1)
            while_connected = server.get("/api/v1/runs/canonical").json()["status"]

        wait_until(lambda: server.get("/api/v1/runs/canonical").json()["status"] == "lost")
        assert while_connected == "live"


def test_trainer_that_comes_again_with_nothing_to_send_is_heard_of(settings: Settings) -> None:
    trainer = Trainer()
    with running(settings.model_copy(update={"lost_after": 0.05})) as server:
        send(server.ws, trainer.opening())
        again = handshake.headers(time.time(), None, ("canonical", "a1", 0))
        with connect(f"{server.ws}/api/v1/ingest", additional_headers=again):
            threading.Event().wait(0.1)
            while_connected = server.get("/api/v1/runs/canonical").json()["status"]

        wait_until(lambda: server.get("/api/v1/runs/canonical").json()["status"] == "lost")
        assert while_connected == "live"


def test_attempt_on_a_machine_whose_clock_is_slow_is_the_newest_all_the_same(
    server: Running,
) -> None:
    now, day = time.time(), 86_400.0
    first = Trainer(time=now - 100)
    send(server.ws, [*first.opening(), first.frame(5)])

    slow = Trainer(attempt="a2", time=now - day)
    headers = handshake.headers(now - day, None, None)
    send(server.ws, [*slow.opening(), slow.frame(9)], additional_headers=headers)

    run = server.get("/api/v1/runs/canonical").json()
    assert (run["status"], run["step"]) == ("live", 9)
    assert [attempt["attempt"] for attempt in run["attempts"]] == ["a1", "a2"]
    assert run["attempts"][1]["started"] == pytest.approx(now, abs=5)


def test_a_run_that_ended_is_ended_and_lives_again_with_its_next_attempt(server: Running) -> None:
    first = Trainer()
    send(server.ws, [*first.opening(), first.frame(5), first.run_end(frames=1)])
    ended = server.get("/api/v1/runs/canonical").json()

    second = Trainer(attempt="a2", time=2_000.0)
    send(server.ws, [*second.opening(), second.frame(9)])
    again = server.get("/api/v1/runs/canonical").json()

    assert (ended["status"], ended["ended"]) == ("ended", 1_003.0)
    assert (again["status"], again["step"], again["frames"]) == ("live", 9, 2)
    assert [attempt["status"] for attempt in again["attempts"]] == ["completed", "running"]


def test_a_late_message_of_an_older_attempt_does_not_change_what_the_run_shows(
    server: Running,
) -> None:
    first, second = Trainer(), Trainer(attempt="a2", time=2_000.0)
    send(server.ws, [*first.opening(), first.frame(5)])
    send(server.ws, [*second.opening(), second.frame(9)])

    send(server.ws, [first.frame(100), first.run_end(frames=2)])

    run = server.get("/api/v1/runs/canonical").json()
    assert (run["step"], run["status"], run["frames"]) == (9, "live", 3)


def test_other_workers_frames_are_stored_but_the_chief_speaks_for_the_run(server: Running) -> None:
    chief, helper = Trainer(), Trainer(worker=1)
    send(server.ws, [*chief.opening(), chief.frame(5)])
    send(server.ws, [*helper.opening(), helper.frame(7), helper.run_end()])

    run = server.get("/api/v1/runs/canonical").json()
    assert (run["step"], run["status"], run["frames"]) == (5, "live", 2)
    assert [(one["worker"], one["frames"]) for one in run["attempts"]] == [(0, 1), (1, 1)]


def test_the_chief_speaks_for_a_run_that_another_worker_began(server: Running) -> None:
    helper, chief = Trainer(attempt="b", worker=1, time=2_000.0), Trainer(attempt="a")
    send(server.ws, [*helper.opening(), helper.frame(7)])
    before = server.get("/api/v1/runs/canonical").json()
    send(server.ws, [*chief.opening(), *(chief.loud(step) for step in range(6))])

    run = server.get("/api/v1/runs/canonical").json()
    assert (before["step"], before["layers"], before["frames"]) == (None, 0, 1)
    assert (run["step"], run["layers"], run["frames"]) == (5, 3, 7)
    assert server.get("/api/v1/runs/canonical/layers").json()["step"] == 5


def test_a_thinned_spool_leaves_gaps_that_an_acknowledgement_covers(server: Running) -> None:
    trainer = Trainer()
    opening = trainer.opening()
    # The first six were made while there was room.
    counts = [{"frames": step, "thinned": max(0, step - 5)} for step in range(10)]
    frames = [trainer.frame(step, **counts[step]) for step in range(10)]
    thinned: list[int] = []

    for messages in ([*opening, frames[0]], [frames[5]], [frames[9]]):
        assert send(server.ws, messages) == []
        (attempt,) = server.get("/api/v1/runs/canonical").json()["attempts"]
        thinned.append(attempt["thinned"])

    assert attempt["frames"] == 3
    # What a frame cannot know of yet, the next one tells, before the run has ended.
    assert thinned == [0, 0, 7]
    assert attempt["status"] == "running"
    send(server.ws, [trainer.frame(10, frames=10, thinned=9)])
    send(server.ws, [trainer.run_end(frames=11, thinned=9)])
    (attempt,) = server.get("/api/v1/runs/canonical").json()["attempts"]
    assert (attempt["frames"], attempt["thinned"]) == (4, 7)


def test_frames_that_were_refused_were_not_thinned(server: Running) -> None:
    trainer = Trainer()
    opening = trainer.opening()

    refused = send(server.ws, [*opening, trainer.frame(0, schema=99), trainer.frame(1, frames=1)])

    assert len(refused) == 1

    (attempt,) = server.get("/api/v1/runs/canonical").json()["attempts"]
    assert (attempt["frames"], attempt["thinned"]) == (1, 0)


def test_a_message_of_a_later_minor_release_with_more_fields_is_stored(server: Running) -> None:
    trainer = Trainer()
    message = wire.decode(trainer.run_start())[0]
    header = msgspec.msgpack.encode(msgspec.to_builtins(message) | {"new_in_1_2": [1, 2]})
    start = wire.PREFIX.pack(wire.MAGIC, wire.VERSION, len(header)) + header

    assert send(server.ws, [start + bytes(-len(start) % wire.ALIGNMENT)]) == []
