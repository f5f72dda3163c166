"""Copies of models: of the same class, and with what their layers were adapted to."""

from typing import Any

import keras
import numpy as np
import pytest

from gainstage import run_trial
from gainstage.surgery import replaced

layers = keras.layers
WORDS = np.array([["a"], ["b"], ["c"], ["b"]])
NUMBERS = np.array([[3], [5], [5], [9]])
X = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)


class Inside(layers.Layer):
    """A lookup and a normalisation within a layer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lookup = layers.IntegerLookup(output_mode="multi_hot")
        self.normalisation = layers.Normalization()

    def adapt(self, data: Any) -> None:
        self.lookup.adapt(data)
        self.normalisation.adapt(data.astype(np.float32))

    def call(self, x: Any) -> Any:
        both = (self.lookup(x), self.normalisation(keras.ops.cast(x, "float32")))
        return keras.ops.concatenate([keras.ops.cast(one, "float32") for one in both], axis=-1)


class Late(layers.Layer):
    """A lookup that the constructor does not make."""

    def adapt(self, data: Any) -> None:
        self.lookup = adapted(layers.IntegerLookup(output_mode="multi_hot"), data)

    def build(self, input_shape: Any) -> None: ...

    def call(self, x: Any) -> Any:
        return self.lookup(x)


def adapted(layer: Any, data: Any) -> Any:
    layer.adapt(data)
    return layer


def behind(layer: Any, dtype: str) -> Any:
    model = keras.Sequential(
        [
            layers.Input((1,), dtype=dtype),
            layer,
            layers.Dense(3, activation="tanh", name="hidden"),
            layers.Dense(1),
        ],
        name="model",
    )
    model.compile("sgd", "mse")
    return model


def outputs(model: Any, x: Any) -> Any:
    return keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(x)))


@pytest.mark.parametrize(
    ("layer", "data"),
    [
        (adapted(layers.StringLookup(output_mode="multi_hot"), WORDS), WORDS),
        (adapted(layers.StringLookup(output_mode="tf_idf"), WORDS), WORDS),
        (adapted(layers.IntegerLookup(output_mode="one_hot"), NUMBERS), NUMBERS),
        (adapted(layers.TextVectorization(output_sequence_length=2), WORDS), WORDS),
        (adapted(layers.Discretization(num_bins=3), 1.0 * NUMBERS), 1.0 * NUMBERS),
        (layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot"), WORDS),
        (adapted(Inside(), NUMBERS), NUMBERS),
    ],
    ids=lambda value: value.name if isinstance(value, layers.Layer) else "",
)
def test_vocabulary_that_was_adapted_goes_into_the_copies(layer: Any, data: Any) -> None:
    kinds = {"U": "string", "i": "int64", "f": "float32"}
    model = behind(layer, kinds[data.dtype.kind])

    changed = replaced(model, "hidden", [layers.Dense(3, activation="tanh", name="hidden")])
    trial = run_trial(
        model,
        (np.repeat(data, 20, axis=0), X[:, :1]),
        layer="hidden",
        arms=["kernel"],
        strengths=(1.0,),
        steps=1,
        seeds=1,
        progress=False,
    )

    assert np.array_equal(outputs(changed, data), outputs(model, data))
    assert np.isfinite(trial.final(trial.winner, "loss")).all()


def test_layer_whose_vocabulary_cannot_go_along_is_refused() -> None:
    model = behind(adapted(Late(), NUMBERS), "int64")

    with pytest.raises(ValueError, match=r"as many layers .* as it does: 1\. Received one with 0"):
        replaced(model, "hidden", [layers.Dense(3, name="hidden")])


class Halved:
    """A loss of its own, which none of the model's layers knows of."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any
    ) -> Any:
        error: Any = keras.ops.mean(keras.ops.square(y - y_pred))
        return error / 2


class HalvedSequential(Halved, keras.Sequential): ...


class HalvedModel(Halved, keras.Model): ...


