"""Numbers for JSON, which knows neither NaN nor infinity: null is absent, text is the value."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Number = float | str | None


def number(value: float | None) -> Number:
    """One number; None is absent."""
    if value is None or math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def numbers(values: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> list[Any]:
    """An array as nested lists, null where a value is not `present`."""
    written = values.astype(np.float64).astype(object)
    if not np.isfinite(values).all():
        written[np.isnan(values)] = "NaN"
        written[np.isposinf(values)] = "Infinity"
        written[np.isneginf(values)] = "-Infinity"
    written[~present] = None
    return written.tolist()


def plain(tree: Any) -> Any:
    """The same maps and lists, with every number as `number` writes it."""
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(value) for value in tree]
    return number(tree) if isinstance(tree, float) else tree
