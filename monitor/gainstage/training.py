"""What is known of how a model is trained: optimizer, loss, versions."""

import platform
from functools import cache
from typing import Any

import keras
import numpy as np

from gainstage import wire

ops: Any = keras.ops


def describe_training(model: Any, batch_size: int | None, rate: float | None) -> wire.Training:
    """What a prescription needs to know about the training of `model` at a learning rate."""
    optimizer = getattr(model, "optimizer", None)
    return wire.Training(
        backend=keras.backend.backend(),
        keras=keras.__version__,
        optimizer=type(optimizer).__name__ if optimizer is not None else "",
        learning_rate=rate,
        momentum=float(getattr(optimizer, "momentum", 0.0) or 0.0),
        weight_decay=float(getattr(optimizer, "weight_decay", 0.0) or 0.0),
        loss=loss_name(model),
        batch_size=batch_size,
        penalty_per_example=penalty_per_example(),
    )


def learning_rate(model: Any) -> float | None:
    """The optimizer's learning rate as it is now; None without an optimizer of Keras's own."""
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    return None if rate is None else float(_numpy(rate))


def optimizer_step(model: Any) -> int | None:
    """Updates that the optimizer has made; None without an optimizer of Keras's own."""
    iterations = getattr(getattr(model, "optimizer", None), "iterations", None)
    return None if iterations is None else int(_numpy(iterations))


def _numpy(value: Any) -> Any:
    # Of a TensorFlow variable, `convert_to_numpy` makes a copy and numpy a warning.
    if isinstance(value, keras.Variable):
        return np.asarray(value)
    return ops.convert_to_numpy(value)


def loss_name(model: Any) -> str:
    """The names of the model's losses, as text; empty where it has none."""

    def name(loss: Any) -> str:
        if isinstance(loss, str):
            return loss
        return str(
            getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__
        )

    losses = keras.tree.flatten(getattr(model, "loss", None))
    return " ".join(name(loss) for loss in losses if loss is not None)


@cache
def penalty_per_example() -> bool:
    """Whether this Keras divides an activity penalty by the batch size.

    Versions differ: 3.14 and later divide, 3.0 to 3.13 do not. The layer used to find out has no
    weights and a name of its own, so that the user's next layers are called what they would be.
    """
    layer = keras.layers.ActivityRegularization(l2=1.0, name="gainstage_penalty")
    with keras.StatelessScope(collect_losses=True) as scope:
        layer(ops.ones((2, 1)))
        return float(ops.convert_to_numpy(scope.losses[0])) < 1.5


def environment() -> dict[str, str]:
    """Versions that a run was made with."""
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "platform": platform.platform(),
    }
