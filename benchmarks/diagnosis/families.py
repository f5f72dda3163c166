"""Families of cases: trainings of one kind whose fault is known because it was put there.

Each family draws its sizes, data and strengths from a generator. Thresholds may be chosen on one
half of the families; figures are reported of the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import keras

from benchmarks.diagnosis.tasks import Maker, Rng, Task

layers = keras.layers
# The name of the layer at fault, where one layer is.
FAULTY = "faulty"

Hidden = Callable[[Rng], list[Any]]
Optimizer = Callable[[Rng], Any]


@dataclass(frozen=True)
class Case:
    """One training: a model that is compiled, and what it is trained on."""

    model: Any
    task: Task


@dataclass(frozen=True)
class Family:
    """Trainings of one kind.

    Attributes:
        reported: Whether figures are reported of it; else thresholds may be chosen on it.
        make: Draws a case.
        draws: Cases that are drawn where others give one, of a family of many kinds.
    """

    name: str
    reported: bool
    make: Callable[[Rng], Case]
    draws: int = 1


def case(task: Task, hidden: Sequence[Any], optimizer: Any) -> Case:
    """`hidden` between the inputs of `task` and what is to be said of them.

    The model is a Sequential one where all of `hidden` are layers; where some are functions of
    tensors, it is a Functional one.
    """
    end = (
        layers.Dense(task.classes, activation="softmax", name="classes")
        if task.classes
        else layers.Dense(1, name="value")
    )
    start = layers.Input(task.x.shape[1:], dtype=str(task.x.dtype))
    if all(isinstance(step, layers.Layer) for step in hidden):
        model: Any = keras.Sequential([start, *hidden, end])
    else:
        model = keras.Model(start, through([*hidden, end], start))
    loss = "sparse_categorical_crossentropy" if task.classes else "mse"
    model.compile(optimizer, loss, metrics=["accuracy"] if task.classes else [])
    return Case(model, task)


def through(steps: Sequence[Any], x: Any) -> Any:
    """What `steps` make of x, one after the other."""
    return reduce(lambda value, step: step(value), steps, x)


def residual(*inner: Any) -> Callable[[Any], Any]:
    """Adds to its inputs what `inner` make of them."""
    return lambda x: layers.Add()([x, through(inner, x)])


def chosen(name: str, task: Maker, hidden: Hidden, optimizer: Optimizer) -> Family:
    """A family on which thresholds may be chosen."""
    return Family(name, False, lambda rng: case(task(rng), hidden(rng), optimizer(rng)))


def reported(name: str, task: Maker, hidden: Hidden, optimizer: Optimizer) -> Family:
    """A family of which figures are reported."""
    return Family(name, True, lambda rng: case(task(rng), hidden(rng), optimizer(rng)))


def rate(kind: Any, *rates: float, **options: Any) -> Optimizer:
    """An optimizer at one of some rates."""
    return lambda rng: kind(float(rng.choice(rates)), **options)


SGD, ADAM = keras.optimizers.SGD, keras.optimizers.Adam
sgd = rate(SGD, 0.02, 0.05, 0.1)
momentum = rate(SGD, 0.01, 0.02, 0.05, momentum=0.9)
adam = rate(ADAM, 5e-4, 1e-3, 2e-3)
adamw = rate(keras.optimizers.AdamW, 5e-4, 1e-3, 2e-3)
nadam = rate(keras.optimizers.Nadam, 5e-4, 1e-3)
rmsprop = rate(keras.optimizers.RMSprop, 5e-4, 1e-3)
lion = rate(keras.optimizers.Lion, 3e-4, 6e-4)
adagrad = rate(keras.optimizers.Adagrad, 0.03, 0.1)


def width(rng: Rng) -> int:
    """Units of a layer."""
    return int(rng.choice([24, 32, 48, 64, 96]))


def dense(rng: Rng, activation: str, *, separate: bool = False, **options: Any) -> list[Any]:
    """A dense layer, its activation within it or behind it."""
    if separate:
        return [layers.Dense(width(rng), **options), layers.Activation(activation)]
    return [layers.Dense(width(rng), activation=activation, **options)]


def conv(rng: Rng, activation: str, *, separate: bool = False, **options: Any) -> list[Any]:
    """A convolution over images, its activation within it or behind it."""
    count = int(rng.choice([8, 16, 24]))
    if separate:
        first = [layers.Conv2D(count, 3, **options), layers.Activation(activation)]
    else:
        first = [layers.Conv2D(count, 3, activation=activation, **options)]
    return [*first, layers.Flatten()]


def stack(least: int, most: int, activation: str, kernel: Any = "glorot_uniform") -> Hidden:
    """That many dense layers of one width."""

    def hidden(rng: Rng) -> list[Any]:
        units, count = int(rng.choice([24, 32, 48])), int(rng.integers(least, most + 1))
        return [
            layers.Dense(units, activation=activation, kernel_initializer=kernel)
            for _ in range(count)
        ]

    return hidden
