"""What a user is told of a connection: why there is none, once, and nothing else."""

import http
import socket
import time
from pathlib import Path

import pytest
from websockets.client import ClientProtocol
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.sync.server import ServerConnection

from gainstage import delivery, wire
from gainstage.spool import Spool

from .links import (
    Heard,
    acknowledge_all,
    answering,
    deny,
    fill,
    heard,
    impatient,
    linked,
    spool,
)
from .test_delivery import ack, seq_of

__all__ = ["heard", "impatient", "spool"]  # fixtures


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
