"""The thread that delivers a spool to the server over WebSocket."""

import contextlib
import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from websockets.sync.client import ClientConnection, connect

from gainstage import handshake, tls, wire
from gainstage.delivery import Delivery, Queue
from gainstage.flow import Flow
from gainstage.places import DEFAULT_URL
from gainstage.troubles import trouble_of

log = logging.getLogger("gainstage")
# What the library says of a connection, and tells us by an exception: on the terminal of who trains
# its traceback would look like a fault of the training.
_socket_log = logging.getLogger("gainstage.socket")
_socket_log.setLevel(logging.CRITICAL)

# Where nothing is heard for so long, a server is asked whether it is there.
PING_SECONDS = 10.0
# How long nothing may arrive of what was sent, not even a ping, before the connection is lost.
SILENCE = 20.0
# How long an answer may lie unread where messages are on the way, and where none are.
TICK, IDLE = 0.02, 0.5
CLOSE_SECONDS = 1.0


class Spooled(Queue, Protocol):
    """A queue that lies somewhere."""

    @property
    def where(self) -> str:
        """Where, as a person is told."""
        ...

    def settle(self) -> None:
        """Waits for the disk, so that who appends need not."""
        ...


def ingest_url(url: str) -> str:
    """The WebSocket address of the server at `url`.

    Raises:
        ValueError: `url` is not the address of a server.
    """
    problem = (
        f"`url` must be the address of a Gainstage server, such as {DEFAULT_URL}. "
        f"Received: {url!r}."
    )
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no port
    except ValueError as error:
        raise ValueError(problem) from error
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(problem)
    if parts.username or parts.password:
        raise ValueError("`url` must not hold a user or password; pass `token=` instead.")
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/api/v1/ingest", "", ""))


