"""How an attempt ends of which its training does not say so.

At exit, on SIGTERM, after a fork, or where nobody holds on to it any more.
"""

import atexit
import contextlib
import ctypes
import logging
import os
import signal
import threading
import time
import weakref
from collections import deque
from collections.abc import Generator, Sequence
from typing import Any, Literal, Protocol

from gainstage.watch import Watch

log = logging.getLogger("gainstage")

# How long the messages of attempts that were broken off may take to be stored, all together.
BREAK_SECONDS = 2.0
# How long SIGTERM is put off; what is on disk by then is all that was sampled.
TERM_SECONDS = 5.0

# What the watch is told, beside the numbers of signals.
_FORGOTTEN, _CALLED = 0, 255


class Attempt(Protocol):
    """Something that is to be ended, step by step, so that many wait no longer than one."""

    def end(self, status: Literal["interrupted"]) -> None:
        """Appends its last message."""
        ...

    def drain(self, deadline: float) -> None:
        """Waits until all is stored; until `deadline`, by `time.monotonic()`, at the latest."""
        ...

    def hang_up(self) -> None:
        """Has the connection end, and does not wait for it."""
        ...

    def leave(self) -> None:
        """Lets go of it, and says where it is."""
        ...

    def forsake(self) -> None:
        """It is the parent's, and this is the child of a fork.

        Takes no lock: who may hold it is not in this process.
        """
        ...


class _Endings:
    """The attempts of this process that have not ended."""

    def __init__(self) -> None:
        self.open: list[Attempt] = []
        self.watch: Watch | None = None
        self._forgotten: deque[Attempt] = deque()
        self._changing = threading.RLock()

    def expect(self, attempt: Attempt) -> None:
        with self._changing:
            self.open.append(attempt)
            self.watch = self.watch or Watch(self._heard)
            # A handler of the user's own, or none at all, is as they wanted it.
            # The first process of a container goes on after a SIGTERM that it does not handle.
            own = _in_main_thread() and os.getpid() != 1
            if own and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, _terminated)
                self.watch.listen()

    def forget(self, attempt: Attempt) -> None:
        # The garbage collector calls this, and may have stopped who holds the lock.
        self._forgotten.append(attempt)
        self.tell(_FORGOTTEN)

    def over(self, attempt: Attempt) -> None:
        with self._changing:
            with contextlib.suppress(ValueError):  # it was never expected, or a fork's parent did
                self.open.remove(attempt)
            if not self.open and _in_main_thread():
                self._release()

    def tell(self, what: int) -> None:
        if self.watch is not None:
            self.watch.tell(what)

    def forsake(self) -> None:
        self._changing = threading.RLock()
        for attempt in self.open:
            attempt.forsake()
        self.open.clear()
        self._release()

    def _release(self) -> None:
        if signal.getsignal(signal.SIGTERM) is _terminated:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if self.watch is not None:
            self.watch.close()
            self.watch = None
        self._forgotten.clear()

    def _heard(self, told: bytes) -> None:
        ours = signal.getsignal(signal.SIGTERM) is _terminated
        if _CALLED in told or (signal.SIGTERM in told and ours):
            self._terminate()
        elif _FORGOTTEN in told:
            forgotten = [self._forgotten.popleft() for _ in range(len(self._forgotten))]
            _beside([it for it in forgotten if it in self.open])

    def _terminate(self) -> None:
        _beside(list(self.open)).join(TERM_SECONDS)
        # The process dies of the signal, as it would have without us; but from this thread the
        # module `signal` sets no handler.
        set_handler = ctypes.pythonapi.PyOS_setsig
        set_handler.argtypes = ctypes.c_int, ctypes.c_void_p
        set_handler.restype = ctypes.c_void_p
        set_handler(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


_endings = _Endings()


def expect(attempt: Attempt) -> None:
    """From now on `attempt` is interrupted where the process ends, until it is `over`."""
    _endings.expect(attempt)


def forget(owner: object, attempt: Attempt) -> None:
    """Has `attempt` interrupted once nobody holds `owner`, such as that of a `fit` that raised."""
    weakref.finalize(owner, _endings.forget, attempt).atexit = False


def over(attempt: Attempt) -> None:
    """It has ended by itself."""
    _endings.over(attempt)


def interrupt(attempts: Sequence[Attempt]) -> None:
    """Ends them: all are on disk first, the newest before the others, and then are sent."""
    newest_first = attempts[::-1]
    for attempt in newest_first:
        with _guarded():
            attempt.end("interrupted")
    deadline = time.monotonic() + BREAK_SECONDS
    for attempt in newest_first:
        with _guarded():
            attempt.drain(deadline)
    for attempt in newest_first:
        with _guarded():
            attempt.hang_up()
    for attempt in newest_first:
        with _guarded():
            attempt.leave()


@contextlib.contextmanager
def _guarded() -> Generator[None]:
    """What one attempt fails at is no matter of the others."""
    try:
        yield
    except Exception as error:
        log.warning("gainstage: A run could not be ended. %s: %s", type(error).__name__, error)


def _beside(attempts: Sequence[Attempt]) -> threading.Thread:
    """Interrupts them in a thread of their own."""
    thread = threading.Thread(
        target=interrupt, args=(attempts,), name="gainstage-ending", daemon=True
    )
    thread.start()
    return thread


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _terminated(*_: Any) -> None:
    # Not here: this may have stopped an append, whose lock is needed. The training goes on
    # meanwhile, and is no longer recorded.
    _endings.tell(_CALLED)


@atexit.register
def _exit() -> None:
    interrupt(list(_endings.open))


_forking = threading.local()


def _hold() -> None:
    # A SIGTERM between the copy and `forsake` would be lost, or taken for the parent's.
    ours = signal.getsignal(signal.SIGTERM) is _terminated
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}) if ours else None


def _let() -> None:
    if _forking.mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _in_child() -> None:
    try:
        _endings.forsake()
    finally:
        _let()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_hold, after_in_parent=_let, after_in_child=_in_child)
