"""Trains a model whose hidden layer is too loud, until told that it may recover: `fit.py URL`.

A line on stdin makes the layer quiet; the next one, or the end of stdin, ends the training.
"""

import os
import sys
import threading
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from gainstage import LayerMonitor

LOUDER = 40.0
EXAMPLES, FEATURES, UNITS = 64, 8, 16


class Told(keras.callbacks.Callback):
    """Does between two steps what the lines that came so far say."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0
        self.done = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while sys.stdin.readline():
            self.lines += 1
        self.lines = 2

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.lines and not self.done:
            kernel, bias = self.model.get_layer("hidden").get_weights()
            self.model.get_layer("hidden").set_weights([kernel / LOUDER, bias])
            self.done = True
        if self.lines > 1:
            self.model.stop_training = True


def main(url: str) -> None:
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(UNITS, activation="tanh", name="hidden")
    model = keras.Sequential([keras.layers.Input((FEATURES,)), hidden, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    kernel, bias = hidden.get_weights()
    hidden.set_weights([LOUDER * kernel, bias])
    x = np.random.default_rng(0).normal(size=(EXAMPLES, FEATURES)).astype(np.float32)
    monitor = LayerMonitor(url, project="ops", run="recovers", every=5)
    model.fit(x, x[:, :1], batch_size=8, epochs=10**6, verbose=0, callbacks=[monitor, Told()])


if __name__ == "__main__":
    main(*sys.argv[1:])
