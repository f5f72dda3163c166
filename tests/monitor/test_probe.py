"""What the probe reads of a tensor, and of which: positions, weights, modes and precisions."""

from collections.abc import Sequence

import keras
import numpy as np
import pytest

from gainstage.probe import COORDINATES, POSITIONS, Probe

from .models import EXAMPLES, batch, reading, rows_of, same_rows, sequential, stateful_model

layers = keras.layers


@pytest.fixture(autouse=True)
def fresh() -> None:
    keras.utils.set_random_seed(0)


def test_positions_of_one_layer_belong_together() -> None:
    model = sequential(layers.Dense(4, activation="relu", name="hidden"), shape=(9, 7, 5))
    kernel = np.asarray(model.layers[0].kernel)

    read = reading(Probe(model)(batch(9, 7, 5)), "hidden")

    assert read.x is not None
    assert read.z is not None
    assert read.x.shape == (POSITIONS, 5)
    np.testing.assert_allclose(read.z, read.x @ kernel, atol=1e-5)
    np.testing.assert_allclose(read.y, np.maximum(read.z, 0), atol=1e-5)


def test_positions_are_drawn_from_everywhere() -> None:
    model = sequential(layers.Dense(1, name="hidden"), shape=(64, 64, 1))
    x = np.arange(EXAMPLES * 64 * 64, dtype=np.float32).reshape(EXAMPLES, 64, 64, 1)

    read = reading(Probe(model)(x), "hidden")

    assert read.x is not None
    drawn = np.sort(read.x.ravel())
    assert len(set(drawn.tolist())) == POSITIONS
    assert np.diff(drawn).max() < 3 * x.size / POSITIONS
    assert len({value % 64 for value in drawn.tolist()}) > 55


def test_kernel_is_read_at_coordinates_that_stand_for_all_of_it() -> None:
    init = keras.initializers.RandomNormal(50.0, 0.01)
    model = sequential(layers.Dense(400, kernel_initializer=init, name="hidden"), shape=(300,))
    kernel = np.asarray(model.layers[0].kernel, np.float64)

    read = reading(Probe(model)(batch(300)), "hidden")

    assert read.kernel is not None
    assert read.kernel.size == pytest.approx(COORDINATES, rel=0.02)
    assert read.kernel.mean(dtype=np.float64) == pytest.approx(kernel.mean(), abs=0.001)
    assert read.kernel.std(dtype=np.float64) == pytest.approx(kernel.std(), rel=0.05)
    assert read.kernel_max == pytest.approx(np.abs(kernel).max())
    assert read.moving is read.kernel


def test_small_kernel_is_read_as_a_whole() -> None:
    model = sequential(layers.Dense(4, name="hidden"))

    read = reading(Probe(model)(batch(5)), "hidden")

    np.testing.assert_array_equal(read.kernel, np.ravel(model.layers[0].kernel))


def test_share_of_weights_that_are_not_finite_is_counted() -> None:
    model = sequential(layers.Dense(3, name="hidden"))
    kernel = np.ones((5, 3))
    kernel[0] = np.nan, np.inf, -np.inf
    model.layers[0].kernel.assign(kernel)

    read = reading(Probe(model)(batch(5)), "hidden")

    assert read.nonfinite_weights == pytest.approx(3 / 18)
    assert read.kernel is not None
    assert np.isnan(read.kernel).sum() == 1
    assert read.kernel_max is not None
    assert np.isnan(read.kernel_max)


def test_channels_that_come_first_are_read_as_units() -> None:
    model = sequential(
        layers.Permute((3, 1, 2), name="turn"),
        layers.BatchNormalization(axis=1, name="norm"),
        layers.Reshape((3, 12), name="flat"),
        layers.MaxPooling1D(2, data_format="channels_first", name="pool"),
        shape=(4, 3, 3),
    )

    sample = Probe(model)(batch(4, 3, 3))

    pooled = reading(sample, "pool").y
    assert pooled is not None
    assert pooled.shape[1] == 3


