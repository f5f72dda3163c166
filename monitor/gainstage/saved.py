"""Models and data from files, for the command line."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

Pair = tuple[Any, Any]


def load(model: Path, data: Path) -> tuple[Any, Pair, Pair | None]:
    """The model, what to train on, and what to judge by if the file holds it.

    Args:
        model: Saved by Keras.
        data: Saved by `numpy.savez`: arrays `x` and `y`, and `x_test` and `y_test` if there are.

    Raises:
        ValueError: A file cannot be read, or an array is missing.
    """
    try:
        arrays = dict(np.load(data))
    except (ValueError, OSError) as error:
        raise ValueError(
            f"Expected a file that numpy.savez has written. Received: {data} ({error})."
        ) from error
    missing = {"x", "y"} - set(arrays)
    if missing:
        raise ValueError(
            f"{data} must hold the arrays x and y. Received: {', '.join(arrays) or 'none'}. Write "
            "it by numpy.savez(path, x=x, y=y)."
        )
    test = (arrays["x_test"], arrays["y_test"]) if {"x_test", "y_test"} <= set(arrays) else None
    return keras.saving.load_model(model), (arrays["x"], arrays["y"]), test
