"""Training with the monitor is training without it: same bits, nothing left behind, no failure.

Every comparison is of two trainings in fresh state, by `twins.different`; the tests at the end of
the first part show that this comparison finds what a careless monitor would do.
"""

import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from gainstage import LayerMonitor

from . import twins
from .trainings import BY_XLA, MLP, SMALL, TRAININGS
from .twins import (
    BACKEND,
    BATCH,
    EPOCHS,
    KERAS_FUNCTION,
    STEPS,
    Making,
    alone,
    complaints,
    different,
    outcome,
)

layers = keras.layers
every_backend = pytest.mark.every_backend

# Keras's own: of data that comes shuffled, and of what numpy does to a variable.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed, but will be ignored"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(autouse=True, scope="module")
def deterministic() -> Iterator[None]:
    with twins.deterministic():
        yield


SEVERAL = TRAININGS["four steps at a time"]
# Samples where every call is one: all but the first call, and the half batch that ends an epoch.
FRAMES = dict.fromkeys(TRAININGS, EPOCHS * (STEPS - 1) - 1) | {"four steps at a time": 3}
FRAMES["validation"] += EPOCHS
ROWS = dict.fromkeys(TRAININGS, 5) | {
    "cnn": 10,
    "four steps at a time": 10,
    "lstm": 11,  # with four gates of each layer
    "own train step": 3,
    "two inputs": 6,
    "bfloat16": 3,
}


