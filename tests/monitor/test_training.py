"""What is known of how a model is trained, and that finding out leaves nothing behind."""

import keras
import numpy as np
import pytest

from gainstage.training import (
    describe_training,
    environment,
    learning_rate,
    loss_name,
    optimizer_step,
    penalty_per_example,
)


def model(**settings: object) -> keras.Model:
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    if settings:
        made.compile(**settings)
    return made


def test_training_is_described_by_optimizer_loss_and_batch() -> None:
    optimizer = keras.optimizers.SGD(0.25, momentum=0.5, weight_decay=0.125)

    told = describe_training(model(optimizer=optimizer, loss="mse"), 32, 0.25)

    assert (told.optimizer, told.learning_rate, told.momentum) == ("SGD", 0.25, 0.5)
    assert told.weight_decay == 0.125
    assert (told.loss, told.batch_size) == ("mse", 32)
    assert (told.backend, told.keras) == (keras.backend.backend(), keras.__version__)


def test_model_that_is_not_compiled_is_described_as_far_as_it_is_known() -> None:
    told = describe_training(model(), None, None)

    assert (told.optimizer, told.learning_rate, told.loss) == ("", None, "")
    assert optimizer_step(model()) is None


def test_learning_rate_is_the_schedules_as_it_is_now() -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.5, 0.25])
    made = model(optimizer=keras.optimizers.SGD(schedule), loss="mse")
    assert learning_rate(made) == 0.5

    made.fit(np.ones((8, 3)), np.ones((8, 2)), batch_size=2, verbose=0)

    assert learning_rate(made) == 0.25
    assert optimizer_step(made) == 4


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("mse", "mse"),
        (keras.losses.BinaryCrossentropy(), "binary_crossentropy"),
        (keras.losses.sparse_categorical_crossentropy, "sparse_categorical_crossentropy"),
        (None, ""),
    ],
)
def test_loss_has_a_name_however_it_was_given(loss: object, name: str) -> None:
    assert loss_name(model(optimizer="sgd", loss=loss)) == name


def test_losses_of_several_outputs_are_all_named() -> None:
    inputs = keras.Input((3,))
    outputs = {"a": keras.layers.Dense(1)(inputs), "b": keras.layers.Dense(1)(inputs)}
    made = keras.Model(inputs, outputs)
    made.compile("sgd", {"a": "mse", "b": keras.losses.CategoricalCrossentropy()})

    assert sorted(loss_name(made).split()) == ["categorical_crossentropy", "mse"]


def test_division_of_the_penalty_is_what_keras_does_to_a_batch() -> None:
    layer = keras.layers.ActivityRegularization(l2=1.0)
    losses = []
    for examples in (1, 8):
        layer(np.ones((examples, 1), np.float32))
        losses.append(float(layer.losses[0]))

    assert penalty_per_example() == (losses[0] == losses[1])


def test_finding_out_changes_no_automatic_name_and_no_random_state() -> None:
    first = keras.layers.ActivityRegularization().name
    keras.utils.set_random_seed(1)
    expected = keras.layers.Dense(2)
    expected.build((None, 2))

    keras.utils.set_random_seed(1)
    penalty_per_example()
    second = keras.layers.ActivityRegularization().name
    layer = keras.layers.Dense(2)
    layer.build((None, 2))

    number = int(first.rpartition("_")[2]) if first[-1].isdigit() else 0
    assert second == f"activity_regularization_{number + 1}"
    assert np.array_equal(layer.kernel, expected.kernel)


def test_environment_is_text() -> None:
    told = environment()

    assert told["keras"] == keras.__version__
    assert all(isinstance(value, str) and value for value in told.values())
