"""What is the same on every backend, said for the one that this session runs on."""

from collections.abc import Callable
from typing import Any

import keras


def as_probe(function: Callable[..., Any], *examples: Any) -> Callable[..., Any]:
    """`function` as the probe runs it: compiled where the backend compiles, without a trace."""

    def pure(*arguments: Any) -> Any:
        with keras.StatelessScope():
            return function(*arguments)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(pure, autograph=False, input_signature=examples or None)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(pure)
    return pure


def wide(tensor: Any) -> Any:
    """`tensor` as numpy's float64."""
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")).astype("float64")