def test_integers_that_enter_an_embedding_are_no_signal() -> None:
    model = sequential(layers.Embedding(10, 4, name="words"), layers.Flatten(), shape=(3,))

    sample = Probe(model)(np.arange(18, dtype=np.int32).reshape(6, 3) % 10)

    read = reading(sample, "words")
    assert read.x is None
    assert same_rows(read.y, model.layers[0].embeddings)
    assert read.moving is not None


def test_structures_of_inputs_are_passed_as_the_model_takes_them() -> None:
    inputs = {"a": keras.Input((5,), name="a"), "b": keras.Input((3,), name="b")}
    both = [layers.Dense(2, name="da")(inputs["a"]), layers.Dense(2, name="db")(inputs["b"])]
    model = keras.Model(inputs, layers.Add(name="add")(both))
    x = {"a": batch(5), "b": batch(3)}

    sample = Probe(model)(x)

    assert same_rows(reading(sample, "add").y, model(x))


def test_two_samples_have_the_same_rows_and_only_the_first_is_traced() -> None:
    model = sequential(layers.Dense(4, name="one"))
    probe = Probe(model)

    first, second = probe(batch(5)), probe(batch(5) + 1)

    assert first.rows == second.rows
    assert (first.traced, second.traced) == (True, False)
    assert same_rows(second.readings[0].x, batch(5) + 1)


def test_weights_are_read_as_they_are_at_each_sample() -> None:
    model = sequential(layers.Dense(4, name="one"))
    probe = Probe(model)
    before = probe(batch(5)).readings[0]

    model.layers[0].kernel.assign(np.full((5, 4), 7.0))
    after = probe(batch(5)).readings[0]

    assert before.moving is not None
    assert after.moving is not None
    assert set(after.moving.tolist()) == {7.0}
    assert not set(before.moving.tolist()) & {7.0}
    assert after.kernel is not None
    assert set(after.kernel.tolist()) == {7.0}
    assert after.kernel_max == 7.0


def test_models_that_run_eagerly_are_read_too() -> None:
    model = sequential(layers.Dense(4, activation="relu", name="one"))
    model.compile("sgd", "mse", run_eagerly=True)
    compiled = keras.models.clone_model(model)
    compiled.set_weights(model.get_weights())

    eager, graph = Probe(model)(batch(5)), Probe(compiled)(batch(5))

    np.testing.assert_allclose(eager.readings[0].z, graph.readings[0].z, atol=1e-5)
    assert eager.rows[0].fan_in == graph.rows[0].fan_in == 5


def test_half_precision_is_read_in_float32() -> None:
    policy = keras.DTypePolicy("mixed_bfloat16")
    model = sequential(
        layers.Dense(4, activation="tanh", dtype=policy, name="one"),
        layers.Dense(2, dtype=policy, name="two"),
    )

    sample = Probe(model)(batch(5))

    assert rows_of(sample) == [("one", "tanh", True, ()), ("two", None, False, (0,))]
    arrays = [reading(sample, "one").x, reading(sample, "one").z, reading(sample, "two").moving]
    assert {np.asarray(array).dtype for array in arrays} == {np.dtype("float32")}


def test_probe_of_a_stateful_model_sees_training_mode() -> None:
    model = stateful_model()
    norm = next(one for one in model.layers if isinstance(one, layers.BatchNormalization))
    norm.moving_mean.assign(np.full(3, 100.0))

    sample = Probe(model)(batch(6, 6, 2))

    read = reading(sample, norm.name)
    assert np.abs(np.mean(np.asarray(read.y))) < 1


def positions_of(count: int) -> Sequence[float]:
    model = sequential(layers.Dense(1, name="one"), shape=(1,))
    x = np.arange(count, dtype=np.float32)[:, None]
    read = Probe(model)(x).readings[0]
    assert read.x is not None
    return read.x.ravel().tolist()


@pytest.mark.parametrize("count", [1, 2, 16, POSITIONS])
def test_up_to_the_limit_every_position_is_read_once(count: int) -> None:
    assert positions_of(count) == list(range(count))


def test_beyond_the_limit_no_position_is_read_twice() -> None:
    drawn = positions_of(POSITIONS + 200)

    assert len(drawn) == POSITIONS
    assert len(set(drawn)) > 0.9 * POSITIONS
    assert max(drawn) < POSITIONS + 200
