"""What watching a training costs: ratios to plain training, all in one process and in turns.

    python -m benchmarks.overhead [--rounds N] [--steps N] [--json]

Each arm trains its own copy of a model on the same batches, in one `fit` in a thread of its own;
threads take turns epoch by epoch, so that whatever else the machine does falls on all arms. A ratio
is the median over the rounds of an arm's epoch to the plain epoch of the same round. The first
round, in which functions are traced, is reported apart, as the seconds that it took longer.

Beside Gainstage stands what people write by hand: a callback that fetches the outputs of all layers
with `predict` every 20 steps, and takes mean, spread and share of large values of each.
"""

import argparse
import json
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from gainstage import LayerMonitor

layers = keras.layers
BATCH = 32
EVERY = 20


@dataclass(frozen=True)
class Workload:
    """A model and the shape of its inputs."""

    name: str
    shape: tuple[int, ...]
    layers: Callable[[], list[Any]]

    def build(self) -> Any:
        """The compiled model, the same at each call."""
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [layers.Input(self.shape), *self.layers(), layers.Dense(10, activation="softmax")]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        return model


WORKLOADS = (
    Workload("MLP, 2,048 inputs", (2048,), lambda: [layers.Dense(64, activation="sigmoid")]),
    Workload(
        "MLP, 10 layers of 512",
        (512,),
        lambda: [layers.Dense(512, activation="tanh") for _ in range(10)],
    ),
    Workload(
        "CNN, 32 x 32 x 3",
        (32, 32, 3),
        lambda: [
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
        ],
    ),
    Workload("LSTM, 40 steps of 32", (40, 32), lambda: [layers.LSTM(64)]),
)


class PredictOutputs(keras.callbacks.Callback):
    """The callback that people write by hand."""

    def __init__(self, examples: Any) -> None:
        super().__init__()
        self._examples = examples
        self.figures: list[tuple[float, float, float]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Makes the model that is asked."""
        outputs = [layer.output for layer in self.model.layers]
        self._outputs = keras.Model(self.model.inputs, outputs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Asks it."""
        if batch % EVERY:
            return
        found = self._outputs.predict(self._examples, verbose=0)
        self.figures = [
            (float(y.mean()), float(y.std()), float((np.abs(y) > 5).mean())) for y in found
        ]


class Turns(keras.callbacks.Callback):
    """Trains an epoch when it is its turn, notes how long that took, and passes the turn on."""

    def __init__(self, mine: threading.Semaphore, following: threading.Semaphore) -> None:
        super().__init__()
        self._mine, self._following = mine, following
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Waits for its turn."""
        self._mine.acquire()
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Passes it on."""
        self.seconds.append(time.perf_counter() - self._began)
        self._following.release()


def arms(x: Any) -> dict[str, list[Any]]:
    """Name -> callbacks; plain training first."""
    return {
        "plain": [],
        "gainstage, auto": [LayerMonitor(False)],
        f"gainstage, every {EVERY}": [LayerMonitor(False, every=EVERY)],
        f"predict, every {EVERY}": [PredictOutputs(x[:16])],
    }


def measure(workload: Workload, rounds: int, steps: int) -> dict[str, dict[str, float]]:
    """Arm -> its ratio to plain training, and the seconds that its first epoch took longer."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps * BATCH, *workload.shape)).astype(np.float32)
    y = rng.integers(0, 10, steps * BATCH)
    watched = arms(x)
    turns = [threading.Semaphore(0) for _ in watched]
    clocks = [
        Turns(mine, following) for mine, following in zip(turns, turns[1:] + turns[:1], strict=True)
    ]
    fit = {"batch_size": BATCH, "epochs": 1 + rounds, "verbose": 0, "shuffle": False}
    threads = [
        threading.Thread(
            target=workload.build().fit, args=(x, y), kwargs={**fit, "callbacks": [clock, *given]}
        )
        for clock, given in zip(clocks, watched.values(), strict=True)
    ]
    for thread in threads:
        thread.start()
    turns[0].release()
    for thread in threads:
        thread.join()
    plain = clocks[0].seconds
    return {
        name: {
            "ratio": statistics.median(
                mine / theirs for mine, theirs in zip(clock.seconds[1:], plain[1:], strict=True)
            ),
            "first epoch, seconds more": clock.seconds[0] - plain[0],
            "step, ms": 1e3 * statistics.median(clock.seconds[1:]) / steps,
        }
        for name, clock in zip(watched, clocks, strict=True)
    }


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overhead", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=15, help="epochs that count, of each arm")
    parser.add_argument("--steps", type=int, default=200, help="steps of an epoch")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    with redirect_stdout(None):  # of the tables at the end of each `fit`
        measured = {
            workload.name: measure(workload, given.rounds, given.steps) for workload in WORKLOADS
        }
    if given.json:
        print(json.dumps(measured))
        return
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, {os.cpu_count()} CPUs,")
    print(f"{platform.platform()}; {given.rounds} rounds of {given.steps} steps, batch {BATCH}\n")
    for name, found in measured.items():
        print(name)
        for arm, figures in found.items():
            print(
                f"  {arm:22} {figures['ratio']:6.3f} x  {figures['step, ms']:7.2f} ms a step"
                f"  first epoch {figures['first epoch, seconds more']:+5.2f} s"
            )


if __name__ == "__main__":
    main()
