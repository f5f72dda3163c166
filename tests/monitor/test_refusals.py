"""What cannot be watched is refused in one warning that says why, and is trained all the same."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from gainstage import LayerMonitor, callback, refusals

from .serving import nowhere
from .trainings import SMALL
from .twins import STEPS, complaints, different, fresh, outcome, traces

# Keras's own: of data that comes shuffled.
pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed, but will be ignored")
every_backend = pytest.mark.every_backend
REFUSED = "gainstage: This training is not watched, and goes on. "


def sole_complaint(caplog: pytest.LogCaptureFixture) -> str:
    (said,) = complaints(caplog)
    return said


@every_backend
def test_worker_without_the_name_of_its_run_writes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback, "worker_of", lambda _: 3)
    with nowhere() as url:
        monitor = LayerMonitor(url, every=1, spool=tmp_path)
        watched = outcome(SMALL, lambda: monitor)

    assert different(outcome(SMALL), watched) == []
    assert sole_complaint(caplog).startswith(REFUSED + "Workers that train a model together")
    assert "Received: none in worker 3" in sole_complaint(caplog)
    assert (monitor.run, monitor.frames, monitor.findings()) == (None, 0, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [{"url": False}, {"run": "given"}])
def test_worker_that_needs_no_name_or_has_one_is_watched(
    options: dict[str, Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(callback, "worker_of", lambda _: 3)
    with nowhere() as url:
        monitor = LayerMonitor(**{"url": url, "every": 1, "spool": tmp_path} | options)
        outcome(SMALL, lambda: monitor)

    assert monitor.frames > 0
    assert complaints(caplog) == []


@every_backend
def test_sample_of_what_is_refused_is_none(caplog: pytest.LogCaptureFixture) -> None:
    monitor = LayerMonitor(False)
    monitor.set_model(object())
    monitor.on_train_begin()
    monitor.sample(SMALL.x)
    monitor.on_train_end()

    assert sole_complaint(caplog) == (
        REFUSED + "Expected a keras.Model. Received: object. "
        "Call `set_model` with the Keras model that is trained."
    )


def test_strategy_that_was_not_tried_is_refused(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(refusals.STRATEGIES, "OneDeviceStrategy")
    monitor = LayerMonitor(False, every=1)
    fresh()
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        model = SMALL.model()
    model.fit(SMALL.x, SMALL.y, verbose=0, callbacks=[monitor])

    assert sole_complaint(caplog).startswith(REFUSED + "Expected a strategy of tf.distribute")
    assert "Received: OneDeviceStrategy." in sole_complaint(caplog)
    assert monitor.frames == 0


class OwnFit(keras.Sequential):
    """Calls the callbacks in a loop of its own."""

    def loop(self, *callbacks: Any) -> None:
        told = keras.callbacks.CallbackList(list(callbacks), model=self)
        told.on_train_begin()
        told.on_epoch_begin(0)
        for step in range(STEPS):
            told.on_train_batch_begin(step)
            told.on_train_batch_end(step, {"loss": 0.0})
        told.on_train_end()


@every_backend
def test_model_without_a_training_function_is_left_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def trained(*callbacks: Any) -> Any:
        fresh()
        model = OwnFit([keras.layers.Input((6,)), keras.layers.Dense(3)])
        model.compile("sgd", "mse")
        model.loop(*callbacks)
        history = model.fit(SMALL.x, np.ones((len(SMALL.x), 3)), verbose=0)
        return traces(model) | {"losses": history.history}

    monitor = LayerMonitor(False, every=1)

    assert different(trained(), trained(monitor)) == []
    assert sole_complaint(caplog).startswith(
        REFUSED + "Expected a model that trains by Keras's `fit`, which makes its train_function. "
        "Received: OwnFit, which has none."
    )
    assert monitor.frames == 0


def by_sparse() -> Mapping[str, Any]:
    rows = tf.sparse.from_dense(SMALL.x)
    return {"x": tf.data.Dataset.from_tensor_slices((rows, SMALL.y)).batch(8)}


def by_arrays() -> Mapping[str, Any]:
    return {"x": SMALL.x, "y": SMALL.y, "batch_size": 8}


@pytest.mark.parametrize(
    ("options", "data", "why"),
    [
        pytest.param(
            {},
            by_sparse,
            "Expected inputs that can be cut to a few examples. Received: SparseTensor.",
            id="TensorFlow's sparse inputs",
        ),
        pytest.param(
            {"include": ["hidden"]},
            by_arrays,
            "There is no layer to watch. Expected: patterns that match the whole path of a layer, "
            "such as 'model/hidden' or '*hidden*'. Received: `include` ('hidden',), ",
            id="no layer",
            marks=every_backend,
        ),
    ],
)
def test_what_is_found_at_the_first_sample_is_said_once(
    options: dict[str, Any],
    data: Callable[[], Mapping[str, Any]],
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def trained(*callbacks: Any) -> Any:
        fresh()
        layers = keras.layers
        inputs = layers.Input((6,), sparse=data is by_sparse)
        dense = [layers.Dense(4, name="first"), layers.Dense(3, "softmax", name="hidden")]
        model = keras.Sequential([inputs, *dense], name="model")
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(**data(), verbose=0, callbacks=list(callbacks))
        return traces(model)

    monitor = LayerMonitor(False, every=1, **options)

    assert different(trained(), trained(monitor)) == []
    assert sole_complaint(caplog).startswith(REFUSED + why)
    assert monitor.frames == 0


@every_backend
def test_model_that_is_not_built_yet_is_sampled_once_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = keras.Sequential([keras.layers.Dense(3)])
    monitor = LayerMonitor(False)
    monitor.set_model(model)
    monitor.on_train_begin()
    monitor.sample(SMALL.x)
    model(SMALL.x)
    monitor.sample(SMALL.x)

    assert "Expected a model that is built. Received: Sequential" in sole_complaint(caplog)
    assert monitor.frames == 1
