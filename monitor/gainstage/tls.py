"""TLS for a connection that one thread reads and another writes."""

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

# So often a thread that waits looks whether another has closed the socket, or read for it.
_LOOK = 0.1

Result = TypeVar("Result")


def context() -> ssl.SSLContext:
    """Python's own settings for a client, which heed `SSL_CERT_FILE`; safe for two threads."""
    settings = ssl.create_default_context()
    settings.sslsocket_class = _InTurns
    return settings


class _InTurns(ssl.SSLSocket):
    """A socket that one thread reads and one writes: within OpenSSL they take turns.

    OpenSSL allows one thread at a time on a connection, and Python's lock is let go around its
    calls, while websockets reads in a thread of its own. Seen with Python 3.11: the tickets that a
    server sends after the handshake meet the first request, no answer is ever read, and `connect`
    waits for that thread for ever.

    Only what websockets calls takes turns: `recv`, `send` and `sendall`.
    Source: https://github.com/openssl/openssl/issues/20446
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

    def shutdown(self, how: int) -> None:
        # Python's own lets go of TLS first: what another thread sends then goes out in the clear.
        socket.socket.shutdown(self, how)

    def _in_turn(self, call: Callable[[], Result]) -> Result:
        """Calls until OpenSSL need not wait.

        Raises:
            TimeoutError: It would have to for longer than the timeout of the socket.
            OSError: The socket is closed.
        """
        patience = self._patience
        deadline = None if patience is None else time.monotonic() + patience
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
        left = _LOOK if deadline is None else min(_LOOK, deadline - time.monotonic())
        if left <= 0:
            raise TimeoutError("The connection was not ready in time.")
        # A socket that was closed meanwhile has no number; the next call says that it is closed.
        with contextlib.suppress(ValueError), selectors.DefaultSelector() as selector:
            selector.register(self, event)
            selector.select(left)
