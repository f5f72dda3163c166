"""The uplink's thread against servers that are gone, silent, busy, wrong, or do not read."""

import http
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.sync.server import ServerConnection, serve

from gainstage import delivery, uplink, wire
from gainstage.spool import Spool
from gainstage.uplink import Uplink

from .test_delivery import ack, frame, seq_of, start


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "run.spool")
    yield opened
    opened.close()


def fill(spool: Spool, count: int, size: int = 0) -> None:
    spool.append(0, start(0), frame=False)
    for seq in range(1, count):
        spool.append(seq, frame(seq, size), frame=True)


class Heard(logging.Handler):
    """Notes what is logged for the user, and tells when."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self.something = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        self.something.set()


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard, log = Heard(), logging.getLogger("gainstage")
    log.addHandler(heard)
    yield heard
    log.removeHandler(heard)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once."""
    monkeypatch.setattr(delivery, "LAST_RETRY", 0.0)


@contextmanager
def answering(handler: Callable[[ServerConnection], None], **options: Any) -> Iterator[str]:
    """The address of a server that deals with each connection as `handler` does."""
    with serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def linked(spool: Spool, url: str) -> Iterator[Uplink]:
    link = Uplink(spool, url, token=None)
    try:
        yield link
    finally:
        link.close()


def acknowledge_all(connection: ServerConnection) -> None:
    for body in connection:
        connection.send(ack(seq_of(body)))


def after(first: Callable[[ServerConnection], None], times: int = 1) -> Any:
    """`first` for so many connections, then a server that is as it should be."""
    left = [first] * times

    def handle(connection: ServerConnection) -> None:
        (left.pop() if left else acknowledge_all)(connection)

    return handle


def test_everything_is_sent_and_leaves_the_spool(spool: Spool, heard: Heard) -> None:
    fill(spool, 3 * delivery.WINDOW)

    with answering(acknowledge_all) as url, linked(spool, url) as link:
        link.drain(60)
        assert link.met

    assert len(spool) == 0
    assert heard.texts == []


def test_without_a_server_that_is_said_once_and_the_messages_are_kept(
    spool: Spool, heard: Heard, impatient: None
) -> None:
    fill(spool, 1)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        with linked(spool, f"http://127.0.0.1:{unused.getsockname()[1]}") as link:
            assert heard.something.wait(60)
            link.drain(0.1)

    assert [text.split("://")[0] for text in heard.texts] == ["gainstage: No server at http"]
    assert not link.met
    assert len(spool) == 1


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


def deny(connection: ServerConnection) -> None:
    connection.close(1008, "One trainer too many.")


@pytest.mark.parametrize("first", [garbage, cut, deny])
def test_server_that_comes_to_its_senses_gets_every_message(
    spool: Spool, impatient: None, first: Callable[[ServerConnection], None]
) -> None:
    fill(spool, 9)

    with answering(after(first, times=3)) as url, linked(spool, url) as link:
        link.drain(60)

    assert len(spool) == 0


def test_fault_within_the_library_of_sockets_is_no_traceback_for_who_trains(
    spool: Spool,
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fill(spool, 3)
    receive, faults = ClientProtocol.receive_data, [EOFError("stream ended")]

    def fail_once(protocol: ClientProtocol, data: bytes) -> None:
        if protocol.state is State.OPEN and faults:
            raise faults.pop()
        receive(protocol, data)

    monkeypatch.setattr(ClientProtocol, "receive_data", fail_once)
    with answering(acknowledge_all) as url, linked(spool, url) as link:
        link.drain(60)

    assert faults == []
    assert len(spool) == 0
    assert "unexpected internal error" not in caplog.messages


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


def test_user_is_told_why_the_server_hung_up(spool: Spool, heard: Heard, tmp_path: Path) -> None:
    with answering(deny) as url, linked(spool, url) as link:
        assert heard.something.wait(60)
        wait = link.delivery.retry_at - time.monotonic()

    assert heard.texts == [
        f"gainstage: The server at {url} hung up. One trainer too many. "
        f"Statistics wait in {tmp_path}."
    ]
    assert wait > delivery.LAST_RETRY / 2 - 5


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, '{"detail": "Send the token."}', "refused the connection (HTTP 401). Send the token"),
        (404, "<html>", "refused the connection (HTTP 404). Check `url=`, and `token=` or"),
        (503, "", "is busy (HTTP 503)."),
    ],
)
def test_user_is_told_why_the_server_does_not_shake_hands(
    spool: Spool, heard: Heard, status: int, body: str, said: str
) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(http.HTTPStatus(status), body)

    with answering(acknowledge_all, process_request=refuse) as url, linked(spool, url):
        assert heard.something.wait(60)

    assert f"The server at {url} {said}" in heard.texts[0]


def test_first_refusal_is_told(spool: Spool, heard: Heard) -> None:
    def refuse_frames(connection: ServerConnection) -> None:
        for body in connection:
            seq = seq_of(body)
            told = ack(seq) if seq == 0 else wire.encode(wire.Refuse(reason=f"no {seq}", seq=seq))
            connection.send(told)

    fill(spool, 4)

    with answering(refuse_frames) as url, linked(spool, url) as link:
        link.drain(60)

    assert heard.texts == ["gainstage: The server refused a message: no 1"]
    assert len(spool) == 0


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
