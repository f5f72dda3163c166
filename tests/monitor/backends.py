"""Running a file of tests once more on the backends that are not this session's."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

ROOT = Path(__file__).parents[2]
OTHERS = [name for name in ("tensorflow", "jax", "torch") if name != keras.backend.backend()]

# Keras's variables on JAX and torch, when numpy 2 makes arrays of them.
VARIABLES = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"


def run_again(file: str, backend: str, without: str) -> None:
    """Runs the tests of `file` on `backend` in a fresh process, all but those named `without`."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-W", VARIABLES, file, "-k", f"not {without}"],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4_000:] + ran.stderr[-2_000:]


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
