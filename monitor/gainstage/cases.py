"""The cases on which "kernel or activity regularizer?" is decided, on data that ships in packages.

A hidden sigmoid layer over many positive features below 1, small weights, and outputs in the
hundreds: the canonical case. The demo shows it, the tests and benchmarks vary it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from sklearn import datasets

FEATURES = 2_048
UNITS = 64
BATCH = 32
# 20 epochs of digits; a smaller data set is gone through more often.
STEPS = 900
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Data:
    """A classification task: inputs [examples, features] in float32, classes [examples]."""

    train_x: Array
    train_y: npt.NDArray[np.int64]
    test_x: Array
    test_y: npt.NDArray[np.int64]
    classes: int

    @property
    def epochs(self) -> int:
        """How often the data is gone through in a training of `STEPS` steps."""
        return ceil(STEPS / ceil(len(self.train_x) / BATCH))


def load(name: str, *, seed: int = 0) -> Data:
    """Data set `name` of scikit-learn ("digits", "breast_cancer", "wine") in random features.

    Each is scaled to 0..1 and multiplied by a random matrix; magnitudes scaled to below 1 are the
    2,048 positive features (random features, Rahimi & Recht 2007). A fifth is held out.
    """
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    rng = np.random.default_rng(seed)
    x = x / np.maximum(x.max(axis=0), 1e-9)
    x = np.abs(x @ rng.normal(size=(x.shape[1], FEATURES)))
    x = (x / x.max()).astype(np.float32)
    order = rng.permutation(len(x))
    train, test = np.split(order, [4 * len(x) // 5])
    return Data(x[train], y[train], x[test], y[test], int(y.max()) + 1)


@dataclass(frozen=True)
class Case:
    """A hidden layer and its input, with the verdict that fits.

    Attributes:
        verdict: The right verdict about the hidden layer.
        mean: Mean of the kernel's initial weights.
        std: Their standard deviation; by default what keeps the variance.
        bias: What the bias begins with.
        scale: What the input is multiplied by.
        activation: Of the hidden layer.
        optimizer: Makes the optimizer.
    """

    name: str
    verdict: str
    mean: float = 0.0
    std: float = FEATURES**-0.5
    bias: float = 0.0
    scale: float = 1.0
    activation: str = "sigmoid"
    optimizer: Callable[[], Any] = field(
        default=lambda: keras.optimizers.SGD(0.05, momentum=0.9), repr=False
    )

    def hidden(self) -> list[Any]:
        """The layers of this case between input and output."""
        kernel: Any = keras.initializers.RandomNormal(self.mean, self.std)
        bias: Any = keras.initializers.Constant(self.bias) if self.bias else "zeros"
        return [
            keras.layers.Dense(
                UNITS,
                activation=self.activation,
                kernel_initializer=kernel,
                bias_initializer=bias,
                name="hidden",
            )
        ]


def _adam() -> Any:
    return keras.optimizers.Adam(1e-3)


CANONICAL = Case("canonical", "activity", mean=0.30, std=0.05)
# The rows of the measured table, under SGD with momentum and under Adam, each fault's twins that
# an activity penalty does not mend, and networks that have no fault.
CASES = (
    CANONICAL,
    Case("aligned 16", "activity", mean=0.05, std=0.10),
    Case("aligned 10", "activity", mean=0.03, std=0.10),
    Case("canonical, Adam", "activity", mean=0.30, std=0.05, optimizer=_adam),
    Case("aligned 16, Adam", "activity", mean=0.05, std=0.10, optimizer=_adam),
    Case("loud input", "input", scale=100.0),
    Case("large weights", "kernel", std=4.0),
    Case("large bias", "bias", bias=30.0),
    Case("dead units", "dead", mean=-0.05, std=0.01, activation="relu"),
    Case("healthy", "healthy"),
    Case("healthy, Adam", "healthy", optimizer=_adam),
    Case("healthy, tanh", "healthy", activation="tanh"),
    Case("healthy, ReLU", "healthy", activation="relu"),
)


def build(data: Data, case: Case, hidden: list[Any]) -> Any:
    """The compiled model of `case` with the layers `hidden`."""
    model = keras.Sequential(
        [
            keras.layers.Input((FEATURES,)),
            *hidden,
            keras.layers.Dense(data.classes, activation="softmax", name="classes"),
        ]
    )
    model.compile(case.optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    make_ready(model, data.train_x, data.train_y)
    return model


def make_ready(model: Any, x: Any, y: Any) -> None:
    """Makes what the first step of `model` would make: TensorFlow traces such a step twice.

    Args:
        model: Built and compiled, with arrays as inputs, outputs and targets.
        x: Its inputs, of which the first example is looked at.
        y: Its targets.
    """
    model.optimizer.build(model.trainable_variables)
    model.compute_metrics(x[:1], y[:1], model(x[:1]))
    model.reset_metrics()


def train(
    model: Any, data: Data, case: Case, callbacks: list[Any], *, epochs: int | None = None
) -> float:
    """Trains `model` and returns its accuracy on the held-out examples.

    `epochs` is `data.epochs` unless given.
    """
    model.fit(
        data.train_x * np.float32(case.scale),
        data.train_y,
        batch_size=BATCH,
        epochs=epochs or data.epochs,
        verbose=0,
        callbacks=callbacks,
    )
    _, accuracy = model.evaluate(data.test_x * np.float32(case.scale), data.test_y, verbose=0)
    return float(accuracy)
