"""Operations that users write themselves, and what goes wrong in them."""

from typing import Any

import keras

layers = keras.layers
ops: Any = keras.ops


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
