"""A `fit` that is broken off, and the next one: Keras's own function, a fresh run, nothing left."""

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from gainstage import LayerMonitor
from gainstage.probe import Probe

from . import twins
from .trainings import MLP, SMALL
from .twins import BACKEND, KERAS_FUNCTION, STEPS, bits, complaints

every_backend = pytest.mark.every_backend
# What a generator's own error comes out of `fit` as.
DATA_ERROR: Any = tf.errors.OpError if BACKEND == "tensorflow" else ArithmeticError
# Keras's own: of data that comes shuffled.
pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed, but will be ignored")


@pytest.fixture(autouse=True, scope="module")
def deterministic() -> Iterator[None]:
    with twins.deterministic():
        yield


class Raising(keras.callbacks.Callback):
    """Raises before or after a step, the fourth if nothing else is said."""

    def __init__(self, when: str, error: BaseException, batch: int = 3) -> None:
        super().__init__()
        self.when, self.error, self.batch = when, error, batch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == self.batch and self.when == "before":
            raise self.error

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == self.batch and self.when == "after":
            raise self.error


def fit(model: Any, *callbacks: Any) -> None:
    """An epoch."""
    model.fit(SMALL.x, SMALL.y, batch_size=twins.BATCH, verbose=0, callbacks=list(callbacks))


def weights(model: Any) -> list[Any]:
    return [bits(weight) for weight in (*model.variables, *model.optimizer.variables)]


def watched(*callbacks: Any) -> Any:
    """A model in fresh state, trained until one of `callbacks` raises."""
    twins.fresh()
    model = SMALL.model()
    with pytest.raises((KeyboardInterrupt, ArithmeticError), match="enough"):
        fit(model, *callbacks)
    return model


BROKEN_OFF = [
    ("after", 1, KeyboardInterrupt),
    ("after", -1, ArithmeticError),
    ("before", -1, KeyboardInterrupt),
    ("before", 1, KeyboardInterrupt),  # armed, and never called
]


@every_backend
@pytest.mark.parametrize(("when", "order", "error"), BROKEN_OFF)
def test_fit_that_is_broken_off_and_the_next_one_are_as_without_the_monitor(
    when: str, order: int, error: type[BaseException]
) -> None:
    monitor = LayerMonitor(False, every=1)

    some = watched(Raising(when, error("enough")))
    here = weights(some)
    fit(some)
    others = watched(*[monitor, Raising(when, error("enough"))][::order])
    there = weights(others)
    fit(others)

    assert there == here
    assert weights(others) == weights(some)
    assert others.train_function.__qualname__ == KERAS_FUNCTION


@pytest.mark.parametrize(("when", "order", "error"), BROKEN_OFF[:-1])
def test_later_fit_without_the_monitor_is_not_sampled(
    when: str, order: int, error: type[BaseException]
) -> None:
    monitor = LayerMonitor(False, every=1)
    model = watched(*[monitor, Raising(when, error("enough"))][::order])
    frames, newest = monitor.frames, monitor.frame()

    fit(model)

    assert frames == (3 if when == "after" else 2)
    assert monitor.frames == frames
    assert monitor.frame() is newest


@every_backend
def test_interrupt_while_a_sample_is_taken_ends_the_fit_and_leaves_keras_its_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt("enough")

    monkeypatch.setattr(Probe, "__call__", interrupted)

    once = watched(Raising("after", KeyboardInterrupt("enough"), batch=0))
    model = watched(LayerMonitor(False, every=1))

    assert weights(model) == weights(once)
    assert model.train_function.__qualname__ == KERAS_FUNCTION


@every_backend
def test_data_that_breaks_off_raises_what_it_raises_without_the_monitor() -> None:
    def batches() -> Iterator[tuple[Any, Any]]:
        for start in range(0, 32, 8):
            yield SMALL.x[start : start + 8], SMALL.y[start : start + 8]
        raise ArithmeticError("no more")

    def broken_by(*callbacks: Any) -> tuple[str, list[Any], str]:
        twins.fresh()
        model = SMALL.model()
        with pytest.raises(DATA_ERROR, match="no more") as error:
            model.fit(batches(), steps_per_epoch=9, verbose=0, callbacks=list(callbacks))
        # Not the optimizer's count: TensorFlow counts the step for which there was no data.
        trained = [bits(weight) for weight in model.trainable_variables]
        return type(error.value).__name__, trained, model.train_function.__qualname__

    monitor = LayerMonitor(False, every=1)

    assert broken_by(monitor) == broken_by()
    assert monitor.frames == 3


