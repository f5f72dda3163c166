"""Models and data from files, for the command line."""

import re
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
from numpy.lib.npyio import NpzFile

Pair = tuple[Any, Any]

# What Keras says somewhere in an error about a whole model.
NOT_FOUND = re.compile(r"Could not locate (class|function) '[^']*'")


def load(model: Path, data: Path) -> tuple[Any, Pair, Pair | None]:
    """The model, what to train on, and what to judge by if the file holds it.

    Args:
        model: Saved by Keras.
        data: Saved by `numpy.savez`: arrays `x` and `y`, and `x_test` and `y_test` if there are.

    Raises:
        ValueError: A file cannot be read, an array is missing, or the model has parts that are not
            Keras's own.
    """
    arrays = _arrays(data)
    missing = {"x", "y"} - set(arrays)
    if missing:
        raise ValueError(
            f"{data} must hold the arrays x and y. Received: {', '.join(arrays) or 'none'}. Write "
            "it by numpy.savez(path, x=x, y=y)."
        )
    test = (arrays["x_test"], arrays["y_test"]) if {"x_test", "y_test"} <= set(arrays) else None
    return _model(model), (arrays["x"], arrays["y"]), test


def _arrays(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = np.load(file)
            if not isinstance(found, NpzFile):
                raise ValueError("it holds a single array, without a name")
            return dict(found)
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise ValueError(
            "Expected a file of arrays that numpy.savez has written. Received: "
            f"{path} ({_reason(error)}). Write it by numpy.savez(path, x=x, y=y)."
        ) from error


def _model(path: Path) -> Any:
    try:
        return keras.saving.load_model(path)
    except TypeError as error:  # of a class or function that Keras does not find
        raise ValueError(
            "Expected a model of Keras's own layers, losses and metrics: a command knows no "
            f"others. Received: {path} ({_reason(error)}). Decorate yours with "
            "`keras.saving.register_keras_serializable()`, and load the model and call "
            "`gainstage.run_trial(model, (x, y), layer=...)` in Python, where they are defined."
        ) from error
    except (ValueError, OSError) as error:
        raise ValueError(
            f"Expected a model that `model.save` has written as a file *.keras. Received: {path} "
            f"({_reason(error)})."
        ) from error


def _reason(error: Exception) -> str:
    """The cause that a library's error names, or else its first sentence."""
    text = str(error)
    named = NOT_FOUND.search(text)
    return named[0] if named else text.partition("\n")[0].partition(". ")[0].rstrip(".")
