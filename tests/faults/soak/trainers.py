"""Many trainers in one process: `python -m tests.faults.soak.trainers WORK`.

WORK is a `Work` as JSON. Prints an `Ended` as JSON for each run that has ended and been sent whole.
"""

import heapq
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from benchmarks.delivery.trainer import Trainer

# Frames of a run: at one in 10 s, it ends after one to three minutes.
FRAMES = range(6, 19)
EVERY, BUSY_EVERY = 10.0, 0.1  # seconds between two samples
BUSY_TIMES = 60  # so many times the frames
LOOK = 0.2
PATIENCE = 120.0


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What these trainers are to do; where there is a `busy` one, it is the first."""

    url: str
    folder: Path
    name: str
    trainers: int
    layers: int
    seconds: float
    seed: int
    busy: bool


class Ended(msgspec.Struct, frozen=True):
    """A run that ended; its frames come behind `benchmarks.delivery.frames.SCHEMA`."""

    run: str
    frames: int


class Run(Trainer):
    """One run of a trainer, which is to have so many frames."""

    def __init__(self, work: Work, name: str, frames: int) -> None:
        super().__init__(work.folder, work.url, name, work.layers)
        self._frames = frames

    @property
    def full(self) -> bool:
        """Whether it has all its frames."""
        return self.messages.frames >= self._frames

    @property
    def ended(self) -> Ended:
        """What became of it, once nothing of it waits."""
        return Ended(self.messages.run, self.messages.frames)


class Trainers:
    """Takes samples of all runs when they are due, and replaces those that end."""

    def __init__(self, work: Work, told: Callable[[Ended], None]) -> None:
        self._work, self._told = work, told
        self._rng = random.Random(work.seed)
        self._ending: list[Run] = []
        self._due: list[tuple[float, int, Run]] = []
        self._begun = 0
        for place in range(work.trainers):
            self._begin(time.monotonic() + self._rng.uniform(0.0, EVERY), place)

    def _busy(self, place: int) -> bool:
        return self._work.busy and place == 0

    def _begin(self, due: float, place: int) -> None:
        self._begun += 1
        kind = "busy" if self._busy(place) else "run"
        frames = self._rng.choice(FRAMES) * (BUSY_TIMES if self._busy(place) else 1)
        run = Run(self._work, f"{kind}-{self._work.name}-{self._begun}", frames)
        heapq.heappush(self._due, (due, place, run))

    def run(self) -> None:
        """Trains for as long as it is to; then waits until everything is sent.

        Raises:
            RuntimeError: It takes too long.
        """
        end = time.monotonic() + self._work.seconds
        while (now := time.monotonic()) < end:
            while self._due[0][0] <= now:
                self._sample(*heapq.heappop(self._due))
            self._close_those_that_are_sent()
            time.sleep(max(0.0, min(LOOK, self._due[0][0] - time.monotonic())))
        for _, _, run in self._due:
            run.end()
            self._ending.append(run)
        while self._ending:
            if time.monotonic() > end + PATIENCE:
                names = ", ".join(run.messages.run for run in self._ending)
                raise RuntimeError(f"Not sent within {PATIENCE:.0f} s: {names}.")
            self._close_those_that_are_sent()
            time.sleep(LOOK)

    def _sample(self, due: float, place: int, run: Run) -> None:
        run.sample()
        due += BUSY_EVERY if self._busy(place) else EVERY
        if run.full:
            run.end()
            self._ending.append(run)
            self._begin(due, place)
        else:
            heapq.heappush(self._due, (due, place, run))

    def _close_those_that_are_sent(self) -> None:
        for run in [run for run in self._ending if run.sent]:
            self._ending.remove(run)
            run.close()
            self._told(run.ended)


def main(work: Work) -> None:
    """Trains."""
    Trainers(work, lambda ended: print(msgspec.json.encode(ended).decode(), flush=True)).run()


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Work, dec_hook=lambda kind, it: kind(it)))