@every_backend
def test_data_that_ends_too_early_ends_the_epoch_as_without_the_monitor() -> None:
    def trained(*callbacks: Any) -> list[Any]:
        twins.fresh()
        model = SMALL.model()
        data = tf.data.Dataset.from_tensor_slices((SMALL.x, SMALL.y)).batch(8).take(4)
        with pytest.warns(UserWarning, match="interrupting training"):
            model.fit(data, steps_per_epoch=7, verbose=0, callbacks=list(callbacks))
        return weights(model)

    monitor = LayerMonitor(False, every=1)

    assert trained(monitor) == trained()
    assert monitor.frames == 3


@pytest.mark.parametrize("spooled", [False, True])
def test_each_fit_is_a_run_of_its_own(
    spooled: bool, closed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = LayerMonitor(closed if spooled else False, every=1, spool=tmp_path)
    twins.fresh()
    model = SMALL.model()
    seen = []

    for _ in range(3):
        fit(model, monitor)
        seen.append((monitor.run, monitor.frames))

    assert len({run for run, _ in seen}) == 3
    assert [frames for _, frames in seen] == [STEPS - 2] * 3
    assert complaints(caplog) == []


@pytest.mark.parametrize("spooled", [False, True])
def test_fit_after_one_that_was_broken_off_is_a_fresh_run(
    spooled: bool, closed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = LayerMonitor(closed if spooled else False, every=1, spool=tmp_path)
    model = watched(monitor, Raising("after", KeyboardInterrupt("enough")))
    broken = monitor.run

    fit(model, monitor)

    assert monitor.run != broken
    assert monitor.frames == STEPS - 2
    assert complaints(caplog) == []
    assert len(list(tmp_path.iterdir())) == (2 if spooled else 0)


def test_monitor_goes_from_model_to_model(caplog: pytest.LogCaptureFixture) -> None:
    monitor = LayerMonitor(False, every=1)
    twins.fresh()
    layers = []

    for training in (SMALL, MLP):
        model = training.model()
        fit(model, monitor)
        layers.append(len(monitor.frame().layers))

    assert layers == [4, 5]
    assert complaints(caplog) == []


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def test_nothing_is_left_after_fit_but_what_waits_for_a_server(
    closed: str, server: str, tmp_path: Path
) -> None:
    def fitting(url: Any, folder: Path) -> None:
        fit(model, LayerMonitor(url, every=1, spool=folder))

    twins.fresh()
    model = SMALL.model()
    fitting(False, tmp_path)  # what TensorFlow and Keras open once
    gc.collect()  # fits that were broken off before, which end where nobody holds them
    threads, files = set(threading.enumerate()), open_files()

    left = []
    for name, url in {"without": False, "closed": closed, "server": server}.items():
        (tmp_path / name).mkdir()
        fitting(url, tmp_path / name)
        left.append(len(list((tmp_path / name).iterdir())))

    assert left == [0, 1, 0]
    assert set(threading.enumerate()) <= threads
    assert open_files() == files


def test_search_for_what_is_left_finds_a_training_that_goes_on(closed: str, tmp_path: Path) -> None:
    twins.fresh()
    model = SMALL.model()
    model.train_on_batch(SMALL.x, SMALL.y)
    threads, files = set(threading.enumerate()), open_files()
    seen: list[Any] = []

    def look(*_: Any, **__: Any) -> None:
        new = sorted(it.name for it in set(threading.enumerate()) - threads)
        seen.append(("gainstage-uplink" in new, open_files() > files, model.train_function))

    looking = keras.callbacks.LambdaCallback(on_train_batch_begin=look)
    fit(model, LayerMonitor(closed, every=1, spool=tmp_path), looking)

    assert all(thread and file for thread, file, _ in seen)
    assert seen[-1][-1].__qualname__ != KERAS_FUNCTION
