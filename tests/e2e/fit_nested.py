"""Trains a model of blocks under the monitor, one layer out of range: `fit_nested.py URL RUN`."""

import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers

from gainstage import LayerMonitor, cases

BLOCKS = 6
LAYERS_OF_A_BLOCK = 6


def build() -> Any:
    """An encoder whose second layer begins too loud, and residual blocks: 45 layers in all."""
    loud = keras.initializers.RandomNormal(stddev=3.0)
    encoder = keras.Sequential(
        [
            layers.Dense(32, activation="tanh", name="first"),
            layers.Dense(16, activation="sigmoid", kernel_initializer=loud, name="second"),
        ],
        name="encoder",
    )
    inputs = keras.Input((20,))
    x: Any = encoder(inputs)
    for block in range(BLOCKS):
        before = x
        for layer in range(LAYERS_OF_A_BLOCK):
            x = layers.Dense(16, activation="tanh", name=f"block_{block}_dense_{layer}")(x)
        x = layers.Add(name=f"block_{block}_add")([before, x])
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="classes")(x))


def main(url: str, run: str) -> None:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy")
    monitor = LayerMonitor(url, project="e2e", run=run, every=5)
    x = rng.uniform(0, 5, (128, 20)).astype("float32")
    y = rng.integers(0, 3, 128)
    cases.make_ready(model, x, y)
    model.fit(x, y, batch_size=16, epochs=30, verbose=0, callbacks=[monitor])


if __name__ == "__main__":
    main(*sys.argv[1:])
