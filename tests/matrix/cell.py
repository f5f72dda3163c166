"""One cell of the matrix: a kind of model trained in one way, with the monitor and without."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
from tests.monitor import twins

from gainstage import LayerMonitor

from .kinds import Kind
from .ways import (
    BACKEND,
    EPOCHS,
    EXAMPLES,
    MODELS,
    RUNS,
    SOURCES,
    Way,
    own_callbacks,
    targets,
)

EVERY = 2


@dataclass
class Result:
    """What the monitor saw and what it changed.

    Attributes:
        frames: Samples taken.
        kinds: Kinds of layers among the rows.
        different: Names of what two trainings left behind that is not the same to the last bit.
        noise: The same of two trainings without the monitor: not empty where the framework itself
            does not repeat itself.
        complaints: What the monitor warned of.
    """

    frames: int = 0
    kinds: frozenset[str] = frozenset()
    different: list[str] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class UntrainedError(Exception):
    """Keras does not train this, with or without the monitor."""


def run(kind: Kind, way: Way, *, repeats: bool = False) -> Result:
    """Trains twice, or, with `repeats`, three times: twice without the monitor.

    Raises:
        UntrainedError: The training without the monitor failed, for the reason that it gives.
    """
    monitor = LayerMonitor(False, every=EVERY)
    with _heard() as complaints, _settings(way):
        try:
            alone = _outcome(kind, way, [])
        except Exception as error:
            raise UntrainedError(f"{type(error).__name__}: {error}") from error
        watched = _outcome(kind, way, [monitor])
        again = _outcome(kind, way, []) if repeats else alone
    recorder: Any = monitor._recorder
    rows = recorder.state.layout.rows if recorder.state is not None else ()
    return Result(
        monitor.frames,
        frozenset(row.kind for row in rows),
        twins.different(alone, watched),
        twins.different(alone, again),
        complaints,
    )


def _outcome(kind: Kind, way: Way, callbacks: list[Any]) -> Any:
    twins.fresh()
    model = kind.build(MODELS[way.step]())
    x = kind.inputs(EXAMPLES)
    y = targets(len(model.outputs) if getattr(model, "outputs", None) else 1)
    settings = dict(RUNS[way.run])
    accumulate = settings.pop("accumulate", None)
    losses: Any = "sparse_categorical_crossentropy"
    if isinstance(y, tuple):
        losses = [losses, "mse"]
    optimizer = keras.optimizers.Adam(0.01, gradient_accumulation_steps=accumulate)
    model.compile(optimizer, losses, **settings)
    if way.beside == "callbacks" and not model.built:  # as BackupAndRestore demands
        model(keras.tree.map_structure(lambda array: array[:1], x))
    diary = twins.Diary()
    with tempfile.TemporaryDirectory() as folder:
        beside = own_callbacks(Path(folder)) if way.beside == "callbacks" else []
        options: dict[str, Any] = {"epochs": EPOCHS, "verbose": 0}
        options["callbacks"] = [*callbacks, *beside, diary]
        if way.beside == "validation":
            part = slice(9)
            options["validation_data"] = keras.tree.map_structure(lambda a: a[part], (x, y))
        if way.beside == "initial_epoch":
            options |= {"initial_epoch": 1, "epochs": 1 + EPOCHS}
        history = model.fit(**SOURCES[way.source](x, y), **options)
        if way.beside == "fit again":
            model.fit(**SOURCES[way.source](x, y), **options)
    return twins.traces(model) | {"losses": (history.history, diary.pages)}


@contextmanager
def _settings(way: Way) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(way.precision)
    # TensorFlow compiles by XLA only where it does not promise deterministic operations.
    with twins.deterministic(BACKEND == "tensorflow" and way.run != "jit_compile"):
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What the monitor logs as a warning, for as long as the block lasts."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener, logger = Listener(logging.WARNING), logging.getLogger("gainstage")
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)
