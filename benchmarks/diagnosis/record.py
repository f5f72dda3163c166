"""Training a case with a monitor, and what was recorded of it, kept from one run to the next."""

import logging
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np

from benchmarks.diagnosis.families import Case, Family
from benchmarks.diagnosis.tasks import Task
from gainstage import Finding, LayerMonitor, apply, wire
from gainstage.cases import make_ready
from gainstage.spool import SUFFIX, Spool

BATCH = 32
EVERY = 10
# 30 samples: what is found later than that was not found early.
STEPS = 300
# Examples by which it is told whether a model has learned anything.
SHOWN = 512
# A model that cannot do a task, or has not begun to, is about as bad as a constant, not that bad.
WORSE = 1.5
# Nobody listens there: what is recorded stays in the spool.
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Recording:
    """The messages of one training, as the monitor made them, and how the training ended.

    Attributes:
        layers: Names of the model's layers.
        failed: Whether the model ended worse than one that says the same of every example.
    """

    spool: Path
    loss: float | None
    accuracy: float | None
    layers: frozenset[str]
    failed: bool = False

    @property
    def quality(self) -> float | None:
        """The accuracy on held-out examples, or the loss with its sign turned: more is better.

        None where the loss is not finite.
        """
        return self.accuracy if self.loss is None or self.accuracy is not None else -self.loss

    def frames(self) -> Iterator[tuple[wire.AnyMessage, dict[str, wire.FloatBlock]]]:
        """Messages and their blocks, in order."""
        spool = Spool(self.spool)
        try:
            position = -1
            while batch := spool.after(position, 64):
                yield from (wire.decode(body) for _, body in batch)
                position = batch[-1][0]
        finally:
            spool.close()


class UnappliedError(Exception):
    """A patch that cannot be applied to the model of its case."""


class _End(msgspec.Struct):
    loss: float | None  # on held-out examples, of values without penalties; None: not finite
    accuracy: float | None
    layers: list[str]
    failed: bool = False


def record(family: Family, seed: int, folder: Path, patch: Finding | None = None) -> Recording:
    """The recording of the `seed`-th case of `family`, made where `folder` does not hold it.

    With `patch`, the case is trained with the finding's code in place of its layer.

    Raises:
        UnappliedError: The patch cannot be applied.
    """
    name = stem(family, seed)
    if patch is not None:
        name = f"{name}-{zlib.crc32(patch.code.encode()):08x}"
    end = folder / f"{name}.json"
    if not end.exists():
        for rest in folder.glob(f"{name}.0.*{SUFFIX}*"):  # of a training that was interrupted
            rest.unlink()
        end.write_bytes(msgspec.json.encode(_train(family, seed, name, folder, patch)))
    (spool,) = folder.glob(f"{name}.0.*{SUFFIX}")
    made = msgspec.json.decode(end.read_bytes(), type=_End)
    return Recording(spool, made.loss, made.accuracy, frozenset(made.layers), made.failed)


def stem(family: Family, seed: int) -> str:
    """How the files and the run of the `seed`-th case of `family` are called."""
    return "-".join([*re.findall(r"\w+", family.name), str(seed)])


def drawn(family: Family, seed: int) -> Case:
    """The `seed`-th case of `family`, the same each time."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return family.make(np.random.default_rng([zlib.crc32(family.name.encode()), seed]))


def _train(family: Family, seed: int, name: str, folder: Path, patch: Finding | None) -> _End:
    logging.getLogger("gainstage").setLevel(logging.ERROR)  # there is no server, as intended
    case = drawn(family, seed)
    model = case.model if patch is None else _patched(case.model, patch)
    monitor: Any = LayerMonitor(NOWHERE, run=name, every=EVERY, spool=folder)
    task = case.task
    make_ready(model, task.x, task.y)
    with redirect_stdout(None):
        model.fit(
            task.x,
            task.y,
            batch_size=BATCH,
            epochs=math.ceil(STEPS / math.ceil(len(task.x) / BATCH)),
            verbose=0,
            callbacks=[monitor],
        )
    found = model.evaluate(task.test_x, task.test_y, verbose=0, return_dict=True)
    loss = float(found["loss"])
    if not task.classes:  # without penalties, which a patch may add or take away
        loss = float(np.square(model.predict(task.test_x, verbose=0) - task.test_y).mean())
    names = [layer.name for layer in model.layers]
    end = loss if math.isfinite(loss) else None
    return _End(end, found.get("accuracy"), names, failed(model, task))


def failed(model: Any, task: Task) -> bool:
    """Whether what `model` says of what it was trained on is WORSE times as bad as a constant.

    The constant is 0, which an untrained model says about, or how frequent each class is.
    """
    x, y = task.x[:SHOWN], task.y[:SHOWN].ravel()
    said = model.predict(x, verbose=0)
    if task.classes:
        frequent = np.bincount(y, minlength=task.classes)[y] / len(y)
        loss = -np.log(np.maximum(said[np.arange(len(y)), y], np.finfo(np.float32).tiny)).mean()
        constant = -np.log(frequent).mean()
    else:
        loss, constant = np.square(said.ravel() - y).mean(), np.square(y).mean()
    return not loss <= WORSE * constant


def _patched(model: Any, patch: Finding) -> Any:
    try:
        return apply(patch, model)
    except ValueError as error:
        raise UnappliedError(str(error)) from error
