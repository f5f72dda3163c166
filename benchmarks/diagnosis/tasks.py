"""What is learned in the benchmark, and such data that ship with packages."""

import difflib
import re
import statistics
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
from sklearn import datasets

Array = npt.NDArray[Any]
Rng = np.random.Generator
# Modules with long docstrings, how many words make a passage, and how many words there are.
MANUALS = (difflib, mock, statistics, threading)
PASSAGE = 12
VOCABULARY = 256


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


Maker = Callable[[Rng], Task]


def split(rng: Rng, x: Array, y: Array, classes: int, tokens: int = 0) -> Task:
    """A random fifth of the examples held out."""
    order = rng.permutation(len(x))
    train, test = np.split(order, [4 * len(x) // 5])
    return Task(x[train], y[train], x[test], y[test], classes, tokens)


def standardised(x: Array) -> Array:
    """Each feature with mean 0 and variance 1, in float32."""
    return ((x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6)).astype(np.float32)


def digits(rng: Rng) -> Task:
    """Pixels from 0 to 1."""
    x, y = datasets.load_digits(return_X_y=True)
    return split(rng, (x / 16).astype(np.float32), y.astype(np.int64), 10)


def images(rng: Rng) -> Task:
    """The digits as images of one channel."""
    task = digits(rng)
    return replace(task, x=task.x.reshape(-1, 8, 8, 1), test_x=task.test_x.reshape(-1, 8, 8, 1))


def measurements(rng: Rng) -> Task:
    """Wine or breast cancer, as measured: features of very different sizes."""
    load = [datasets.load_wine, datasets.load_breast_cancer][int(rng.integers(2))]
    x, y = load(return_X_y=True)
    return split(rng, x.astype(np.float32), y.astype(np.int64), int(y.max()) + 1)


def table(rng: Rng) -> Task:
    """Wine or breast cancer, standardised."""
    task = measurements(rng)
    both = standardised(np.concatenate([task.x, task.test_x]))
    return replace(task, x=both[: len(task.x)], test_x=both[len(task.x) :])


def features(rng: Rng) -> Task:
    """Digits in 256 to 1,024 positive random features below 1 (Rahimi & Recht 2007)."""
    task = digits(rng)
    matrix = rng.normal(size=(task.x.shape[1], int(rng.choice([256, 512, 1024]))))
    train, test = (np.abs(x @ matrix) for x in (task.x, task.test_x))
    top = train.max()
    return replace(task, x=(train / top).astype(np.float32), test_x=(test / top).astype(np.float32))


def values(rng: Rng) -> Task:
    """Progress of diabetes, standardised, from ten standardised measurements."""
    x, y = datasets.load_diabetes(return_X_y=True)
    return split(rng, standardised(x), standardised(y[:, None]), 0)


def iris(rng: Rng) -> Task:
    """Four standardised measurements of flowers, those to learn from 8 times with noise."""
    x, y = datasets.load_iris(return_X_y=True)
    task = split(rng, standardised(x), y.astype(np.int64), 3)
    x = np.tile(task.x, (8, 1))
    return replace(
        task,
        x=(x + rng.normal(0, 0.1, x.shape)).astype(np.float32),
        y=np.tile(task.y, 8),
    )


def patients(rng: Rng) -> Task:
    """Progress of diabetes, standardised, from ten measurements in the units of the clinic."""
    x, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    return split(rng, x.astype(np.float32), standardised(y[:, None]), 0)


def progress(rng: Rng) -> Task:
    """Progress of diabetes as it was counted, 25 to 346, from ten standardised measurements."""
    x, y = datasets.load_diabetes(return_X_y=True)
    return split(rng, standardised(x), y[:, None].astype(np.float32), 0)


@cache
def _passages() -> tuple[list[list[str]], list[int]]:
    passages: list[list[str]] = []
    sources: list[int] = []
    for source, module in enumerate(MANUALS):
        objects = [module, *vars(module).values()]
        members = [
            value for one in objects if isinstance(one, type) for value in vars(one).values()
        ]
        told = dict.fromkeys(
            text for one in (*objects, *members) if isinstance(text := one.__doc__, str)
        )
        words = re.findall("[a-z]+", " ".join(told).lower())
        found = [words[i : i + PASSAGE] for i in range(0, len(words) - PASSAGE, PASSAGE)]
        passages += found
        sources += [source] * len(found)
    return passages, sources


def prose(rng: Rng) -> Task:
    """12 words from Python's docstrings, rare ones as 0; the class is the module."""
    passages, sources = _passages()
    frequent = [word for word, _ in Counter(chain(*passages)).most_common(VOCABULARY - 1)]
    numbers = {word: number for number, word in enumerate(frequent, 1)}
    x = np.array([[numbers.get(word, 0) for word in passage] for passage in passages])
    return split(rng, x, np.array(sources), len(MANUALS), tokens=VOCABULARY)


def word_counts(rng: Rng) -> Task:
    """The same as shares of the most frequent word's count: 256 features from 0 to 1."""
    task = prose(rng)

    def counted(x: Array) -> Array:
        counts = np.stack([np.bincount(row, minlength=VOCABULARY) for row in x])
        return (counts / counts.max(axis=1, keepdims=True)).astype(np.float32)

    return replace(task, x=counted(task.x), test_x=counted(task.test_x), tokens=0)
