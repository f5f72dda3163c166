"""What is not watched, and why: one warning that names the reason, and the training goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from gainstage.workers import CHIEF

# The strategies of tf.distribute under which trainings with the monitor were compared with
# trainings without it; another one may place what the monitor reads where no reading is free.
STRATEGIES = {
    "_DefaultDistributionStrategy": "none",
    "OneDeviceStrategy": "OneDeviceStrategy",
    "MirroredStrategy": "MirroredStrategy",
    "CentralStorageStrategy": "CentralStorageStrategy",
    "CollectiveAllReduceStrategy": "MultiWorkerMirroredStrategy",
}


class UnwatchedError(ValueError):
    """The training cannot be watched; the text says why, and what to do."""


@dataclass(frozen=True)
class Asked:
    """A training that is to be watched.

    Attributes:
        model: What the callback was given.
        worker: Number of this process among those that train the model.
        nameless: Whether it is written to a run that the user gave no name.
    """

    model: Any
    worker: int
    nameless: bool


def refusal(asked: Asked) -> str | None:
    """Why this training is not watched; None where it is."""
    return next((why for check in CHECKS if (why := check(asked)) is not None), None)


def _no_model(asked: Asked) -> str | None:
    if isinstance(asked.model, keras.Model):
        return None
    return (
        f"Expected a keras.Model. Received: {type(asked.model).__name__}. "
        "Call `set_model` with the Keras model that is trained."
    )


def _no_name(asked: Asked) -> str | None:
    if asked.worker == CHIEF or not asked.nameless:
        return None
    return (
        "Workers that train a model together write to one run, whose name they cannot agree on by "
        f"themselves. Expected: the same `run=` in every worker. Received: none in worker "
        f"{asked.worker}. Give LayerMonitor a run, such as the name of the job."
    )


def _strategy(asked: Asked) -> str | None:
    if keras.backend.backend() != "tensorflow":
        return None
    strategy = type(asked.model.distribute_strategy)
    if any(kind.__name__ in STRATEGIES for kind in strategy.__mro__):
        return None
    return (
        f"Expected a strategy of tf.distribute that was tried: {', '.join(STRATEGIES.values())}. "
        f"Received: {strategy.__name__}. Watch a training of the model without it."
    )


def _weights_elsewhere(asked: Asked) -> str | None:
    if keras.backend.backend() != "jax":
        return None
    for variable in asked.model.variables:
        value = variable.value
        if not value.is_fully_addressable and not value.is_fully_replicated:
            return (
                "Expected every weight to lie whole in each process, since reading what lies in "
                "others would make all of them wait for each other. Received: "
                f"{variable.path!r}, which is split between processes. Watch a training with "
                "keras.distribution.DataParallel, or with one process."
            )
    return None


CHECKS: tuple[Callable[[Asked], str | None], ...] = (
    _no_model,
    _no_name,
    _strategy,
    _weights_elsewhere,
)
