"""Whether the memory of the training process grows with the steps that were watched."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from benchmarks.machine import resident_mib
from gainstage import LayerMonitor

EVERY = 10
# Measurements of a training; what the first fifth of them shows is allocators filling their pools.
MARKS = 10
BATCH = 64
EPOCH = 100  # steps


@dataclass(frozen=True)
class Growth:
    """Resident memory of the process while it trained.

    Attributes:
        steps: At which it was measured.
        mib: What it was there.
        growth: MiB, from the end of the warm-up to the end.
        slope: MiB in 1,000 samples, by least squares over the same steps.
    """

    steps: list[int]
    mib: list[float]
    growth: float
    slope: float

    @classmethod
    def of(cls, steps: Sequence[int], mib: Sequence[float]) -> "Growth":
        """The figures of what was measured, the warm-up left out of them."""
        kept = slice(max(0, len(steps) // 5 - 1), None)
        slope = np.polyfit(np.array(steps[kept]) / EVERY / 1_000, mib[kept], 1)[0]
        return cls(list(steps), list(mib), mib[-1] - mib[kept][0], float(slope))


class Marks(keras.callbacks.Callback):
    """Measures at every `apart`th step."""

    def __init__(self, apart: int) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.mib: list[float] = []
        self._apart, self._step = apart, 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts and measures."""
        self._step += 1
        if self._step % self._apart == 0:
            self.steps.append(self._step)
            self.mib.append(resident_mib())


def train(steps: int, callbacks: Sequence[keras.callbacks.Callback]) -> Growth:
    """Trains a small model for `steps`, in epochs of `EPOCH`."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    hidden = [layers.Dense(32, activation="tanh") for _ in range(4)]
    model = keras.Sequential([layers.Input((32,)), *hidden, layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(EPOCH * BATCH, 32)).astype(np.float32)
    marks = Marks(max(1, steps // MARKS))
    model.fit(
        x,
        x[:, :1],
        batch_size=BATCH,
        epochs=-(-steps // EPOCH),
        verbose=0,
        callbacks=[*callbacks, marks],
    )
    return Growth.of(marks.steps, marks.mib)


def measure(steps: int, url: str | Literal[False], folder: Path) -> dict[str, Growth]:
    """Without and with a monitor, one after the other in this process."""
    monitor = LayerMonitor(url, every=EVERY, spool=folder / "spool")
    return {"no-op": train(steps, []), "gainstage": train(steps, [monitor])}
