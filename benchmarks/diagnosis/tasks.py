"""What is learned in the benchmark: data that ship with packages, or are generated."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import datasets

Array = npt.NDArray[Any]
Rng = np.random.Generator


@dataclass(frozen=True)
class Task:
    """Examples and what is to be said of them.

    Attributes:
        x: [examples, ...] in float32, or in int64 where they are tokens.
        y: Classes [examples] in int64, or values [examples, 1] in float32.
        classes: How many; 0: values are to be said.
        tokens: How many; 0: x is no sequence of tokens.
    """

    x: Array
    y: Array
    test_x: Array
    test_y: Array
    classes: int
    tokens: int = 0

    def scaled(self, factor: float) -> "Task":
        """The same with inputs `factor` times as large."""
        by = np.float32(factor)
        return replace(self, x=self.x * by, test_x=self.test_x * by)


def _split(rng: Rng, x: Array, y: Array, classes: int, tokens: int = 0) -> Task:
    order = rng.permutation(len(x))
    train, test = np.split(order, [4 * len(x) // 5])
    return Task(x[train], y[train], x[test], y[test], classes, tokens)


def _standardised(x: Array) -> Array:
    return ((x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6)).astype(np.float32)


def digits(rng: Rng) -> Task:
    """Pixels from 0 to 1."""
    x, y = datasets.load_digits(return_X_y=True)
    return _split(rng, (x / 16).astype(np.float32), y.astype(np.int64), 10)


def images(rng: Rng) -> Task:
    """The digits as images of one channel."""
    task = digits(rng)
    return replace(task, x=task.x.reshape(-1, 8, 8, 1), test_x=task.test_x.reshape(-1, 8, 8, 1))


def measurements(rng: Rng) -> Task:
    """Wine or breast cancer, as measured: features of very different sizes."""
    load = [datasets.load_wine, datasets.load_breast_cancer][int(rng.integers(2))]
    x, y = load(return_X_y=True)
    return _split(rng, x.astype(np.float32), y.astype(np.int64), int(y.max()) + 1)


def table(rng: Rng) -> Task:
    """Wine or breast cancer, standardised."""
    task = measurements(rng)
    both = _standardised(np.concatenate([task.x, task.test_x]))
    return replace(task, x=both[: len(task.x)], test_x=both[len(task.x) :])


def features(rng: Rng) -> Task:
    """Digits in 256 to 1,024 positive random features below 1 (Rahimi & Recht 2007)."""
    task = digits(rng)
    matrix = rng.normal(size=(task.x.shape[1], int(rng.choice([256, 512, 1024]))))
    train, test = (np.abs(x @ matrix) for x in (task.x, task.test_x))
    top = train.max()
    return replace(task, x=(train / top).astype(np.float32), test_x=(test / top).astype(np.float32))


def blobs(rng: Rng) -> Task:
    """Gaussian clusters around the corners of a cube, standardised."""
    x, y = datasets.make_classification(
        1_500,
        n_features=20,
        n_informative=10,
        n_redundant=4,
        n_classes=4,
        class_sep=1.5,
        random_state=int(rng.integers(2**31)),
    )
    return _split(rng, _standardised(x), y.astype(np.int64), 4)


def low_rank(rng: Rng) -> Task:
    """100 standardised features that 3 hidden factors make."""
    factors = rng.normal(size=(1_500, 3))
    x = factors @ rng.normal(size=(3, 100)) + 0.05 * rng.normal(size=(1_500, 100))
    return _split(rng, _standardised(x), (factors[:, 0] > 0).astype(np.int64), 2)


def values(rng: Rng) -> Task:
    """Progress of diabetes, standardised, from ten standardised measurements."""
    x, y = datasets.load_diabetes(return_X_y=True)
    return _split(rng, _standardised(x), _standardised(y[:, None]), 0)


def sequences(rng: Rng) -> Task:
    """Noise of 4 channels over 30 steps; the class is the sign of the first one's sum."""
    x = rng.normal(size=(1_200, 30, 4)).astype(np.float32)
    return _split(rng, x, (x[:, :, 0].sum(axis=1) > 0).astype(np.int64), 2)


def tokens(rng: Rng) -> Task:
    """20 of 50 tokens; the class is whether those of the lower half are the more."""
    x = rng.integers(0, 50, size=(1_500, 20))
    return _split(rng, x, ((x < 25).sum(axis=1) > 10).astype(np.int64), 2, tokens=50)


Maker = Callable[[Rng], Task]
