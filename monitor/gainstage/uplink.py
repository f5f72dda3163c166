"""Delivery of the spool to the server: a state without I/O, and the thread that drives it."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from gainstage import wire
from gainstage.places import DEFAULT_URL, serve_command
from gainstage.spool import Spool

log = logging.getLogger("gainstage")

# Messages on the way without an acknowledgement: enough to fill the path, few to send again.
WINDOW = 64
FIRST_RETRY, LAST_RETRY = 0.5, 30.0
# How long a send, a reply or a handshake may take before the connection counts as lost.
TIMEOUT = 10.0
# How long the thread sleeps where nothing wakes it: the server's acknowledgements come meanwhile.
TICK = 0.2


class Delivery:
    """What to send and when to try again; knows neither socket nor clock.

    Messages leave the spool when the server has acknowledged them, and are sent again from the
    last acknowledged one on each new connection.
    """

    def __init__(self, spool: Spool, jitter: Callable[[], float]) -> None:
        self.spool = spool
        self.retry_at = 0.0
        self.refused: list[wire.Refuse] = []
        self._jitter = jitter
        self._failures = 0
        self._acked = -1
        self._flying: deque[int] = deque()

    def connected(self) -> None:
        """A connection stands; all that is not acknowledged is to be sent on it."""
        self._failures = 0
        self._flying.clear()

    def lost(self, now: float) -> None:
        """There is no connection; `retry_at` says when to try the next one."""
        delay = min(LAST_RETRY, FIRST_RETRY * 2 ** min(self._failures, 16))
        self._failures += 1
        self.retry_at = now + delay * (0.5 + self._jitter() / 2)

    def messages_to_send(self) -> list[bytes]:
        """The next messages, as far as the window of unacknowledged ones allows."""
        sent = self._flying[-1] if self._flying else self._acked
        waiting = self.spool.after(sent, WINDOW - len(self._flying))
        self._flying.extend(seq for seq, _ in waiting)
        return [body for _, body in waiting]

    def received(self, data: bytes) -> None:
        """The server answered.

        Raises:
            wire.WireError: The answer cannot be read.
        """
        message, _ = wire.decode(data)
        if isinstance(message, wire.Ack):
            self._acked = max(self._acked, message.seq)
            self.spool.remove_through(message.seq)
            while self._flying and self._flying[0] <= message.seq:
                self._flying.popleft()
        elif isinstance(message, wire.Refuse):
            self.refused.append(message)
            if message.seq is not None:
                self.spool.remove(message.seq)
                if message.seq in self._flying:  # no acknowledgement will free its place
                    self._flying.remove(message.seq)

    @property
    def waiting_for_answer(self) -> bool:
        """Whether a message is on the way."""
        return bool(self._flying)

    @property
    def done(self) -> bool:
        """Whether nothing waits."""
        return not self.spool.after(-1, 1)


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
    """Drives a `Delivery` over WebSocket from a daemon thread; never blocks or raises outside."""

    def __init__(self, spool: Spool, url: str, token: str | None) -> None:
        self.delivery = Delivery(spool, random.SystemRandom().random)
        self._url, self._address = url, ingest_url(url)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._wake, self._stop = threading.Event(), threading.Event()
        self._tried, self._met = threading.Event(), False
        self._warned: set[str] = set()
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
        while not self.delivery.done and time.monotonic() < deadline:
            self._wake.set()
            self._thread.join(TICK / 10)

    def close(self) -> None:
        """Ends the thread; what waits stays in the spool."""
        self._stop.set()
        self._wake.set()
        self._thread.join(TIMEOUT)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.delivery.spool.settle()
            now = time.monotonic()
            if now < self.delivery.retry_at:
                self._stop.wait(min(TICK, self.delivery.retry_at - now))
                continue
            try:
                with self._connection() as connection:
                    self.delivery.connected()
                    self._met = True
                    self._tried.set()
                    self._talk(connection)
            except InvalidStatus as error:
                self._warn(
                    f"The server at {self._url} refused the connection "
                    f"(HTTP {error.response.status_code}). "
                    "Check `token=` or $GAINSTAGE_TOKEN; statistics wait in "
                    f"{self.delivery.spool.where}."
                )
            except (OSError, WebSocketException, wire.WireError, TimeoutError):
                if not self._met:
                    command = serve_command(self._url)
                    then = f"To look at them: {command}" if command else "It gets them later."
                    self._warn(
                        f"No server at {self._url}: statistics wait in "
                        f"{self.delivery.spool.where}. {then}"
                    )
            self._tried.set()
            self.delivery.lost(time.monotonic())

    def _connection(self) -> ClientConnection:
        host = urlsplit(self._url).hostname
        return connect(
            self._address,
            additional_headers=self._headers,
            compression=None,
            max_size=wire.MAX_MESSAGE_BYTES,
            open_timeout=TIMEOUT,
            close_timeout=1.0,
            # A proxy of the environment is for other machines.
            proxy=None if host in {"127.0.0.1", "localhost", "::1"} else True,
        )

    def _talk(self, connection: ClientConnection) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            self.delivery.spool.settle()
            for message in self.delivery.messages_to_send():
                connection.send(message)
            waiting = self.delivery.waiting_for_answer
            try:
                answer = connection.recv(timeout=TICK if waiting else 0)
            except TimeoutError:
                if not waiting:
                    self._wake.wait(TICK)
                continue
            if isinstance(answer, bytes):
                self.delivery.received(answer)
                while self.delivery.refused:
                    refusal = self.delivery.refused.pop()
                    self._warn(f"The server refused a message: {refusal.reason}")

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            log.warning("gainstage: %s", text)
