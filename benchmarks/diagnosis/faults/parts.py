"""Layers and a constraint that are the fault."""

from typing import Any

import keras

layers = keras.layers
ops: Any = keras.ops


class Logarithm(layers.Layer):
    """The logarithm of what a rectifier lets through: of 0, sooner or later."""

    def call(self, x: Any) -> Any:
        """Minus infinity where x is negative."""
        return ops.log(ops.relu(x))


class Detached(layers.Layer):
    """Passes on what it gets, and no gradient."""

    def call(self, x: Any) -> Any:
        """As it is."""
        return ops.stop_gradient(x)


class Root(layers.Layer):
    """The square root of what a rectifier lets through: finite, but its gradient at 0 is not."""

    def call(self, x: Any) -> Any:
        """0 where x is negative."""
        return ops.sqrt(ops.relu(x))


class Rounded(layers.Layer):
    """The nearest whole number: a step, whose gradient is 0 everywhere."""

    def call(self, x: Any) -> Any:
        """Whole numbers in the type of x."""
        return ops.round(x)


@keras.saving.register_keras_serializable("benchmarks")
class Drift(keras.constraints.Constraint):
    """Adds `step` to a variable after each update."""

    def __init__(self, step: float) -> None:
        self.step = step

    def __call__(self, w: Any) -> Any:
        """`w`, moved on."""
        return w + self.step

    def get_config(self) -> dict[str, float]:
        """The arguments."""
        return {"step": self.step}
