"""What the monitor's hooks take on an unsampled step, in a tight loop."""

import statistics
import time
from typing import Any

import keras
import numpy as np

from gainstage import LayerMonitor

CALLS = 1_000
# Odd, so that the median is one of them.
REPEATS = 31
# Steps between samples, so many that the loop meets none. Hooks are the same as under "auto".
FAR = 10 * CALLS * REPEATS


class Loop(keras.callbacks.Callback):
    """Calls the hooks of a monitor that is at work, after its first sample.

    Attributes:
        seconds: What they take longer than those of a callback that has none; None before.
    """

    def __init__(self, monitor: LayerMonitor) -> None:
        super().__init__()
        self.seconds: float | None = None
        self._monitor = monitor

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Measures once, then ends the training."""
        if not self._monitor.frames:
            return
        # Takes in what was made of that sample.
        self._monitor.on_train_batch_begin(batch)
        bare = keras.callbacks.Callback()
        self.seconds = _step(self._monitor, logs) - _step(bare, logs)
        self.model.stop_training = True


def _step(callback: keras.callbacks.Callback, logs: Any) -> float:
    taken: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for step in range(CALLS):
            callback.on_train_batch_begin(step, None)
            callback.on_train_batch_end(step, logs)
        taken.append((time.perf_counter() - began) / CALLS)
    return statistics.median(taken)


def unsampled_step_seconds() -> float:
    """Seconds that an unsampled step takes longer, without a server: it is not in these hooks."""
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.zeros((80, 4), np.float32)
    monitor = LayerMonitor(False, every=FAR)
    loop = Loop(monitor)
    model.fit(x, x[:, :1], batch_size=8, verbose=0, callbacks=[monitor, loop])
    if loop.seconds is None:
        raise RuntimeError("The monitor took no sample.")
    return loop.seconds
