"""What the probe reads of a tensor, and of which: positions, weights, modes and precisions."""

from collections.abc import Sequence

import keras
import numpy as np
import pytest

from gainstage.drawing import COORDINATES, POSITIONS
from gainstage.measures import Meters
from gainstage.probe import MOST_TRACES, Probe
from gainstage.statistics import INDEX

from .models import EXAMPLES, array, batch, reading, rows_of, same_rows, sequential, stateful_model

layers = keras.layers
pytestmark = [pytest.mark.every_backend, pytest.mark.usefixtures("seeded")]


def test_positions_of_one_layer_belong_together() -> None:
    model = sequential(layers.Dense(4, activation="relu", name="hidden"), shape=(9, 7, 5))
    kernel = array(model.layers[0].kernel)

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


def test_large_kernel_is_drawn_from_evenly() -> None:
    init = keras.initializers.RandomNormal(50.0, 0.01)
    model = sequential(layers.Dense(400, kernel_initializer=init, name="hidden"), shape=(300,))
    kernel = array(model.layers[0].kernel, np.float64)

    read = reading(Probe(model)(batch(300)), "hidden")

    assert read.kernel is not None
    drawn = array(read.kernel, np.float64)
    assert drawn.size == COORDINATES
    assert drawn.mean() == pytest.approx(kernel.mean(), abs=4 * 0.01 / np.sqrt(COORDINATES))
    assert drawn.std() == pytest.approx(kernel.std(), rel=4 / np.sqrt(2 * COORDINATES))


def test_share_of_weights_that_are_not_finite_is_counted() -> None:
    model = sequential(layers.Dense(3, name="hidden"))
    kernel = np.ones((5, 3))
    kernel[0] = np.nan, np.inf, -np.inf
    model.layers[0].kernel.assign(kernel)

    read = reading(Probe(model)(batch(5)), "hidden")

    assert read.nonfinite_weights == pytest.approx(3 / 15)
    assert read.kernel is not None
    assert np.isnan(read.kernel).any()


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
    assert after.kernel is after.moving


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
    assert {array(one).dtype for one in arrays} == {np.dtype("float32")}


def test_probe_of_a_stateful_model_sees_training_mode() -> None:
    model = stateful_model()
    norm = next(one for one in model.layers if isinstance(one, layers.BatchNormalization))
    norm.moving_mean.assign(np.full(3, 100.0))

    sample = Probe(model)(batch(6, 6, 2))

    read = reading(sample, norm.name)
    assert np.abs(np.mean(array(read.y))) < 1


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


def test_one_weight_that_is_not_finite_is_noticed_wherever_it_is() -> None:
    model = sequential(layers.Dense(100, name="hidden"), shape=(300,))
    kernel = np.ones((300, 100), np.float32)
    kernel[299, 98] = np.nan
    model.layers[0].kernel.assign(kernel)

    read = reading(Probe(model)(batch(300)), "hidden")

    assert read.nonfinite_weights is not None
    assert 0 < read.nonfinite_weights < 0.001


def test_large_weights_are_looked_at_whole_only_where_something_is_not_finite() -> None:
    """Of an embedding whose bad entry no word of the batch reads, nothing shows."""
    model = keras.Sequential([layers.Input((4,)), layers.Embedding(300, 100, name="words")])
    table = np.ones((300, 100), np.float32)
    table[299, 98] = np.nan
    model.layers[0].embeddings.assign(table)
    probe = Probe(model)

    read = [reading(probe(np.full((EXAMPLES, 4), word)), "words") for word in (3, 299)]

    assert [it.nonfinite_weights for it in read] == [0.0, 1 / table.size]


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64")  # JAX's own
@pytest.mark.parametrize("floats", ["float64", "bfloat16"])
def test_large_weights_are_read_whatever_keras_computes_in(
    floats: str,
) -> None:
    usual = keras.config.floatx()
    keras.config.set_floatx(floats)
    try:
        model = sequential(layers.Dense(100, name="hidden"), shape=(300,))
        read = reading(Probe(model)(batch(300)), "hidden")
    finally:
        keras.config.set_floatx(usual)

    assert read.nonfinite_weights == 0.0
    assert read.kernel is not None
    assert read.kernel.dtype == np.float32


