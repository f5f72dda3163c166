"""Work that is done beside the training, in a thread of its own."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Aside(Generic[Result]):
    """A thread that does one thing at a time; there is none before the first, and none once closed.

    It waits between two: to start a thread for each would hold up the one that starts it.
    """

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._job: Future[tuple[Result, float]] | None = None

    def start(self, work: Callable[[], Result]) -> None:
        """Begins `work`; what was begun before must have been taken."""
        self._thread = self._thread or ThreadPoolExecutor(1, "gainstage-aside")
        self._job = self._thread.submit(_timed, work)

    @property
    def done(self) -> bool:
        """Whether there is a result to take, or an error."""
        return self._job is not None and self._job.done()

    def wait(self) -> None:
        """Returns when nothing is under way; from any thread."""
        job = self._job
        if job is not None:
            wait([job])

    def take(self) -> tuple[Result, float] | None:
        """Waits for the result, and the seconds that a core had to do with it; None without work.

        Raises:
            Exception: What the work raised.
        """
        self.wait()
        job, self._job = self._job, None
        return None if job is None else job.result()

    def close(self) -> None:
        """Ends the thread."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.thread_time()
    result = work()
    return result, time.thread_time() - began
