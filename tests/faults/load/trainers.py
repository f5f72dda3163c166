"""All trainers in one process: `python -m tests.faults.load.trainers WORK`.

WORK is a `Work` as JSON. Prints, as JSON, a `Ran` for each run that has ended or is left as it is
at the end, a `Steady` and a `Burst` when these begin, and at last a `Sent`.
"""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import Callable

import msgspec
import numpy as np
from benchmarks.delivery.frames import ATTEMPT
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from gainstage import handshake, wire
from gainstage.delivery import ANSWER_SECONDS, Delivery
from gainstage.uplink import ingest_url
from gainstage.workers import CHIEF

from .messages import Delay, Waiting

PATIENCE = 120.0


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What these trainers are to do.

    Attributes:
        runs: At a time.
        frames: Of a run that ends.
        every: Seconds between two frames of a run.
        ramp: Seconds in which the runs begin, one after the other.
        seconds: From then to the burst.
        burst: Seconds that it takes.
    """

    url: str
    runs: int
    layers: int
    frames: int
    every: float
    ramp: float
    seconds: float
    burst: float
    seed: int


class Ran(msgspec.Struct, frozen=True, tag=True):
    """A run all of whose messages were acknowledged; what is left as it is goes on for ever."""

    run: str
    frames: int
    ended: bool


class Steady(msgspec.Struct, frozen=True, tag=True):
    """From now on as many runs go on as there are to be."""


class Burst(msgspec.Struct, frozen=True, tag=True):
    """From now on all send as fast as they can."""


class Sent(msgspec.Struct, frozen=True, tag=True):
    """What became of frames in the steady time, and in the burst.

    Attributes:
        frames: Acknowledged at any time.
        per_second: Frames acknowledged in the steady time.
        delay_p99: Seconds from when a frame was made to when it was acknowledged.
        delay_worst: The longest of these.
        burst_per_second: Frames acknowledged in the burst.
        lost: Connections that ended before they were to.
    """

    frames: int
    per_second: float
    delay_p99: float
    delay_worst: float
    burst_per_second: float
    lost: int


Told = Ran | Steady | Burst | Sent


class Trainer:
    """One run, its queue and its connections."""

    def __init__(self, work: Work, run: str) -> None:
        self.run = run
        self.waiting = Waiting(run, work.layers)
        self.lost = 0
        self.flooding = False
        self._work = work
        self._address = ingest_url(work.url)
        self._delivery = Delivery(self.waiting, random.random)
        self._ending = False
        self._wake = asyncio.Event()

    async def sample(self, first: float, frames: int, until: float) -> None:
        """Make frames at their times, the first one at `first`, and no more from `until` on."""
        for place in range(frames):
            due = first + place * self._work.every
            await asyncio.sleep(min(due, until) - time.monotonic())
            if due >= until:
                return
            self.waiting.sample()
            self._wake.set()

    def end(self, *, told: bool) -> None:
        """Have `deliver` return when all is acknowledged; where it is `told`, so is the server."""
        if told:
            self.waiting.end()
        self._ending = True
        self.wake()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def deliver(self) -> None:
        """Send all that waits, over one connection after another."""
        while not self._ending or len(self.waiting):
            await asyncio.sleep(self._delivery.retry_at - time.monotonic())
            try:
                async with connect(
                    self._address,
                    additional_headers=handshake.headers(
                        time.time(), None, (self.run, ATTEMPT, CHIEF)
                    ),
                    compression=None,
                    max_size=wire.MAX_MESSAGE_BYTES,
                    open_timeout=handshake.TIMEOUT,
                    ping_interval=None,
                    proxy=None,
                ) as socket:
                    self._delivery.connected(time.monotonic())
                    await self._talk(socket)
            except (OSError, WebSocketException, TimeoutError):
                self.lost += 1
                self._delivery.lost(time.monotonic())

    async def _talk(self, socket: ClientConnection) -> None:
        hearing = asyncio.create_task(self._hear(socket))
        try:
            while not self._ending or len(self.waiting):
                self._wake.clear()
                if self.flooding and not len(self.waiting):
                    self.waiting.sample()
                for message in self._delivery.messages_to_send(time.monotonic()):
                    await socket.send(message)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), ANSWER_SECONDS)
                if hearing.done():
                    await hearing
                if self._delivery.overdue(time.monotonic()):
                    raise TimeoutError("The server owes an answer.")
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self, socket: ClientConnection) -> None:
        try:
            while True:
                self._delivery.received(await socket.recv(), time.monotonic())
                self._wake.set()
        finally:
            self._wake.set()


class Trainers:
    """So many runs at a time, of which each that ends is followed by another."""

    def __init__(self, work: Work, tell: Callable[[Told], None]) -> None:
        self._work, self._tell = work, tell
        self._rng = random.Random(work.seed)
        self._begun = 0
        self._going: set[Trainer] = set()
        self._delays: list[Delay] = []
        self._lost = 0

    async def run(self) -> None:
        """Train; return when all was acknowledged."""
        work, now = self._work, time.monotonic()
        until = now + work.ramp + work.seconds
        places = [
            asyncio.create_task(self._fill(now + work.ramp * place / work.runs, until))
            for place in range(work.runs)
        ]
        await asyncio.sleep(work.ramp)
        self._tell(Steady())
        begun = time.time()
        await asyncio.sleep(work.seconds)
        burst = time.time()
        self._tell(Burst())
        await self._flood()
        ended = time.time()
        for trainer in self._going:
            trainer.end(told=False)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*places)
        delays = [delay.seconds for delay in self._delays if begun <= delay.made < burst]
        in_burst = sum(burst <= delay.stored < ended for delay in self._delays)
        before = sum(begun <= delay.stored < burst for delay in self._delays)
        self._tell(
            Sent(
                frames=len(self._delays),
                per_second=before / (burst - begun),
                delay_p99=float(np.percentile(delays, 99)),
                delay_worst=max(delays),
                burst_per_second=in_burst / (ended - burst) if self._work.burst else 0.0,
                lost=self._lost,
            )
        )

    async def _flood(self) -> None:
        if not self._work.burst:
            return
        for trainer in self._going:
            trainer.flooding = True
            trainer.wake()
        await asyncio.sleep(self._work.burst)
        for trainer in self._going:
            trainer.flooding = False

    async def _fill(self, first: float, until: float) -> None:
        """One run after the other, until the last one that goes on is ended by someone else."""
        await asyncio.sleep(first - time.monotonic())
        # As if the first one had begun before.
        frames = self._rng.randint(1, self._work.frames)
        ended = True
        while ended and time.monotonic() < until:
            self._begun += 1
            trainer = Trainer(self._work, f"load-{self._begun}")
            self._going.add(trainer)
            delivering = asyncio.create_task(trainer.deliver())
            await trainer.sample(first, frames, until)
            first += frames * self._work.every
            ended = first < until
            if ended:
                trainer.end(told=True)
                self._going.discard(trainer)
            await delivering
            self._lost += trainer.lost
            self._delays += trainer.waiting.delays
            self._tell(Ran(trainer.run, trainer.waiting.frames, ended=ended))
            frames = self._work.frames


def main(work: Work) -> None:
    """Trains."""
    told = Trainers(work, lambda it: print(msgspec.json.encode(it).decode(), flush=True))
    asyncio.run(told.run())


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Work))
