"""Viewers that look at runs in turn, in a thread of this process."""

import asyncio
import contextlib
import json
import random
import threading
from collections.abc import Callable
from typing import Self

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

LOOK_SECONDS = 5.0, 30.0  # at one run
SLOW_EVERY = 4  # so many viewers, one does not keep up
SLOW_SECONDS = 1.0  # between two messages that it reads


class Viewers:
    """So many, until the block ends.

    Args:
        url: Address of the server.
        count: How many.
        choose: Draws the run to look at; told whether it is for a slow viewer.
        seed: Of all that is drawn.

    Attributes:
        messages: Received by all.
        looks: How often one subscribed.
    """

    def __init__(self, url: str, count: int, choose: Callable[[bool], str], seed: int) -> None:
        self.messages = self.looks = 0
        self._live = f"{url.replace('http', 'ws', 1)}/api/v1/live"
        self._count, self._choose = count, choose
        self._rng = random.Random(seed)
        self._ended = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._run()), name="viewers"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()

    async def _run(self) -> None:
        viewers = [
            asyncio.create_task(self._view(slow=place % SLOW_EVERY == 0))
            for place in range(self._count)
        ]
        await self._ended.wait()
        for viewer in viewers:
            viewer.cancel()
        await asyncio.gather(*viewers, return_exceptions=True)

    async def _view(self, *, slow: bool) -> None:
        while True:
            # Whoever is cut off, or not let in, comes again.
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async with connect(self._live, max_size=None, max_queue=1) as socket:
                    await self._look(socket.send, socket.recv, slow=slow)
            await asyncio.sleep(1.0)

    async def _look(self, send: Callable, receive: Callable, *, slow: bool) -> None:
        self.looks += 1
        await send(json.dumps({"type": "subscribe", "run": self._choose(slow)}))
        async with asyncio.timeout(self._rng.uniform(*LOOK_SECONDS)):
            while True:
                await receive()
                self.messages += 1
                if slow:
                    await asyncio.sleep(SLOW_SECONDS)
