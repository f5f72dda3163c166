"""What hands frames over as the library does, and what that costs the process that trains."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.delivery.frames import ATTEMPT, Messages
from gainstage import wire
from gainstage.spool import Spool
from gainstage.uplink import Uplink

PER_SECOND = 20  # frames, far more than a training samples
PATIENCE = 60.0


@dataclass(frozen=True)
class Milliseconds:
    """How long something took, of so many `frames`."""

    frames: int
    median_ms: float
    p99_ms: float
    worst_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Milliseconds":
        """Of what was measured, one a frame."""
        ms = 1e3 * np.array(seconds)
        return cls(ms.size, float(np.median(ms)), float(np.percentile(ms, 99)), float(ms.max()))


class Trainer:
    """A run's spool and uplink, as the library has them."""

    def __init__(self, folder: Path, url: str, run: str, layers: int) -> None:
        self.messages = Messages(run, layers)
        self._spool = Spool(folder / f"{run}.spool")
        self._uplink = Uplink(self._spool, url, None)
        for seq, message in enumerate(self.messages.opening()):
            self._spool.append(seq, message, frame=False)

    def sample(self) -> float:
        """Make a frame and hand it over; the seconds that this took."""
        header, body = self.messages.next_header()
        begun = time.perf_counter()
        message = wire.encode(header, body.blocks)
        self._spool.append(header.seq, message, frame=True)
        self._uplink.notify()
        return time.perf_counter() - begun

    def end(self) -> None:
        """No more frames."""
        end = wire.RunEnd(
            run=self.messages.run,
            attempt=ATTEMPT,
            seq=self.messages.newest + 1,
            time=time.time(),
            status="completed",
            frames=self.messages.frames,
        )
        self._spool.append(end.seq, wire.encode(end), frame=False)
        self._uplink.notify()

    @property
    def sent(self) -> bool:
        """Whether nothing waits."""
        return self._uplink.delivery.done

    def wait(self) -> None:
        """Until nothing waits.

        Raises:
            RuntimeError: It takes too long.
        """
        self._uplink.drain(PATIENCE)
        if not self.sent:
            raise RuntimeError(f"A run's messages were not stored within {PATIENCE:.0f} s.")

    def close(self) -> None:
        """Let go of spool and uplink."""
        self._uplink.close()
        self._spool.close()


def measure(url: str, folder: Path, *, layers: int, seconds: float) -> Milliseconds:
    """Frames of one run for `seconds`, with the spool in `folder` and an uplink that sends."""
    taken: list[float] = []
    with contextlib.closing(Trainer(folder, url, "training", layers)) as trainer:
        trainer.wait()
        begun = time.monotonic()
        for count in range(max(1, int(seconds * PER_SECOND))):
            time.sleep(max(0.0, begun + count / PER_SECOND - time.monotonic()))
            taken.append(trainer.sample())
        trainer.wait()
    return Milliseconds.of(taken)
