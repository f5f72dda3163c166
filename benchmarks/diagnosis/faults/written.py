"""Layers and a loss as users write them, with what they forgot."""

from typing import Any

import keras

layers = keras.layers
ops: Any = keras.ops


class Windowed(layers.Layer):
    """Standardises each channel of a window, with nothing added to what it divides by."""

    def call(self, x: Any) -> Any:
        """0 / 0 where a sensor stands still."""
        return (x - ops.mean(x, axis=1, keepdims=True)) / ops.std(x, axis=1, keepdims=True)


class Shares(layers.Layer):
    """A softmax that does not take away the largest value first."""

    def call(self, x: Any) -> Any:
        """Infinity by infinity where x is beyond 88."""
        raised = ops.exp(x)
        return raised / ops.sum(raised, axis=-1, keepdims=True)


class Compared(layers.Layer):
    """Whether each value is above 0: nothing that has a gradient."""

    def call(self, x: Any) -> Any:
        """1 or 0 in float32."""
        return ops.cast(x > 0, "float32")


@keras.saving.register_keras_serializable("benchmarks")
def rmsle(y: Any, said: Any) -> Any:
    """The root of the mean squared difference of logarithms, the 1 left out: NaN below 0."""
    return ops.sqrt(ops.mean((ops.log(said) - ops.log(1 + y)) ** 2))