class Uplink:
    """Drives a `Delivery` over WebSocket from a daemon thread; never blocks or raises outside.

    Whatever ends a connection, the next one is tried when the delivery says so: a server that is
    gone, silent, busy or broken costs the training nothing but room in the spool.

    Attributes:
        delivery: What is sent when.
        arrived: Bytes of messages that have arrived, about: it rises while a long one is sent.
    """

    def __init__(self, spool: Spooled, url: str, token: str | None) -> None:
        self.delivery = Delivery(spool, random.SystemRandom().random)
        self._spool = spool
        self._url, self._address = url, ingest_url(url)
        self._token = token
        self._wake, self._stop = threading.Event(), threading.Event()
        self._tried, self._met = threading.Event(), False
        self._moved = threading.Event()
        self._connection: ClientConnection | None = None
        self._told: set[str] = set()
        self._flow, self._pings = Flow(time.monotonic()), 0
        self.arrived = 0
        self._thread = threading.Thread(target=self._run, name="gainstage-uplink", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Something was appended to the spool."""
        self._wake.set()

    @property
    def met(self) -> bool:
        """Whether there ever was a connection."""
        return self._met

    def meets(self, patience: float) -> bool:
        """Like `met`, after the first attempt; waits at most `patience` seconds for its end."""
        self._tried.wait(patience)
        return self._met

    def drain(self, patience: float) -> None:
        """Waits until nothing waits in the spool, at most `patience` seconds."""
        deadline = time.monotonic() + patience
        while not self.delivery.done and (left := deadline - time.monotonic()) > 0:
            # Bounded: a refusal or a failure also changes what waits.
            self._moved.wait(min(left, TICK))
            self._moved.clear()

    def hang_up(self) -> None:
        """Has the thread end, and does not wait for it; what waits stays in the spool."""
        self._stop.set()
        self._wake.set()

    def close(self) -> None:
        """Ends the thread, within twice `CLOSE_SECONDS`; what waits stays in the spool."""
        self.hang_up()
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive() and (connection := self._connection) is not None:
            with contextlib.suppress(OSError):  # a send that the server does not read
                connection.socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(CLOSE_SECONDS)

    def forsake(self) -> None:
        """In the child of a fork: the thread is the parent's, and so is the connection.

        Takes no lock: another thread may have held it when the process was copied.
        """
        if self._connection is not None:
            self._connection.socket.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._spool.settle()
                if (wait := self.delivery.retry_at - time.monotonic()) > 0:
                    self._stop.wait(min(IDLE, wait))
                    continue
                with self._connect() as connection:
                    self._connection = connection
                    self.delivery.connected(time.monotonic())
                    self._met = True
                    self._tried.set()
                    self._talk(connection)
            except Exception as error:
                # Whatever it is, the thread that sends must outlive it.
                if not self._stop.is_set():
                    self._lost(error)
            self._connection = None
            self._tried.set()

    def _lost(self, error: Exception) -> None:
        trouble = trouble_of(error, self._url, self._spool.where, met=self._met)
        self.delivery.lost(time.monotonic(), at_least=trouble.retry)
        log.debug("The connection ended", exc_info=error)
        self._tell(trouble.kind, trouble.text)

    def _connect(self) -> ClientConnection:
        host = urlsplit(self._url).hostname
        connection = connect(
            self._address,
            ssl=tls.context() if self._address.startswith("wss:") else None,
            additional_headers=handshake.headers(time.time(), self._token, self.delivery.stream),
            compression=None,
            max_size=wire.MAX_MESSAGE_BYTES,
            logger=_socket_log,
            open_timeout=handshake.TIMEOUT,
            # Its own would count pongs late that wait behind a message on a slow path.
            ping_interval=None,
            close_timeout=CLOSE_SECONDS / 2,
            # A proxy of the environment is for other machines.
            proxy=None if host in {"127.0.0.1", "localhost", "::1"} else True,
        )
        # Else a send to a server that has stopped reading blocks for ever.
        with contextlib.suppress(OSError):  # closed already; whoever uses it is told with what code
            connection.socket.settimeout(SILENCE)
        return connection

    def _talk(self, connection: ClientConnection) -> None:
        delivery, self._flow = self.delivery, Flow(time.monotonic())
        while not self._stop.is_set():
            self._wake.clear()
            self._spool.settle()
            for message in delivery.messages_to_send(time.monotonic()):
                self._send(connection, message)
            # With a full window only an answer helps; else what is appended goes out at once.
            if not delivery.full:
                self._wake.wait(TICK if delivery.waiting_for_answer else IDLE)
            self._listen(connection, patience=TICK if delivery.full else 0)
            if self._flow.idle(time.monotonic()) >= PING_SECONDS:
                self._ask(connection)

    def _send(self, connection: ClientConnection, message: bytes) -> None:
        """Sends as fast as it arrives; a message larger than a piece goes in several."""
        self._make_room(connection)
        if len(message) > self._flow.piece:
            connection.send(self._pieces(connection, message))
        else:
            connection.send(message)
            self._sent(connection, len(message))

    def _pieces(self, connection: ClientConnection, message: bytes) -> Iterator[memoryview]:
        rest = memoryview(message)
        while rest:
            self._make_room(connection)
            piece = rest[: self._flow.piece]
            yield piece
            self._sent(connection, len(piece))
            rest = rest[len(piece) :]

    def _make_room(self, connection: ClientConnection) -> None:
        while self._flow.full:
            if self._stop.is_set():
                raise ConnectionAbortedError("The uplink is closed.")
            self._flow.wait(TICK)
            self._listen(connection, patience=0)

    def _sent(self, connection: ClientConnection, size: int) -> None:
        if self._flow.sent(size):
            self._ask(connection)

    def _ask(self, connection: ClientConnection) -> None:
        # Without data of ours it would draw a number from `random`, which is the training's.
        self._pings += 1
        self._flow.asked(connection.ping(b"%d" % self._pings), time.monotonic())

    def _listen(self, connection: ClientConnection, patience: float) -> None:
        """Takes in all answers that have come, or that come within `patience` seconds.

        Raises:
            TimeoutError: Nothing comes, and nothing arrives, for too long.
        """
        with contextlib.suppress(TimeoutError):
            while not self._stop.is_set():
                answer = connection.recv(timeout=patience)
                patience = 0
                refusal = self.delivery.received(answer, time.monotonic())
                if refusal is not None:
                    self._tell("message", f"The server refused a message: {refusal.reason}")
                self._moved.set()
        now = time.monotonic()
        if size := self._flow.look(now):
            self.arrived += size
            self.delivery.arriving(now)
        if self.delivery.overdue(now) or self._flow.silent(now) >= SILENCE:
            raise TimeoutError("The server has not answered for too long.")

    def _tell(self, kind: str, text: str) -> None:
        if text and kind not in self._told:
            self._told.add(kind)
            log.warning("gainstage: %s", text)
