"""A thread that is told of signals while the main thread cannot be, by bytes on a socket.

Python has the number of a signal written there at once, while the main thread may run C code for
minutes before it can call a handler.
"""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable


class Watch:
    """Has `heard` called in the thread, with the bytes that it was told.

    Numbers of signals lie between 1 and 254.
    """

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self._heard = heard
        self._ear, self._mouth = socket.socketpair()
        self._mouth.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="gainstage-watch", daemon=True)
        self._thread.start()

    def listen(self) -> None:
        """Has signals told, unless somebody else has them told; in the main thread."""
        before = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        if before != -1:
            signal.set_wakeup_fd(before)

    def tell(self, what: int) -> None:
        """Takes no lock: a handler or the garbage collector may call it, whatever they stopped."""
        with contextlib.suppress(OSError):  # so much was told that the thread wakes anyway
            self._mouth.send(bytes([what]))

    def close(self) -> None:
        """Ends the thread, if it is of this process; in the main thread."""
        before = signal.set_wakeup_fd(-1)
        if before not in (-1, self._mouth.fileno()):
            signal.set_wakeup_fd(before)
        self._mouth.close()
        self._thread.join(1.0)
        self._ear.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while told := self._ear.recv(64):
                self._heard(told)
