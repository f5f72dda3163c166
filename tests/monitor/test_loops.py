"""Training loops written by hand, as each backend has them: `monitor.sample` between two steps."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from gainstage import LayerMonitor, peek

from .models import array
from .twins import BACKEND, bits, complaints, fresh

pytestmark = pytest.mark.every_backend

layers = keras.layers
BATCH, STEPS = 8, 32
X = np.random.default_rng(0).normal(size=(BATCH, 6)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, BATCH)
LOSS = keras.losses.SparseCategoricalCrossentropy()
Looks = Callable[[int], object]
Loop = Callable[[Any, Looks], None]


def build(*, compiled: bool = True) -> Any:
    """The weights of the hidden layer are far too large for its sigmoid."""
    fresh()
    spread = keras.initializers.RandomNormal(stddev=40.0)
    model = keras.Sequential(
        [
            layers.Input((6,)),
            layers.BatchNormalization(),
            layers.Dense(16, activation="sigmoid", kernel_initializer=spread, name="hidden"),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )
    if compiled:
        model.compile(keras.optimizers.SGD(0.1), LOSS)
    return model


def by_train_on_batch(model: Any, look: Looks) -> None:
    for step in range(STEPS):
        look(step)
        model.train_on_batch(X, Y)


def by_tape(model: Any, look: Looks) -> None:
    import tensorflow as tf

    @tf.function
    def train(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            loss = LOSS(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)

    model.optimizer.build(model.trainable_variables)
    for step in range(STEPS):
        look(step)
        train(tf.constant(X), tf.constant(Y))


def by_stateless_calls(model: Any, look: Looks, *, written_back: bool = True) -> None:
    import jax

    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    held = [model.trainable_variables, model.non_trainable_variables, optimizer.variables]

    @jax.jit
    def train(state: Any, x: Any, y: Any) -> Any:
        trainable, others, of_optimizer = state

        def loss(trainable: Any) -> Any:
            outputs, after = model.stateless_call(trainable, others, x, training=True)
            return LOSS(y, outputs), after

        gradients, others = jax.grad(loss, has_aux=True)(trainable)
        trainable, of_optimizer = optimizer.stateless_apply(of_optimizer, gradients, trainable)
        return trainable, others, of_optimizer

    def write_back() -> None:
        for variables, values in zip(held, state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    state = tuple([variable.value for variable in variables] for variables in held)
    for step in range(STEPS):
        if written_back:
            write_back()
        look(step)
        state = train(state, X, Y)
    write_back()


def by_backward(model: Any, look: Looks) -> None:
    import torch

    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    for step in range(STEPS):
        look(step)
        model.zero_grad()
        LOSS(y, model(x, training=True)).backward()
        weights = model.trainable_weights
        with torch.no_grad():
            model.optimizer.apply([weight.value.grad for weight in weights], weights)


def by_torch_alone(model: Any, look: Looks) -> None:
    import torch

    x, y = keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(Y)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(STEPS):
        look(step)
        optimizer.zero_grad()
        loss = torch.nn.functional.nll_loss(torch.log(model(x, training=True)), y)
        loss.backward()
        optimizer.step()


LOOPS: dict[str, Loop] = {
    "train_on_batch": by_train_on_batch,
    **{
        "tensorflow": {"GradientTape": by_tape},
        "jax": {"stateless_call": by_stateless_calls},
        "torch": {"backward": by_backward},
    }[BACKEND],
}


def monitored(model: Any) -> Any:
    monitor = LayerMonitor(False)
    monitor.set_model(model)
    monitor.on_train_begin()
    return monitor


def left_by(model: Any) -> list[Any]:
    return [bits(weight) for weight in (*model.variables, *model.optimizer.variables)]


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_loop_trains_the_same_to_the_last_bit_and_each_sample_is_of_its_step(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    alone = build()
    loop(alone, lambda _: None)
    model = build()
    monitor, kernels, seen = monitored(model), [], []

    def look(_: int) -> None:
        kernel = array(model.layers[-1].kernel, np.float64)
        kernels.append(float(np.sqrt(np.mean(kernel**2))))
        monitor.sample(X)
        seen.append(monitor.frame())

    loop(model, look)
    monitor.on_train_end()

    assert left_by(model) == left_by(alone)
    assert [table.step for table in seen] == list(range(STEPS))
    last = seen[0].layers[-1]
    assert [table[last, "kernel_rms"] for table in seen] == pytest.approx(kernels, rel=1e-6)
    assert np.abs(np.diff(kernels) / kernels[1:]).min() > 2e-6
    assert [found.verdict for found in monitor.findings()] == ["kernel"]
    assert complaints(caplog) == []


if BACKEND == "jax":

    def test_values_that_are_not_written_back_are_not_seen() -> None:
        model = build()
        monitor, seen = monitored(model), set()

        def look(_: int) -> None:
            monitor.sample(X)
            table = monitor.frame()
            seen.add((table.step, table[table.layers[-1], "kernel_rms"]))

        by_stateless_calls(model, look, written_back=False)

        assert len(seen) == 1
        assert monitor.frames == STEPS


if BACKEND == "torch":

    def test_loop_with_an_optimizer_of_torch_says_its_steps(
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        alone = build(compiled=False)
        by_torch_alone(alone, lambda _: None)
        model = build(compiled=False)
        monitor, steps = monitored(model), []

        def look(step: int) -> None:
            monitor.sample(X, step=step)
            steps.append(monitor.frame().step)

        by_torch_alone(model, look)

        assert [bits(weight) for weight in model.variables] == [
            bits(weight) for weight in alone.variables
        ]
        assert steps == list(range(STEPS))
        assert [found.verdict for found in monitor.findings()] == ["kernel"]
        assert complaints(caplog) == []


def test_logs_are_those_of_the_step_though_the_metric_counts_on() -> None:
    model = build()
    model.compile("sgd", "mse", run_eagerly=True)
    metric = keras.metrics.Sum()
    metric.update_state([2.0])
    logs = {"sum": metric.total if BACKEND == "tensorflow" else metric.result()}

    kept = peek.kept(model, logs)
    metric.update_state([5.0])

    assert peek.numbers(kept) == {"sum": 2.0}
