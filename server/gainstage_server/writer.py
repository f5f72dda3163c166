"""Collects what all trainers send, and commits it batch by batch in a thread of its own."""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from gainstage_server.commit import Committed, Committer
from gainstage_server.counters import Counters
from gainstage_server.entrance import Outcome, Sent
from gainstage_server.store.interface import StoreError

log = logging.getLogger("gainstage.server")

# A commit costs one wait for the disk however much it holds; beyond this, waiting costs more.
BATCH_MESSAGES = 512
BATCH_BYTES = 32 * 2**20
# Behind fewer, it rests for as long as they took, so that more come together: most of what a small
# commit costs, and has other servers read, is the same for a larger one.
FEW_MESSAGES = 8
REST_SECONDS = 0.05
# Above this, trainers are no longer read from: their own spools hold what comes. All that waits at
# the end is still committed, so it must not take long.
WAITING_MESSAGES = 8 * BATCH_MESSAGES
WAITING_BYTES = 4 * BATCH_BYTES


class Sender(Protocol):
    """Whoever sent a message and waits for what becomes of it."""

    @property
    def behind(self) -> float:
        """How far the sender's clock is behind the server's, in seconds."""
        ...

    @property
    def project(self) -> str | None:
        """The only project whose runs the sender may send; None: those of all."""
        ...

    @property
    def failed(self) -> bool:
        """Whether a message of this sender was lost, so that later ones may not be stored."""
        ...

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """Tell what became of the sender's messages, in order."""
        ...

    def fail(self, reason: str) -> None:
        """Nothing could be stored; the sender is to come again later."""
        ...


Item = tuple[Sender, bytes]


class Writer:
    """The only one that stores what trainers send. Its methods belong to the event loop."""

    def __init__(
        self, committer: Committer, counters: Counters, publish: Callable[[Committed], None]
    ) -> None:
        self._committer = committer
        self._counters = counters
        self._publish = publish
        self._waiting: OrderedDict[Sender, deque[bytes]] = OrderedDict()
        self._waiting_messages = 0
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        # Whoever waits for room takes it in turn: a fast sender queues behind all others each time.
        self._door = asyncio.Lock()
        self._stopping = False
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "gainstage-writer")

    async def submit(self, sender: Sender, data: bytes) -> None:
        """Have `data` stored; waits while too much is waiting already."""
        async with self._door:
            await self._room.wait()
        if self._stopping:
            return
        self._waiting.setdefault(sender, deque()).append(data)
        self._waiting_messages += 1
        self._waiting_bytes += len(data)
        if self._full:
            self._room.clear()
        self._arrived.set()

    async def run(self) -> None:
        """Commit until `stop` was called and nothing waits."""
        while True:
            if batch := self._take():
                begun = time.monotonic()
                async with self.pause():
                    await self._commit(batch)
                if len(batch) < FEW_MESSAGES:
                    await asyncio.sleep(min(time.monotonic() - begun, REST_SECONDS))
            elif self._stopping:
                break
            else:
                await self._arrived.wait()
                self._arrived.clear()
        self._thread.shutdown()

    def stop(self) -> None:
        """Take nothing more; `run` returns after the last commit."""
        self._stopping = True
        self._arrived.set()
        self._room.set()

    @contextlib.asynccontextmanager
    async def pause(self) -> AsyncGenerator[None]:
        """Within the block nothing is committed, and what was is known to everyone."""
        async with self._turn:
            yield

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages that are not committed yet, and their bytes."""
        return self._waiting_messages, self._waiting_bytes

    @property
    def crowded(self) -> bool:
        """Whether more waits than one batch takes."""
        return self._waiting_messages > BATCH_MESSAGES or self._waiting_bytes > BATCH_BYTES

    @property
    def _full(self) -> bool:
        return self._waiting_messages >= WAITING_MESSAGES or self._waiting_bytes >= WAITING_BYTES

    def _take(self) -> list[Item]:
        """The next batch: one message of each sender in turn, those of one sender in order."""
        batch: list[Item] = []
        size = 0
        while self._waiting and len(batch) < BATCH_MESSAGES and size < BATCH_BYTES:
            sender, messages = self._waiting.popitem(last=False)
            data = messages.popleft()
            if messages:
                self._waiting[sender] = messages
            self._waiting_messages -= 1
            size += len(data)
            # After a failure an acknowledgement would cover the messages that were lost.
            if not sender.failed:
                batch.append((sender, data))
        self._waiting_bytes -= size
        if not self._full:
            self._room.set()
        return batch

    async def _commit(self, batch: list[Item]) -> None:
        if await self._try(batch):
            return
        by_sender: dict[Sender, list[Item]] = {}
        for item in batch:
            by_sender.setdefault(item[0], []).append(item)
        # One sender's messages must not keep those of the others from being stored.
        for sender, items in by_sender.items():
            if len(by_sender) == 1 or not await self._try(items):
                sender.fail("The server cannot store anything now. Try again later.")

    async def _try(self, batch: list[Item]) -> bool:
        """Whether the batch was committed; then everyone is told."""
        begun = time.perf_counter()
        try:
            committed = await asyncio.get_running_loop().run_in_executor(
                self._thread,
                self._committer.commit,
                [Sent(data, sender.behind, sender.project) for sender, data in batch],
            )
        except StoreError as error:
            self._counters.commit_failures += 1
            log.error("%s", error)
            return False
        except Exception:
            self._counters.commit_failures += 1
            log.exception("A batch of %d messages could not be stored.", len(batch))
            return False
        self._counters.commit_seconds.observe(time.perf_counter() - begun)
        self._counters.count(committed)
        self._publish(committed)
        answers: dict[Sender, list[Outcome]] = {}
        for (sender, _), outcome in zip(batch, committed.outcomes, strict=True):
            answers.setdefault(sender, []).append(outcome)
        for sender, outcomes in answers.items():
            sender.answer(outcomes)
        return True
