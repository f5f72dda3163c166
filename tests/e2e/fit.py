"""Trains the canonical case under the monitor: `fit.py URL RUN`.

Stops after its first steps until a line comes on stdin, so that a test can look at the page before
there is anything to find.
"""

import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from gainstage import LayerMonitor, cases

PAUSE_AFTER = 2


class Pause(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.optimizer.iterations == PAUSE_AFTER:
            sys.stdin.readline()


def main(url: str, run: str) -> None:
    keras.utils.set_random_seed(0)
    data, case = cases.load("digits"), cases.CANONICAL
    monitor = LayerMonitor(url, project="e2e", run=run, every=10)
    cases.train(cases.build(data, case, case.hidden()), data, case, [monitor, Pause()], epochs=8)


if __name__ == "__main__":
    main(*sys.argv[1:])
