"""An uplink of a test, the servers that it meets, and what a user is told."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from gainstage import delivery
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


def deny(connection: ServerConnection) -> None:
    connection.close(1008, "One trainer too many.")
