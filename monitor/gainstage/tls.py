"""TLS for a connection that one thread reads and another writes."""

import selectors
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

# How long a thread that waits for a socket does not see that another has closed it.
_LOOK = 0.1

Result = TypeVar("Result")


def context() -> ssl.SSLContext:
    """Python's own settings for a client (what it trusts: `SSL_CERT_FILE`), safe for two threads.

    Raises:
        OSError: What it trusts cannot be read.
    """
    settings = ssl.create_default_context()
    settings.sslsocket_class = _InTurns
    return settings


class _InTurns(ssl.SSLSocket):
    """A socket whose threads take turns within OpenSSL, and wait outside it.

    OpenSSL allows one thread at a time on a connection (https://github.com/openssl/openssl/issues/
    20446) and Python's lock is let go around its calls, while websockets reads in a thread of its
    own. What goes wrong is seen within seconds: the tickets that a server sends after the handshake
    meet the first request, no answer is ever read, and `connect` waits for that thread for ever.
    """

    _turn: threading.Lock
    _patience: float | None
    _secured = False

    def __new__(cls, *args: Any, **kwargs: Any) -> "_InTurns":
        self = super().__new__(cls, *args, **kwargs)
        self._turn, self._patience = threading.Lock(), None
        return self

    def settimeout(self, value: float | None, /) -> None:
        self._patience = value
        # Never blocks within OpenSSL, once the handshake, which is one thread's, is over.
        super().settimeout(0 if self._secured else value)

    def gettimeout(self) -> float | None:
        return self._patience

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        self._secured = True
        self.settimeout(self._patience)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        return self._in_turn(lambda: ssl.SSLSocket.recv(self, buflen, flags))

    def send(self, data: Any, flags: int = 0) -> int:
        return self._in_turn(lambda: ssl.SSLSocket.send(self, data, flags))

    def _in_turn(self, call: Callable[[], Result]) -> Result:
        """Calls until OpenSSL need not wait.

        Raises:
            TimeoutError: It would have to for longer than the timeout of the socket.
            OSError: The socket is closed.
        """
        deadline = None if self._patience is None else time.monotonic() + self._patience
        while True:
            try:
                with self._turn:
                    return call()
            except ssl.SSLWantReadError:
                event = selectors.EVENT_READ
            except ssl.SSLWantWriteError:
                event = selectors.EVENT_WRITE
            self._wait(event, deadline)

    def _wait(self, event: int, deadline: float | None) -> None:
        while True:
            left = _LOOK if deadline is None else min(_LOOK, deadline - time.monotonic())
            if left <= 0:
                raise TimeoutError("The connection was not ready in time.")
            # Raises where the socket is closed: its number is -1.
            with selectors.DefaultSelector() as selector:
                selector.register(self, event)
                if selector.select(left):
                    return
