"""Faults that show in gradients, penalties and movement, in real trainings beside their twins.

Each twin is the same training without the fault, and must be left alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import pytest

from gainstage import Finding, LayerMonitor, cases

layers, regularizers = keras.layers, keras.regularizers
EVERY = 10
EPOCHS = 8


@dataclass(frozen=True)
class Fault:
    """Layers in front of the classes, an optimizer, and the same without the fault."""

    verdict: str
    accused: str
    hidden: Callable[[], list[Any]]
    optimizer: Callable[[], Any]
    well: Callable[[], list[Any]]
    well_optimized: Callable[[], Any] = lambda: keras.optimizers.Adam(1e-3)


def stack(count: int, activation: str, **options: Any) -> list[Any]:
    return [
        layers.Dense(32, activation=activation, name=f"hidden-{place}", **options)
        for place in range(count)
    ]


def scaled(factor: float) -> Any:
    """He's initializer with weights `factor` times as large."""
    return keras.initializers.VarianceScaling(2 * factor**2, "fan_in")


def adam() -> Any:
    return keras.optimizers.Adam(1e-3)


def sgd() -> Any:
    return keras.optimizers.SGD(0.05, momentum=0.9)


FAULTS = {
    "twelve sigmoids": Fault(
        "vanishing", "hidden-0", lambda: stack(12, "sigmoid"), sgd, lambda: stack(2, "sigmoid")
    ),
    "twelve sigmoids, Adam": Fault(
        "vanishing", "hidden-0", lambda: stack(12, "sigmoid"), adam, lambda: stack(8, "tanh")
    ),
    "weights three times as large": Fault(
        "exploding",
        "hidden-",
        lambda: stack(12, "relu", kernel_initializer=scaled(3.0)),
        adam,
        lambda: stack(12, "relu", kernel_initializer=scaled(1.0)),
    ),
    "kernel penalty": Fault(
        "over_regularized",
        "hidden-",
        lambda: stack(2, "relu", kernel_regularizer=regularizers.L2(0.3)),
        adam,
        lambda: stack(2, "relu", kernel_regularizer=regularizers.L2(1e-3)),
    ),
    "activity penalty": Fault(
        "over_regularized",
        "hidden-0",
        lambda: stack(2, "relu", activity_regularizer=regularizers.L2(1.0)),
        adam,
        lambda: stack(2, "relu", activity_regularizer=regularizers.L2(1e-4)),
    ),
    "weight decay": Fault(
        "over_regularized",
        "",
        lambda: stack(2, "relu"),
        lambda: keras.optimizers.AdamW(1e-3, weight_decay=100.0),
        lambda: stack(2, "relu"),
        lambda: keras.optimizers.AdamW(1e-3),
    ),
    "rate too small": Fault(
        "untrained",
        "",
        lambda: stack(2, "relu"),
        lambda: keras.optimizers.SGD(1e-7),
        lambda: stack(2, "relu"),
        lambda: keras.optimizers.SGD(1e-3),
    ),
}


def findings(hidden: list[Any], optimizer: Any) -> list[Finding]:
    keras.utils.set_random_seed(1)
    data = cases.load("digits")
    monitor = LayerMonitor(False, every=EVERY)
    model = keras.Sequential([layers.Input((64,)), *hidden, layers.Dense(10, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    x = data.train_x[:, :64]
    cases.make_ready(model, x, data.train_y)
    model.fit(
        x,
        data.train_y,
        batch_size=cases.BATCH,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[monitor],
    )
    return sorted(monitor.findings(), key=lambda finding: finding.since_step)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_fault_gets_its_verdict_first(fault: Fault) -> None:
    first, *_ = findings(fault.hidden(), fault.optimizer())

    assert first.verdict == fault.verdict
    assert first.layer.rpartition("/")[2].startswith(fault.accused)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_twin_without_the_fault_is_left_alone(fault: Fault) -> None:
    assert findings(fault.well(), fault.well_optimized()) == []