class WithMetric(Halved, keras.Model):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.steps = keras.metrics.Sum(name="steps")


class Residual(keras.Sequential):
    def call(self, inputs: Any, *arguments: Any, **options: Any) -> Any:
        return inputs + super().call(inputs, *arguments, **options)


class Sized(keras.Model):
    """Functional, and of one layer that its constructor makes."""

    def __init__(self, units: int = 3) -> None:
        x = keras.Input((3,))
        super().__init__(x, layers.Dense(units, name="hidden")(x))


class HalvedSized(Halved, Sized): ...


class Weighed(Halved, keras.Model):
    def __init__(self, *arguments: Any, beta: float = 1.0, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.beta = beta


def sequential(kind: Any) -> Any:
    return kind([layers.Input((3,)), layers.Dense(3, name="hidden")])


def functional(kind: Any, **options: Any) -> Any:
    x = keras.Input((3,))
    return kind(x, layers.Dense(3, name="hidden")(x), **options)


def copy_of(model: Any) -> Any:
    model.compile("sgd", "mse", metrics=["mae"])
    return replaced(model, "hidden", [layers.Dense(3, name="hidden")])


@pytest.mark.every_backend
@pytest.mark.parametrize(
    "model",
    [sequential(HalvedSequential), functional(HalvedModel), functional(WithMetric)],
    ids=lambda model: type(model).__name__,
)
def test_loss_or_train_step_of_a_model_s_own_is_its_copy_s_too(model: Any) -> None:
    changed = copy_of(model)

    assert type(changed) is type(model)
    targets = np.zeros((80, 3), np.float32)
    expected = float(np.square(outputs(model, X)).mean()) / 2
    found = changed.evaluate(X, targets, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["mae"] > 0


@pytest.mark.every_backend
def test_model_inside_keeps_a_call_of_its_own() -> None:
    inner = Residual([layers.Input((3,)), layers.Dense(3)])
    model = keras.Sequential([layers.Input((3,)), layers.Dense(3, name="hidden"), inner])

    assert np.array_equal(outputs(copy_of(model), X), outputs(model, X))


@pytest.mark.every_backend
def test_constructor_of_its_own_alone_is_no_hindrance() -> None:
    model = Sized()

    assert np.array_equal(outputs(copy_of(model), X), outputs(model, X))


@pytest.mark.every_backend
def test_additions_between_layers_are_copied() -> None:
    x = keras.Input((3,))
    model: Any = keras.Model(x, layers.Dense(3, name="hidden")(x) + x)

    assert np.array_equal(outputs(copy_of(model), X), outputs(model, X))


@pytest.mark.every_backend
def test_layer_that_two_models_share_stays_shared() -> None:
    shared = layers.Dense(3, name="shared")
    inner = [keras.Sequential([layers.Input((3,)), shared]) for _ in range(2)]
    model = keras.Sequential([layers.Input((3,)), layers.Dense(3, name="hidden"), *inner])

    changed = copy_of(model)

    assert changed.layers[1].layers[0] is changed.layers[2].layers[0]


def test_class_that_cannot_be_made_of_layers_is_refused() -> None:
    for model, name in ((HalvedSized(), "units"), (functional(Weighed, beta=2.0), "beta")):
        with pytest.raises(
            ValueError, match=rf"which takes {name}: .* not have its own compute_loss\. Let it"
        ):
            copy_of(model)


class Prepared(keras.Sequential):
    def compile(self, *arguments: Any, **options: Any) -> None:
        super().compile(*arguments, **options)

    def train_step(self, *arguments: Any) -> Any:
        return super().train_step(*arguments)


@pytest.mark.filterwarnings("ignore:`compile... was not called")
def test_trial_of_a_class_whose_copies_are_not_compiled_is_refused() -> None:
    model = sequential(Prepared)
    model.compile("sgd", "mse")

    with pytest.raises(ValueError, match=r"Received: Prepared, which has its own `compile`: give"):
        run_trial(model, (X, X), layer="hidden", steps=1, progress=False)
