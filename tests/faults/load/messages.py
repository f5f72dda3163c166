"""The messages of a run that nobody trains, each made when it is sent, and the same each time."""

import time
from dataclasses import dataclass

from benchmarks.delivery.frames import ATTEMPT, SCHEMA, Messages
from msgspec.structs import replace

from gainstage import wire


def frame(run: str, layers: int, place: int, made: float) -> bytes:
    """The frame at `place` of a run, which was made at the Unix time `made`."""
    header, body = Messages(run, layers, place).next_header()
    return wire.encode(replace(header, time=made), body.blocks)


def end(run: str, frames: int, made: float) -> bytes:
    """What comes after so many frames."""
    return wire.encode(
        wire.RunEnd(
            run=run,
            attempt=ATTEMPT,
            seq=SCHEMA + 1 + frames,
            time=made,
            status="completed",
            frames=frames,
        )
    )


@dataclass(frozen=True)
class Delay:
    """When a frame was made, and when it was acknowledged, in Unix time."""

    made: float
    stored: float

    @property
    def seconds(self) -> float:
        """From one to the other."""
        return self.stored - self.made


class Waiting:
    """What the server has not acknowledged: when each was made, which says all of it.

    Attributes:
        frames: That were ever put here.
        delays: Of those that are gone.
    """

    def __init__(self, run: str, layers: int) -> None:
        self.frames = 0
        self.delays: list[Delay] = []
        self._run, self._layers = run, layers
        self._opening = Messages(run, layers).opening()
        self._made = dict.fromkeys(range(SCHEMA + 1), time.time())
        self._ended = False

    def __len__(self) -> int:
        return len(self._made)

    def sample(self) -> None:
        """One more frame."""
        self.frames += 1
        self._made[SCHEMA + self.frames] = time.time()

    def end(self) -> None:
        """No more frames."""
        self._ended = True
        self._made[SCHEMA + 1 + self.frames] = time.time()

    def after(self, seq: int, limit: int) -> list[tuple[int, bytes]]:
        """As `gainstage.delivery.Queue` has it."""
        chosen = [waiting for waiting in self._made if waiting > seq][:limit]
        return [(waiting, self._body(waiting)) for waiting in chosen]

    def remove_through(self, seq: int) -> None:
        """The same."""
        now = time.time()
        for gone in [waiting for waiting in self._made if waiting <= seq]:
            made = self._made.pop(gone)
            if SCHEMA < gone <= SCHEMA + self.frames:
                self.delays.append(Delay(made, now))

    def remove(self, seq: int) -> None:
        """A message was refused.

        Raises:
            RuntimeError: None is to be.
        """
        raise RuntimeError(f"The server refused message {seq} of {self._run}.")

    def _body(self, seq: int) -> bytes:
        if seq <= SCHEMA:
            return self._opening[seq]
        if self._ended and seq == SCHEMA + 1 + self.frames:
            return end(self._run, self.frames, self._made[seq])
        return frame(self._run, self._layers, seq - SCHEMA - 1, self._made[seq])
