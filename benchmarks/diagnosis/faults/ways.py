"""Ways to put a fault into a training that several families share."""

from collections.abc import Callable
from typing import Any

import keras

from benchmarks.diagnosis.families import FAULTY, Hidden, dense
from benchmarks.diagnosis.tasks import Maker, Rng

initializers, regularizers = keras.initializers, keras.regularizers
Options = Callable[[Rng], dict[str, Any]]


def he(factor: float) -> Any:
    """He's initializer with weights `factor` times as large."""
    return initializers.VarianceScaling(2 * factor**2, "fan_in")


def faulty(layer: Any, activation: str, options: Options) -> Hidden:
    """One hidden layer, which gets the `options` that are drawn."""
    return lambda rng: layer(rng, activation, name=FAULTY, **options(rng))


def large(least: float, most: float) -> Options:
    """Weights whose size alone is beyond what an activation takes."""
    return lambda rng: {"kernel_initializer": he(rng.uniform(least, most))}


def separate(options: Options) -> Options:
    """The same, with the activation in a layer of its own."""
    return lambda rng: {"separate": True, **options(rng)}


def loud(make: Maker) -> Maker:
    """A task whose inputs are 100 to 400 times as large."""
    return lambda rng: make(rng).scaled(float(rng.uniform(100, 400)))


def penalised(argument: str, make: Callable[[Rng], Any]) -> Hidden:
    """A layer with a penalty, and one without behind it."""
    return lambda rng: [
        *dense(rng, "relu", name=FAULTY, **{argument: make(rng)}),
        *dense(rng, "relu"),
    ]


def two(activation: str) -> Hidden:
    """Two plain layers: the fault is elsewhere."""
    return lambda rng: [*dense(rng, activation), *dense(rng, activation)]


def l2(least: float, most: float) -> Callable[[Rng], Any]:
    """An L2 penalty of a strength between two powers of ten."""
    return lambda rng: regularizers.L2(10 ** rng.uniform(least, most))


def l1(least: float, most: float) -> Callable[[Rng], Any]:
    """An L1 penalty, likewise."""
    return lambda rng: regularizers.L1(10 ** rng.uniform(least, most))
