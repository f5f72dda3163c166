"""Work that is done beside the training, in a thread that ends with it."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Aside(threading.Thread, Generic[Result]):
    """Runs `work` at once, in a thread of its own.

    Attributes:
        seconds: That a core had to do with it, once it is done.
    """

    def __init__(self, work: Callable[[], Result]) -> None:
        super().__init__(name="gainstage-aside")
        self.seconds = 0.0
        self._work = work
        self._results: list[Result] = []
        self._error: Exception | None = None
        self.start()

    def run(self) -> None:
        """The thread's own; ends when the work is done or has failed."""
        began = time.thread_time()
        try:
            self._results.append(self._work())
        except Exception as error:
            self._error = error
        self.seconds = time.thread_time() - began

    def result(self) -> Result:
        """Waits for what the work returns.

        Raises:
            Exception: What it raised.
        """
        self.join()
        if self._error is not None:
            raise self._error
        return self._results[0]
