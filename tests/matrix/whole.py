"""Every kind of model in every way of training, on the backend of this process."""

import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import keras

from .cell import Result, UntrainedError, run
from .kinds import KINDS, Kind
from .table import Cell
from .ways import BACKEND, CHOICES, Way, refused

USUAL = "usual"


def ways() -> list[tuple[str, Way]]:
    """The usual way, then each other choice of each axis on its own, with the axis."""
    other = [
        (axis, Way(**{axis: choice}))
        for axis, choices in CHOICES.items()
        for choice in choices
        if choice != getattr(Way, axis)
    ]
    return [(USUAL, Way()), *other]


def about() -> str:
    """The versions and the machine, in words."""
    name = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}[BACKEND]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"Python {platform.python_version()}, numpy {version('numpy')}, Keras {keras.__version__}, "
        f"{name} {version(BACKEND)}, on {platform.system()} {platform.machine()} with {cores} cores"
    )


def cells(done: set[tuple[str, str]]) -> Iterator[Cell]:
    """Runs each cell, but those of `done`: names of kinds and ways."""
    for axis, way in ways():
        for kind in KINDS:
            if (kind.name, str(way)) not in done:
                mark, why = _cell(kind, way)
                yield Cell(BACKEND, kind.name, axis, str(way), mark, why)


def _cell(kind: Kind, way: Way) -> tuple[str, str]:
    reason = refused(way)
    if reason:
        return "refused", reason
    try:
        found = run(kind, way)
        if found.different:  # three trainings, which is longer, only where two did not agree
            found = run(kind, way, repeats=True)
    except UntrainedError as error:
        return "refused", _line(f"Keras says {error}")
    except Exception as error:
        return "differs", _line(f"with the monitor only, {type(error).__name__}: {error}")
    return judged(found, kind)


def judged(found: Result, kind: Kind) -> tuple[str, str]:
    """The mark of what was found of `kind`, and what is to be said of it."""
    missing = sorted(kind.rows - found.kinds)
    unread: list[Any] = [*found.complaints, *(f"no row of {name}" for name in missing)]
    if not found.frames:
        unread.append("no frame")
    ours = sorted(set(found.different) - set(found.noise))
    if ours:
        return "differs", ", ".join(ours)
    if unread:
        return "unread", "; ".join(unread)
    return ("repeats", ", ".join(found.different)) if found.different else ("same", "")


def _line(text: str) -> str:
    """An error in one line, without a terminal's colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())[:200].rstrip(".")
