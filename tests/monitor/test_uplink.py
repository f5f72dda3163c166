"""The uplink's thread against servers that are gone, silent, busy, wrong, or do not read."""

import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.frames import Opcode
from websockets.sync.server import ServerConnection, serve

from gainstage import delivery, uplink
from gainstage.spool import Spool
from gainstage.uplink import Uplink

from .links import (
    Heard,
    acknowledge_all,
    after,
    answering,
    deny,
    fill,
    heard,
    impatient,
    linked,
    spool,
)
from .test_delivery import ack, frame, seq_of, start

__all__ = ["heard", "impatient", "spool"]  # fixtures


def test_everything_is_sent_and_leaves_the_spool(spool: Spool, heard: Heard) -> None:
    fill(spool, 3 * delivery.WINDOW)

    with answering(acknowledge_all) as url, linked(spool, url) as link:
        link.drain(60)
        assert link.met

    assert len(spool) == 0
    assert heard.texts == []


def test_first_attempt_to_connect_is_waited_for(spool: Spool) -> None:
    """A training of a few milliseconds is over before a server that is there has answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        link = Uplink(spool, f"http://127.0.0.1:{listening.getsockname()[1]}", token=None)
        assert not link.meets(0.05)

        with serve(lambda connection: connection.recv(), sock=listening) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            assert link.meets(60)
            link.close()
            server.shutdown()
            thread.join()


def garbage(connection: ServerConnection) -> None:
    connection.recv()
    connection.send(b"\x00" * 64)
    connection.recv()


def cut(connection: ServerConnection) -> None:
    connection.recv()
    connection.socket.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("first", [garbage, cut, deny])
def test_server_that_comes_to_its_senses_gets_every_message(
    spool: Spool, impatient: None, first: Callable[[ServerConnection], None]
) -> None:
    fill(spool, 9)

    with answering(after(first, times=3)) as url, linked(spool, url) as link:
        link.drain(60)

    assert len(spool) == 0


def test_queue_that_raises_does_not_end_the_thread(
    spool: Spool, heard: Heard, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(spool, 2)
    read, failures = spool.after, iter([RuntimeError("Never seen."), RuntimeError("Again.")])

    def failing(seq: int, limit: int) -> list[tuple[int, bytes]]:
        if threading.current_thread() is not threading.main_thread():
            for failure in failures:
                raise failure
        return read(seq, limit)

    monkeypatch.setattr(spool, "after", failing)

    with answering(acknowledge_all) as url, linked(spool, url) as link:
        link.drain(60)

    assert len(spool) == 0
    assert heard.texts == [
        "gainstage: Sending failed, and is tried again. RuntimeError: Never seen."
    ]


def silent(connection: ServerConnection) -> None:
    for _ in connection:
        pass


def test_server_that_never_answers_is_left_for_another_connection(
    spool: Spool, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "ANSWER_SECONDS", 0.1)
    fill(spool, 3)

    with answering(after(silent, times=2)) as url, linked(spool, url) as link:
        link.drain(60)

    assert len(spool) == 0


class Pinged(ServerConnection):
    """Notes that it was pinged."""

    pinged = threading.Event()

    def process_event(self, event: Any) -> None:
        if getattr(event, "opcode", None) is Opcode.PING:  # the handshake has none
            self.pinged.set()
        super().process_event(event)


def test_pings_draw_no_number_of_the_training(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "PING_SECONDS", 0.01)
    monkeypatch.setattr(Pinged, "pinged", threading.Event())
    before = random.getstate()

    with (
        answering(acknowledge_all, create_connection=Pinged, ping_interval=None) as url,
        linked(spool, url),
    ):
        assert Pinged.pinged.wait(60)

    assert random.getstate() == before


def test_connection_that_is_half_open_is_noticed(
    spool: Spool, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's machine is gone without a word: nothing is on the way, only pings are."""
    monkeypatch.setattr(uplink, "PING_SECONDS", 0.05)
    monkeypatch.setattr(uplink, "SILENCE", 1.0)
    gone = threading.Event()

    def vanish(connection: ServerConnection) -> None:
        with connection.recv_flow_control:  # nothing is read, no ping answered
            gone.wait(60)

    with answering(after(vanish)) as url, linked(spool, url) as link:
        assert link.meets(60)
        fill(spool, 2)
        link.drain(60)
        gone.set()

    assert len(spool) == 0


def test_long_message_goes_in_pieces_and_answers_are_heard_between_them(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece takes a while; all of them take longer than the uplink waits for anything."""
    monkeypatch.setattr(uplink, "SILENCE", 1.0)
    monkeypatch.setattr(delivery, "ANSWER_SECONDS", 1.0)
    spool.append(0, start(0), frame=False)
    spool.append(1, frame(1, 2**20), frame=True)
    sizes: list[int] = []

    def read_slowly(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(ack(0))
        message = b""
        for piece in connection.recv_streaming():
            assert isinstance(piece, bytes)
            time.sleep(0.1)
            sizes.append(len(piece))
            message += piece
        connection.send(ack(seq_of(message)))
        connection.recv()

    with answering(read_slowly, max_queue=1, max_size=None) as url, linked(spool, url) as link:
        link.drain(60)

    assert len(spool) == 0
    assert sum(sizes) > 2**20
    assert max(sizes) < 2**19


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Uplink], float]:
    """Closes an uplink that waits little for its thread; how many seconds that took."""
    monkeypatch.setattr(uplink, "CLOSE_SECONDS", 0.1)

    def close(link: Uplink) -> float:
        began = time.monotonic()
        link.close()
        return time.monotonic() - began

    return close


def test_closing_waits_for_no_server_that_does_not_shake_hands(
    spool: Spool, brisk: Callable[[Uplink], float]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        link = Uplink(spool, f"http://127.0.0.1:{listening.getsockname()[1]}", token=None)
        accepted, _ = listening.accept()
        with accepted:
            assert brisk(link) < 5


def test_closing_waits_for_no_server_that_does_not_read(
    spool: Spool, brisk: Callable[[Uplink], float]
) -> None:
    fill(spool, 2, size=2**23)  # more than fits into what lies between two sockets
    over = threading.Event()

    def hang(connection: ServerConnection) -> None:
        connection.send(ack(seq_of(connection.recv())))
        with connection.recv_flow_control:
            over.wait(60)

    with answering(hang) as url:
        link = Uplink(spool, url, token=None)
        while len(spool) > 1 or not link.delivery.waiting_for_answer:
            time.sleep(0.01)
        assert brisk(link) < 5
        over.set()
