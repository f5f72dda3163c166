"""A network that fails on demand: a TCP proxy between two processes, in a thread of this one."""

import asyncio
import contextlib
import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Self

CHUNK = 2**16


class Proxy:
    """Hands on what passes between whoever connects to `url` and a port of this machine.

    Of several ports, as a load balancer does: each connection goes to the next that takes it.

    Attributes:
        delay: Seconds by which each chunk is late.
        rate: Bytes a second in each direction; None: as fast as it goes.
        connections: How many there were.
    """

    def __init__(self, *ports: int) -> None:
        self.delay = 0.0
        self.rate: float | None = None
        self.connections = 0
        self._ports = deque(ports)
        self._refusing = False
        self._writers: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def cut(self) -> None:
        """Breaks every connection off, and each that is made until `mend`."""
        self._do(self._cut)

    def _cut(self) -> None:
        self._refusing = True
        for pair in self._writers:
            _abort(pair)

    def cut_one(self, rng: random.Random) -> None:
        """Breaks one connection off."""
        self._do(lambda: _abort(rng.choice(self._writers)) if self._writers else None)

    def hold(self) -> None:
        """Lets nothing pass any more and tells nobody: neither data nor the end of a connection."""
        self._do(self._flowing.clear)

    def mend(self) -> None:
        """Lets pass what was held back, and takes connections again."""
        self._do(self._mend)

    def _mend(self) -> None:
        self._refusing = False
        self._flowing.set()

    def _do(self, change: Callable[[], None]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (change(), done.set()))
        assert done.wait(10)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # in which transports that were aborted are closed

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if not self._refusing:
                await self._flowing.wait()
                await self._hand_on(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # nobody listens there; or this is the end, of which streams would complain
        finally:
            writer.transport.abort()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for others in reversed(range(len(self._ports))):
            self._ports.rotate(-1)
            try:
                return await asyncio.open_connection("127.0.0.1", self._ports[0])
            except OSError:
                if not others:
                    raise
        raise AssertionError("There is at least one port.")

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, on = await self._reach()
        pair = (writer, on)
        self._writers.append(pair)
        try:
            await asyncio.gather(self._pump(reader, on), self._pump(there, writer))
        finally:
            self._writers.remove(pair)
            on.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                wait = self.delay + (len(data) / self.rate if self.rate else 0.0)
                if wait:
                    await asyncio.sleep(wait)
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            await self._flowing.wait()
            writer.write_eof()


def _abort(pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
    for writer in pair:
        writer.transport.abort()
