"""How an attempt ends of which its training does not say so: at exit, on SIGTERM, after a fork."""

import atexit
import contextlib
import os
import signal
import threading
from typing import Any, Protocol

# How long SIGTERM is put off; what is on disk by then is all that was sampled.
TERM_SECONDS = 5.0


class Attempt(Protocol):
    """Something that is to be ended."""

    def interrupt(self) -> None:
        """Ends it, and says where it is."""
        ...

    def forsake(self) -> None:
        """It is the parent's, and this is the child of a fork.

        Takes no lock: who may hold it is not in this process.
        """
        ...


_open: list[Attempt] = []


def expect(attempt: Attempt) -> None:
    """From now on `attempt` is interrupted where the process ends, until it is `over`."""
    _open.append(attempt)
    # A handler of the user's own, or none at all, is as they wanted it.
    if _in_main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def over(attempt: Attempt) -> None:
    """It has ended by itself."""
    with contextlib.suppress(ValueError):  # it was never expected, or a fork's parent did
        _open.remove(attempt)
    if not _open and _in_main_thread():
        _release()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _release() -> None:
    if signal.getsignal(signal.SIGTERM) is _terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@atexit.register
def _interrupt() -> None:
    for attempt in list(_open):
        attempt.interrupt()


def _terminated(*_: Any) -> None:
    # Not in this thread, which may hold a lock that is needed.
    ending = threading.Thread(target=_interrupt, name="gainstage-ending", daemon=True)
    ending.start()
    ending.join(TERM_SECONDS)
    # The process dies of the signal, as it would have without us.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _forsake() -> None:
    for attempt in _open:
        attempt.forsake()
    _open.clear()
    _release()


_forking = threading.local()


def _hold() -> None:
    # A SIGTERM between the copy and `_forsake` would be lost, or taken for the parent's.
    ours = signal.getsignal(signal.SIGTERM) is _terminated
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}) if ours else None


def _let() -> None:
    if _forking.mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _in_child() -> None:
    try:
        _forsake()
    finally:
        _let()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_hold, after_in_parent=_let, after_in_child=_in_child)
