"""Trainings by Keras, one after the other, as they are asked for on standard input.

    python -m tests.faults.fits JOURNAL

A line of the input is a `Fit` as JSON. Each prints "halfway RUN" where it waits, and at its end
"weights RUN DIGEST".
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from gainstage import LayerMonitor

from .journal import keep
from .plans import STEPS, Fit
from .trainer import shorten

BATCH = 8


class Halfway(keras.callbacks.Callback):
    """Waits for a line in the middle of the training."""

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == STEPS // 2:
            print("halfway", self._run, flush=True)
            sys.stdin.readline()


def model() -> Any:
    """With a layer of every kind that a monitor could disturb: random, normalised, recurrent."""
    layers = keras.layers
    made = keras.Sequential(
        [
            layers.Input((6, 4)),
            layers.LSTM(8),
            layers.Dense(16, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    made.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return made


def train(fit: Fit) -> str:
    """A digest of all weights after it."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(6)
    rng = np.random.default_rng(6)
    x = rng.normal(size=(STEPS * BATCH, 6, 4)).astype(np.float32)
    y = rng.integers(0, 3, len(x))
    made = model()
    callbacks: list[Any] = [Halfway(fit.run)] if fit.halfway else []
    if fit.url is not None:
        monitor = LayerMonitor(fit.url, run=fit.run, every=1, spool=fit.folder)
        callbacks.append(monitor)
    made.fit(x, y, batch_size=BATCH, verbose=0, callbacks=callbacks)
    weights = [np.asarray(one) for one in (*made.variables, *made.optimizer.variables)]
    return hashlib.sha256(b"".join(one.tobytes() for one in weights)).hexdigest()


def main(journal: Path) -> None:
    """Trains until the input ends."""
    tf.config.experimental.enable_op_determinism()
    shorten()
    keep(journal)
    for line in iter(sys.stdin.readline, ""):
        fit = Fit.read(line)
        print("weights", fit.run, train(fit), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
