"""What a connection over TLS does where one thread waits and another ends it."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gainstage import tls

MUCH = bytes(32 * 2**20)  # more than lies between two sockets
PATIENCE = 30.0  # for what is done at once, on a machine with much else to do


@dataclass
class Pair:
    """Both ends of a connection; `plain` is what lies below that of the server."""

    ours: ssl.SSLSocket
    theirs: ssl.SSLSocket
    plain: socket.socket


@pytest.fixture(scope="module")
def certificate(
    program: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-out", certificate, "-keyout", key),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture
def pair(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*certificate)
    ended = threading.Event()
    found: list[ssl.SSLSocket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            found.append(server.wrap_socket(listener.accept()[0], server_side=True))
            ended.set()

        threading.Thread(target=accept, daemon=True).start()
        below = socket.create_connection(listener.getsockname(), PATIENCE)
        ours = tls.context().wrap_socket(below, server_hostname="localhost")
        assert ended.wait(PATIENCE)
    ours.settimeout(None)
    (theirs,) = found
    plain = socket.socket(fileno=socket.dup(theirs.fileno()))
    theirs.settimeout(PATIENCE)
    plain.settimeout(PATIENCE)
    with ours, theirs, plain:
        yield Pair(ours, theirs, plain)


def outcome(call: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """A thread that calls it, and what came of that."""
    came: list[object] = []

    def run() -> None:
        try:
            came.append(call())
        except Exception as error:
            came.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), came
    return thread, came


def test_what_is_sent_arrives_on_either_side(pair: Pair) -> None:
    reading, came = outcome(lambda: pair.ours.recv(100))

    pair.ours.sendall(b"question")
    assert pair.theirs.recv(100) == b"question"
    pair.theirs.sendall(b"answer")

    reading.join(PATIENCE)
    assert came == [b"answer"]


def test_much_is_sent_while_much_is_read(pair: Pair) -> None:
    def echo() -> None:
        for _ in range(len(MUCH) // 2**20):
            left = 2**20
            while left:
                left -= len(pair.theirs.recv(left))
            pair.theirs.sendall(MUCH[: 2**20])

    def read() -> int:
        size = 0
        while size < len(MUCH):
            size += len(pair.ours.recv(2**16))
        return size

    echoing = threading.Thread(target=echo, daemon=True)
    reading, came = outcome(read)
    echoing.start()

    pair.ours.sendall(MUCH)

    reading.join(PATIENCE)
    assert came == [len(MUCH)]


def test_nothing_that_comes_is_waited_for_as_long_as_was_asked(pair: Pair) -> None:
    pair.ours.settimeout(0.2)

    with pytest.raises(TimeoutError):
        pair.ours.recv(1)

    assert pair.ours.gettimeout() == 0.2


def test_peer_that_does_not_read_is_waited_for_as_long_as_was_asked(pair: Pair) -> None:
    pair.ours.settimeout(0.2)

    with pytest.raises(TimeoutError):
        pair.ours.sendall(MUCH)


def test_reading_ends_where_another_thread_closes_the_socket(pair: Pair) -> None:
    reading, came = outcome(lambda: pair.ours.recv(1))

    pair.ours.close()

    reading.join(PATIENCE)
    assert isinstance(came[0], OSError)


def test_sending_ends_where_another_thread_shuts_the_connection_down(pair: Pair) -> None:
    sending, came = outcome(lambda: pair.ours.sendall(MUCH))

    pair.ours.shutdown(socket.SHUT_RDWR)

    sending.join(PATIENCE)
    assert isinstance(came[0], OSError)


def test_nothing_goes_out_in_the_clear_once_the_connection_is_shut_down(pair: Pair) -> None:
    pair.ours.shutdown(socket.SHUT_RD)

    pair.ours.sendall(b"weights of a model")

    assert b"weights" not in pair.plain.recv(1_000)


def test_what_the_peer_still_sends_is_read_as_before(pair: Pair) -> None:
    pair.ours.shutdown(socket.SHUT_WR)
    pair.theirs.sendall(b"late")

    assert pair.ours.recv(100) == b"late"
    with pytest.raises(OSError, match=r"(?i)broken pipe|eof|closed"):
        pair.ours.sendall(b"more")


def test_the_end_of_the_connection_is_nothing_more_to_read(pair: Pair) -> None:
    pair.theirs.shutdown(socket.SHUT_RDWR)

    assert pair.ours.recv(100) == b""
