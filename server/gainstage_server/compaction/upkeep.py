"""Has the store put in order beside what enters: in a thread of its own, a little at a time."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger("gainstage.server")

IDLE_SECONDS = 10.0
BUSY_SECONDS = 1.0
# Of one processor, while there is work: what enters has the first claim on all of them.
SHARE = 0.5


class Worker(Protocol):
    """Works off something, step by step."""

    def step(self) -> bool:
        """Do a little; False: there is nothing to do."""
        ...


class Upkeep:
    """Calls a worker for as long as the server runs. Its methods belong to the event loop.

    Args:
        worker: Who does it.
        busy: Whether what enters waits for the store already: then nothing is done.
    """

    def __init__(self, worker: Worker, busy: Callable[[], bool] = lambda: False) -> None:
        self._worker = worker
        self._busy = busy
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Return after the step that is being done."""
        self._stopping.set()
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        while not self._stopping.is_set():
            pause = BUSY_SECONDS if self._busy() else await self._work()
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                continue

    async def _work(self) -> float:
        """Do a step; returns how many seconds to wait before the next one."""
        begun = time.perf_counter()
        done = await asyncio.to_thread(self._step)
        took = time.perf_counter() - begun
        return took * (1 / SHARE - 1) if done else IDLE_SECONDS

    def _step(self) -> bool:
        try:
            return self._worker.step()
        except Exception:
            # What fails now, for want of room or of a connection, may go well later.
            log.exception("The store could not be put in order; this is tried again.")
            return False