@pytest.mark.parametrize("name", TRAININGS)
def test_every_bit_is_the_same_with_the_monitor(
    name: str, closed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = Making(closed, every=1, spool=tmp_path)

    watched = outcome(TRAININGS[name], made)

    assert different(alone(TRAININGS[name]), watched) == []
    assert made.monitor.frames == FRAMES[name]
    assert len(made.monitor.frame().layers) == ROWS[name]
    assert complaints(caplog) == []


def test_every_bit_is_the_same_where_xla_compiles_the_step(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = Making(False, every=1)
    with twins.deterministic(False):
        some, others = outcome(BY_XLA), outcome(BY_XLA, made)

    assert different(some, others) == []
    assert made.monitor.model.jit_compile
    assert made.monitor.frames == FRAMES["mlp"]
    assert complaints(caplog) == []


@pytest.mark.parametrize(
    "options",
    [
        {"every": "auto"},
        {"every": "auto", "overhead": 0.9},
        {"every": 4},
        pytest.param(
            {"every": 1, "examples": 2, "include": ["dense*"], "exclude": ["*_1"]},
            marks=every_backend,
        ),
        {"every": 1, "include": ["nothing"]},
    ],
    ids=str,
)
def test_every_bit_is_the_same_however_the_monitor_is_set(options: dict[str, Any]) -> None:
    made = Making(False, **options)

    watched = outcome(SMALL, made)

    assert different(alone(SMALL), watched) == []


@every_backend
def test_model_is_written_down_during_training_as_without_the_monitor() -> None:
    made, writers = Making(False, every=1), []

    def writer() -> twins.Serialising:
        writers.append(twins.Serialising())
        return writers[-1]

    some, others = outcome(MLP, writer), outcome(MLP, made, writer)

    assert different(some, others) == []
    assert len(some["Serialising's notes"]) == EPOCHS * 2 * 6
    # It was indeed written down while a sample was about to be taken.
    assert writers[0].functions == {KERAS_FUNCTION}
    assert len(writers[1].functions) == 2
    assert made.monitor.frames == FRAMES["mlp"]


@every_backend
def test_every_bit_is_the_same_where_nothing_else_reads_the_model() -> None:
    def trained(*callbacks: Any) -> Any:
        twins.fresh()
        model = SMALL.model()
        model.fit(**SMALL.data(SMALL), epochs=EPOCHS, verbose=0, callbacks=list(callbacks))
        return twins.traces(model)

    monitor = LayerMonitor(False, every=1)

    assert different(trained(), trained(monitor)) == []
    assert monitor.frames == EPOCHS * (STEPS - 1) - 1


# The comparison itself: what a careless monitor does, and the names under which it is found.


class Careless(keras.callbacks.Callback):
    """Does the same thing before each step."""

    def __init__(self, deed: Callable[[Any], object]) -> None:
        super().__init__()
        self.deed = deed

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.deed(self.model)


def _pass_outside_a_scope(model: Any) -> None:
    model(SMALL.x, training=True)


def _tap_in_the_training_graph(model: Any) -> None:
    layer = model.layers[0]
    original = layer.activation

    def tapping(z: Any) -> Any:
        return original(z)

    vars(layer)["activation"] = tapping


def _leave_a_patch(model: Any) -> None:
    vars(model.layers[0])["call"] = model.layers[0].call


def _swallow_a_part(model: Any) -> None:
    original = model.train_function

    def swallowing(*arguments: Any) -> Any:
        model.train_function = original
        *state, source = arguments
        if BACKEND == "torch":  # half of the batch
            return original([keras.tree.map_structure(lambda part: part[: BATCH // 2], source[0])])
        return original(*state, iter(list(islice(source, model.steps_per_execution))[:1]))

    model.train_function = swallowing


def _leave_the_function(model: Any) -> None:
    original = model.train_function

    def ours(*arguments: Any) -> Any:
        return original(*arguments)

    model.train_function = ours


def _step_on(model: Any) -> None:
    model.optimizer.iterations.assign_add(1)


def _nudge_the_smallest_bit(model: Any) -> None:
    weight = model.trainable_variables[0]
    nudged = np.array(keras.ops.convert_to_numpy(weight))
    nudged.flat[0] = np.nextafter(nudged.flat[0], np.float32(np.inf))
    weight.assign(nudged)


# Where a layer without a seed of its own draws from.
DRAWN = "torch" if BACKEND == "torch" else "seeds"


@pytest.mark.parametrize(
    ("deed", "found"),
    [
        (lambda _: random.random(), {"random"}),
        (lambda _: np.random.random(), {"numpy"}),
        (lambda _: tf.random.uniform(()), {"tensorflow's operations"}),
        (lambda _: tf.random.get_global_generator().uniform(()), {"tensorflow"}),
        (lambda _: keras.random.uniform(()), {"keras"}),
        (lambda _: layers.Dropout(0.5), {"names", "random"}),
        (lambda _: layers.Dense(1), {"names"}),
        (lambda _: keras.Input((1,)), {"names"}),
        pytest.param(_pass_outside_a_scope, {"weights", DRAWN}, marks=every_backend),
        pytest.param(_tap_in_the_training_graph, {"functions"}, marks=every_backend),
        pytest.param(_leave_the_function, {"functions"}, marks=every_backend),
        pytest.param(_leave_a_patch, {"attributes"}, marks=every_backend),
        pytest.param(_step_on, {"optimizer", "losses"}, marks=every_backend),
        pytest.param(_nudge_the_smallest_bit, {"weights"}, marks=every_backend),
    ],
)
def test_comparison_finds_what_a_careless_monitor_does(
    deed: Callable[[Any], object], found: set[str]
) -> None:
    careless = outcome(SMALL, lambda: Careless(deed))

    assert found <= set(different(alone(SMALL), careless))


@every_backend
def test_comparison_finds_examples_that_were_not_trained_on() -> None:
    # torch takes one step at a time, in which half of the batch is left out.
    training, counts = (SMALL, False) if BACKEND == "torch" else (SEVERAL, True)

    careless = outcome(training, lambda: Careless(_swallow_a_part))

    found = set(different(alone(training), careless))
    assert {"weights", "losses"} <= found
    assert ("optimizer" in found) is counts


@every_backend
def test_comparison_finds_what_is_written_into_a_saved_model() -> None:
    def rename(model: Any) -> None:
        model.layers[1].name = "renamed"

    some = outcome(SMALL, twins.Serialising)
    careless = outcome(SMALL, lambda: Careless(rename), twins.Serialising)

    assert "Serialising's notes" in different(some, careless)