def test_masked_scores_of_an_attention_are_nothing_that_is_not_finite() -> None:
    inputs = keras.Input((4, 6))
    wide = layers.Dense(1_000, name="wide")
    table = np.full((6, 1_000), 1e-3, np.float32)
    attended = layers.MultiHeadAttention(2, 3)(inputs, inputs, use_causal_mask=True)
    model = keras.Model(inputs, wide(attended))
    table[5, 999] = np.nan
    wide.kernel.assign(table)
    probe = Probe(model)
    x = np.ones((EXAMPLES, 4, 6), np.float32)

    spoilt = reading(probe(x), "wide").nonfinite_weights
    wide.kernel.assign(np.nan_to_num(table))

    assert spoilt == 1 / 7_000
    assert reading(probe(x), "wide").nonfinite_weights == 0.0


def test_masked_steps_count_nowhere() -> None:
    model = sequential(
        layers.Masking(-1.0, name="mask"),
        layers.Dense(4, activation="tanh", name="hidden"),
        shape=(9, 5),
    )
    x = batch(9, 5)
    x[:, 4:] = -1.0
    x[0, 2:] = -1.0

    read = reading(Probe(model)(x), "hidden")

    assert read.x is not None
    assert len(read.x) == 4 * (EXAMPLES - 1) + 2
    assert not (array(read.x) == -1.0).any()
    assert len(array(read.z)) == len(array(read.y)) == len(read.x)


def test_layer_has_its_statistics_though_all_its_steps_are_masked_in_the_first_sample() -> None:
    model = sequential(
        layers.Masking(-1.0),
        layers.LayerNormalization(name="norm"),
        layers.Dense(4, activation="tanh", name="hidden"),
        layers.LSTM(3, name="memory"),
        shape=(3, 5),
    )
    probe = Probe(model)
    samples = [probe(np.full((EXAMPLES, 3, 5), -1.0, np.float32)), probe(batch(3, 5))]
    meters = Meters(samples[0].rows)

    (nothing, at_first), (some, then) = (
        meters.measure(sample.readings, step) for step, sample in enumerate(samples)
    )

    assert np.array_equal(at_first, then)
    place = np.array([INDEX[id] for id in ("input_rms", "pre_db", "coherence", "nonfinite_rate")])
    row = [row.path.endswith("hidden") for row in samples[0].rows].index(True)
    assert np.isnan(nothing[row, place]).all()
    assert np.isfinite(some[row, place]).all()


def test_of_many_steps_only_those_that_are_not_masked_are_drawn() -> None:
    model = sequential(layers.Masking(-1.0), layers.Dense(4, name="hidden"), shape=(400, 1))
    x = np.full((EXAMPLES, 400, 1), -1.0, np.float32)
    x[:, ::3] = np.arange(EXAMPLES * 134, dtype=np.float32).reshape(EXAMPLES, 134, 1)

    read = reading(Probe(model)(x), "hidden")

    assert read.x is not None
    assert len(read.x) == POSITIONS
    assert np.min(read.x) >= 0
    assert len(set(np.ravel(read.x).tolist())) > 0.9 * POSITIONS


def test_sequences_of_another_length_give_the_same_rows() -> None:
    model = sequential(layers.Conv1D(4, 3, padding="same"), layers.Dense(2), shape=(None, 5))
    probe = Probe(model)

    lengths = [probe(batch(length, 5)) for length in (9, 12, 15)]

    assert lengths[0].rows == lengths[1].rows == lengths[2].rows
    assert [len(sample.readings[0].y) for sample in lengths] == [EXAMPLES * n for n in (9, 12, 15)]


def test_shapes_without_end_are_not_traced_without_end() -> None:
    model = sequential(layers.Dense(2, name="one"), shape=(None, 5))
    probe = Probe(model)

    taken = [probe(batch(length, 5)) is not None for length in range(1, 40)]

    assert probe._pass.eager or len(probe._traces) <= MOST_TRACES
    assert all(taken[:MOST_TRACES])
