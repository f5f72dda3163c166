"""Attributes of a layer that have another value for a while."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def patched(layer: Any, **values: Any) -> Generator[None]:
    """Gives `layer` the attributes `values`; on leaving it has its own again, or none.

    Goes past Keras's `__setattr__`, which would track the values as part of the layer.
    """
    with kept(layer, *values):
        vars(layer).update(values)
        yield


@contextmanager
def kept(layer: Any, *names: str) -> Generator[None]:
    """Puts the attributes `names` of `layer` back on leaving, whatever happened to them."""
    before = {name: vars(layer)[name] for name in names if name in vars(layer)}
    try:
        yield
    finally:
        for name in names:
            vars(layer).pop(name, None)
        vars(layer).update(before)
