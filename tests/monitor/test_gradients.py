"""The probe's gradient is the gradient of the loss of what it was given, and changes nothing."""

from typing import Any

import keras
import numpy as np
import pytest

from gainstage.gradients import Gradients, Slopes
from gainstage.layers import leaves
from gainstage.training import penalty_per_example

from .models import EXAMPLES, batch, sequential
from .test_probe_traces import different, everything_of

layers = keras.layers
pytestmark = [pytest.mark.every_backend, pytest.mark.usefixtures("seeded")]


def rms_of(model: Any, x: Any, y: Any, weights: Any = None) -> list[float]:
    """Rms of the gradient of each layer with weights, in their order."""
    return [slopes.loss for slopes in slopes_of(model, x, y, weights)]


def slopes_of(model: Any, x: Any, y: Any, weights: Any = None) -> list[Slopes]:
    return list(Gradients(model, leaves(model, None, ()))((x, y, weights), ()).values())


def rms(array: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(array, np.float64)))))


def linear(x: Any, **options: Any) -> tuple[Any, Any]:
    """A linear model and its kernel."""
    model = sequential(layers.Dense(2, use_bias=False, **options), shape=(x.shape[1],))
    model.compile("sgd", "mse")
    return model, np.asarray(model.layers[0].kernel, np.float64)


def test_gradient_of_a_linear_model_is_the_one_on_paper() -> None:
    x, y = batch(5), np.ones((EXAMPLES, 2), np.float32)
    model, kernel = linear(x)

    (found,) = rms_of(model, x, y)

    assert found == pytest.approx(rms(x.T @ (x @ kernel - y) / EXAMPLES), rel=1e-4)


def test_penalties_and_the_weights_of_examples_are_part_of_it() -> None:
    x, y = batch(5), np.ones((EXAMPLES, 2), np.float32)
    weights = np.linspace(0, 2, EXAMPLES).astype(np.float32)
    model, kernel = linear(x, kernel_regularizer=keras.regularizers.L2(0.5))

    (found,) = slopes_of(model, x, y, weights)

    of_data = x.T @ ((x @ kernel - y) * weights[:, None]) / EXAMPLES
    assert found.loss == pytest.approx(rms(of_data + kernel), rel=1e-4)
    assert found.data == pytest.approx(rms(of_data), rel=1e-4)
    assert found.penalties == pytest.approx(rms(kernel), rel=1e-4)


def test_penalty_on_outputs_is_told_apart_from_the_data_as_well() -> None:
    x, y = batch(5), np.ones((EXAMPLES, 2), np.float32)
    model, kernel = linear(x, activity_regularizer=keras.regularizers.L2(0.5))

    (found,) = slopes_of(model, x, y)

    examples = EXAMPLES if penalty_per_example() else 1
    assert found.data == pytest.approx(rms(x.T @ (x @ kernel - y) / EXAMPLES), rel=1e-4)
    assert found.penalties == pytest.approx(rms(x.T @ (x @ kernel) / examples), rel=1e-4)


def test_without_penalties_all_of_it_comes_from_the_data() -> None:
    model, _ = linear(x := batch(5))

    (found,) = slopes_of(model, x, np.ones((EXAMPLES, 2), np.float32))

    assert (found.data, found.penalties) == (found.loss, 0.0)


def test_gradient_through_saturated_units_vanishes() -> None:
    loud = keras.initializers.Constant(50.0)
    x, y = np.ones((EXAMPLES, 5), np.float32), np.ones((EXAMPLES, 2), np.float32)
    model = sequential(
        layers.Dense(4, activation="sigmoid", kernel_initializer=loud), layers.Dense(2)
    )
    model.compile("sgd", "mse")

    first, last = rms_of(model, x, y)

    assert first == 0.0
    assert last > 0.1


def test_weights_that_the_loss_does_not_depend_on_have_none() -> None:
    inputs = keras.Input((5,))
    unused = layers.Dense(3, name="unused")(inputs)
    model = keras.Model(inputs, [layers.Dense(2, name="used")(inputs), unused])
    model.compile("sgd", ["mse", None])
    found = Gradients(model, found_leaves := leaves(model, None, ()))

    values = found((batch(5), [np.ones((EXAMPLES, 2), np.float32), None], None), ())

    named = {leaf.path: values[id(leaf.layer)] for leaf in found_leaves if id(leaf.layer) in values}
    assert named["unused"].loss == 0.0
    assert named["used"].loss > 0.0


def test_frozen_layers_have_none_to_tell() -> None:
    model = sequential(layers.Dense(4), layers.Dense(2))
    model.layers[0].trainable = False
    model.compile("sgd", "mse")

    assert len(rms_of(model, batch(5), np.ones((EXAMPLES, 2), np.float32))) == 1


def test_taking_it_leaves_no_trace() -> None:
    model = sequential(
        layers.Dense(4, activation="tanh", activity_regularizer="l2"),
        layers.BatchNormalization(momentum=0.5),
        layers.Dropout(0.5),
        layers.Dense(3, activation="softmax"),
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    y = np.arange(EXAMPLES) % 3
    model.fit(batch(5), y, verbose=0)
    metrics = [np.array(variable.numpy()) for variable in model.metrics_variables]
    before = everything_of(model)

    rms_of(model, batch(5), y)

    assert different(before, everything_of(model)) == []
    for variable, was in zip(model.metrics_variables, metrics, strict=True):
        assert np.array_equal(np.asarray(variable.numpy()), was)


if keras.backend.backend() == "torch":

    def test_what_the_pass_kept_for_the_gradient_is_let_go_of() -> None:
        model = sequential(layers.Dense(3, kernel_regularizer="l2"), layers.Dense(1))
        model.compile("sgd", "mse")
        original, losses = model.compute_loss, []

        def compute_loss(**given: Any) -> Any:
            losses.append(original(**given))
            return losses[-1]

        vars(model)["compute_loss"] = compute_loss
        Gradients(model, leaves(model, None, ()))((batch(5), batch(1), None), ())

        with pytest.raises(RuntimeError, match="a second time"):
            losses[0].backward()
