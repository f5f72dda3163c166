"""Layers, a constraint and a loss as users write them, which are the fault."""

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


class EachRecording(layers.Layer):
    """Each recording in units of its own deviation, which is 0 where a recording is silent."""

    def call(self, x: Any) -> Any:
        """NaN where x does not change over time."""
        return (x - ops.mean(x, axis=1, keepdims=True)) / ops.std(x, axis=1, keepdims=True)


class Weighting(layers.Layer):
    """Attention by exponentials of scores as they are: infinite from 89 on."""

    def call(self, x: Any) -> Any:
        """[examples, features] from [examples, steps, features], the first one the score."""
        weight = ops.exp(x[..., :1])
        return ops.sum(weight * x / ops.sum(weight, axis=1, keepdims=True), axis=1)


class Distance(layers.Layer):
    """How far apart the halves of the features are: its gradient is not finite at 0."""

    def call(self, x: Any) -> Any:
        """[examples, 1]."""
        one, other = ops.split(x, 2, axis=-1)
        return ops.sqrt(ops.sum((one - other) ** 2, axis=-1, keepdims=True))


class Energy(layers.Layer):
    """Squares, which are beyond float16 from 256 on."""

    def call(self, x: Any) -> Any:
        """As x."""
        return x * x


class Hardest(layers.Layer):
    """The step with the highest score, chosen: no gradient reaches what scores."""

    def call(self, scores: Any, x: Any) -> Any:
        """[examples, features] of x [examples, steps, features]; scores [examples, steps, 1]."""
        chosen = ops.one_hot(ops.argmax(scores[..., 0], axis=1), x.shape[1])
        return ops.sum(chosen[..., None] * x, axis=1)


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


@keras.saving.register_keras_serializable("benchmarks")
def rmsle(y: Any, said: Any) -> Any:
    """The root of the mean squared difference of logarithms, the 1 left out: NaN below 0."""
    return ops.sqrt(ops.mean((ops.log(said) - ops.log(1 + y)) ** 2))
