"""Applying a patch: the layer is changed, everything else is as it was."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from gainstage import Finding, apply

layers = keras.layers
pytestmark = pytest.mark.every_backend
SPLIT = """
replacement = [
    keras.layers.Dense(4, activity_regularizer=keras.regularizers.L2(0.01), name="hidden"),
    keras.layers.Activation("sigmoid"),
]
"""
RESET = """
replacement = [
    keras.layers.Dense(4, activation="sigmoid", bias_regularizer="l2", name="hidden"),
]
"""
X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def hidden() -> Any:
    return layers.Dense(
        4, activation="sigmoid", bias_initializer=keras.initializers.Constant(30.0), name="hidden"
    )


def sequential(layer: Any) -> Any:
    return keras.Sequential([layers.Input((3,)), layer, layers.Dense(2, name="out")], name="model")


def functional(layer: Any) -> Any:
    inputs = keras.Input((3,))
    seen = layer(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([seen, inputs])), name="model")


def nested(layer: Any) -> Any:
    inner = keras.Sequential([layers.Input((3,)), layers.BatchNormalization(), layer], name="inner")
    return keras.Sequential([layers.Input((3,)), inner, layers.Dense(2)], name="model")


MODELS = (sequential, functional, nested)


def finding(model: Any, code: str, layer: str = "") -> Finding:
    paths = [one.path for one in model._flatten_layers() if one.name == "hidden"]
    return Finding(
        id="0",
        row="0",
        layer=layer or paths[0],
        verdict="activity",
        severity="warning",
        since_step=0,
        last_step=0,
        code=code,
        remedy="Lower the learning rate.",
    )


def outputs(model: Any) -> Any:
    return keras.ops.convert_to_numpy(model(X))


@pytest.mark.parametrize("make", MODELS)
def test_layers_of_the_patch_stand_in_its_place_with_its_weights(make: Any) -> None:
    model = make(layers.Dense(4, activation="sigmoid", name="hidden"))
    before = outputs(model)

    changed = apply(finding(model, SPLIT), model)

    assert np.array_equal(outputs(changed), before)
    assert np.array_equal(outputs(model), before)
    penalised = [
        one for one in changed._flatten_layers() if getattr(one, "activity_regularizer", 0)
    ]
    assert [type(one).__name__ for one in penalised] == ["Dense"]


@pytest.mark.parametrize("make", MODELS)
def test_weights_that_the_patch_begins_anew_are_the_only_ones_that_change(make: Any) -> None:
    model = make(hidden())

    changed = apply(finding(model, RESET), model)

    differing = [
        (one.name, other.name)
        for one, other in zip(model.weights, changed.weights, strict=True)
        if not np.array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other))
    ]
    assert differing == [("bias", "bias")]


def test_recurrent_kernel_that_the_patch_begins_anew_is_drawn_again() -> None:
    orthogonal: Any = keras.initializers.Orthogonal(3.0)
    cell = layers.SimpleRNN(4, recurrent_initializer=orthogonal, name="hidden")
    model = keras.Sequential([layers.Input((6, 3)), cell])

    changed = apply(
        finding(model, 'replacement = [keras.layers.SimpleRNN(units=4, name="hidden")]'), model
    )

    kernel, recurrent, bias = (
        np.array_equal(*map(keras.ops.convert_to_numpy, pair))
        for pair in zip(model.weights, changed.weights, strict=True)
    )
    assert (kernel, recurrent, bias) == (True, False, True)


def test_patch_of_a_gate_is_applied_to_the_layer_whose_gate_it_is() -> None:
    model = keras.Sequential([layers.Input((6, 3)), layers.LSTM(4, name="hidden")], name="model")
    code = "replacement = [keras.layers.LSTM(units=4, unit_forget_bias=False, name='hidden')]"

    changed = apply(finding(model, code, f"{model.layers[0].path}/forget"), model)

    assert not changed.layers[0].cell.unit_forget_bias


def test_copy_is_compiled_as_the_model_was_and_trains() -> None:
    model = sequential(hidden())
    model.compile(keras.optimizers.SGD(0.125, momentum=0.5), "mse")

    changed = apply(finding(model, SPLIT), model)
    changed.fit(X, np.zeros((5, 2), np.float32), verbose=0)

    assert type(changed.optimizer).__name__ == "SGD"
    assert float(np.asarray(changed.optimizer.learning_rate)) == 0.125
    assert changed.optimizer.momentum == 0.5


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = hidden()

    def call(self, x: Any) -> Any:
        return self.hidden(x)


def test_what_cannot_be_patched_is_refused_with_what_to_do() -> None:
    model = sequential(hidden())
    other = Subclassed()
    other(X)

    with pytest.raises(ValueError, match=r"has no patch.*Lower the learning rate\."):
        apply(finding(model, ""), model)
    with pytest.raises(ValueError, match=r"UnknownName in the place of .*hidden, whose class is"):
        apply(finding(model, "replacement = [UnknownName()]"), model)
    with pytest.raises(
        ValueError, match=r"Received: 'elsewhere', of which there are 0\. Known: .*hidden, "
    ):
        apply(finding(model, SPLIT, "elsewhere"), model)
    with pytest.raises(ValueError, match=r"Received: Subclassed\. Put the layers"):
        apply(finding(model, SPLIT), other)


def test_layer_of_a_model_that_was_loaded_is_found_by_its_name(tmp_path: Path) -> None:
    model = sequential(layers.Dense(4, activation="sigmoid", name="hidden"))
    model.save(tmp_path / "model.keras")
    loaded: Any = keras.saving.load_model(tmp_path / "model.keras")

    changed = apply(finding(model, SPLIT), loaded)

    assert loaded.layers[0].path != model.layers[0].path
    assert np.array_equal(outputs(changed), outputs(model))


def test_name_that_several_layers_have_is_refused() -> None:
    inner = keras.Sequential([layers.Input((3,)), layers.Dense(3, name="hidden")], name="inner")
    model = keras.Sequential([layers.Input((3,)), inner, layers.Dense(2, name="hidden")])

    with pytest.raises(ValueError, match=r"Received: 'hidden', of which there are 2\. Known: "):
        apply(finding(model, SPLIT, "hidden"), model)


class Drift(keras.constraints.Constraint):
    def __call__(self, w: Any) -> Any:
        return w + 1.0


def test_what_a_patch_cannot_name_is_given_to_its_layer_as_it_is() -> None:
    code = """
replacement = [
    keras.layers.Dense(4, bias_constraint=UnknownName(), bias_regularizer="l2", name="hidden"),
    keras.layers.Activation("sigmoid"),
]
"""
    drift = Drift()
    model = sequential(layers.Dense(4, bias_constraint=drift, name="hidden"))

    changed = apply(finding(model, code), model)

    (patched,) = [one for one in changed._flatten_layers() if isinstance(one, layers.Dense)][:1]
    assert patched.bias_constraint is drift
    assert patched.bias.constraint is drift
