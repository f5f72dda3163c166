"""What the monitor's hooks take on an unsampled step, in a tight loop."""

import statistics
import time
from typing import Any

import keras
import numpy as np

from gainstage import LayerMonitor
from gainstage.cadence import OPENING_SAMPLES

CALLS = 1_000
# Odd, so that the median is one of them.
REPEATS = 31
STEPS = 1_000


class Loop(keras.callbacks.Callback):
    """Calls the hooks of a monitor that is at work, right after a sample that ended its opening.

    Attributes:
        seconds: What they take longer than those of a callback that has none; None before.
    """

    def __init__(self, monitor: LayerMonitor) -> None:
        super().__init__()
        self.seconds: float | None = None
        self._monitor = monitor
        self._frames = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Measures once, then ends the training."""
        before, self._frames = self._frames, self._monitor.frames
        if self._frames <= max(before, OPENING_SAMPLES):
            return
        self.seconds = self._step(self._monitor, logs) - self._step(
            keras.callbacks.Callback(), logs
        )
        self.model.stop_training = True

    def _step(self, callback: keras.callbacks.Callback, logs: Any) -> float:
        function = self.model.train_function
        taken: list[float] = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            for step in range(CALLS):
                callback.on_train_batch_begin(step, None)
                callback.on_train_batch_end(step, logs)
            seconds = (time.perf_counter() - began) / CALLS
            # Where the machine took the core away for long, the cadence saw a long step and wants
            # a sample: that was no unsampled step.
            if self.model.train_function is function:
                taken.append(seconds)
            self.model.train_function = function
        return statistics.median(taken)


def unsampled_step_seconds() -> float:
    """Seconds that an unsampled step takes longer, without a server: it is not in these hooks."""
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.zeros((STEPS * 8, 4), np.float32)
    monitor = LayerMonitor(False)
    loop = Loop(monitor)
    model.fit(x, x[:, :1], batch_size=8, epochs=100, verbose=0, callbacks=[monitor, loop])
    if loop.seconds is None:
        raise RuntimeError("The monitor's opening did not end.")
    return loop.seconds
