"""What the probe reads of models of every kind, held against plain Keras sub-models."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest

from gainstage.measures import Reading
from gainstage.probe import POSITIONS, Probe, Sample

layers = keras.layers
EXAMPLES = 6


@pytest.fixture(autouse=True)
def fresh() -> None:
    keras.utils.set_random_seed(0)


def batch(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=(EXAMPLES, *shape)).astype(np.float32)


def sequential(*inner: Any, shape: tuple[int, ...] = (5,)) -> Any:
    return keras.Sequential([layers.Input(shape), *inner])


def rows_of(sample: Sample) -> list[tuple[str, str | None, bool, tuple[int, ...]]]:
    """Name, activation, whether it is fused, and what feeds it, of each row."""
    return [
        (row.path.rpartition("/")[2], row.activation, row.fused, row.inputs) for row in sample.rows
    ]


def reading(sample: Sample, name: str, call: int = 0) -> Reading:
    (place,) = [
        place
        for place, row in enumerate(sample.rows)
        if row.path.rpartition("/")[2] == name and row.call == call
    ]
    return sample.readings[place]


def unjudged(sample: Sample) -> list[str]:
    return [row.unjudged for row in sample.rows]


def same_rows(some: Any, others: Any) -> bool:
    """Whether two [positions, units] hold the same positions, in whatever order and number."""
    here = np.asarray(some, np.float64).reshape(-1, np.shape(some)[-1])
    there = np.asarray(others, np.float64).reshape(-1, np.shape(others)[-1])
    near = np.abs(here[:, None] - there[None]).max(axis=-1) < 1e-5
    return bool(near.any(axis=1).all())


def test_dense_layers_are_read_before_and_behind_their_activation() -> None:
    model = sequential(
        layers.Dense(4, activation="tanh", bias_initializer="ones", name="hidden"),
        layers.Dense(3, name="out"),
    )
    x = batch(5)

    sample = Probe(model)(x)

    assert rows_of(sample) == [("hidden", "tanh", True, ()), ("out", None, False, (0,))]
    hidden, out = model.layers
    z = x @ np.asarray(hidden.kernel) + 1
    read = reading(sample, "hidden")
    assert read.x is not None
    assert same_rows(read.x, x)
    assert same_rows(read.z, z)
    assert same_rows(read.y, np.tanh(z))
    assert same_rows(read.post, np.tanh(z))
    assert np.array_equal(read.bias, np.ones(4))
    last = reading(sample, "out")
    assert same_rows(last.x, np.tanh(z))
    assert same_rows(last.z, np.tanh(z) @ np.asarray(out.kernel))
    assert same_rows(last.y, np.asarray(last.z))


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


def test_kernel_is_reduced_to_what_it_is() -> None:
    init = keras.initializers.RandomNormal(50.0, 0.01)
    model = sequential(layers.Dense(400, kernel_initializer=init, name="hidden"), shape=(300,))
    kernel = np.asarray(model.layers[0].kernel, np.float64)

    weights = reading(Probe(model)(batch(300)), "hidden").kernel

    assert weights is not None
    assert weights.mean == pytest.approx(kernel.mean())
    assert weights.std == pytest.approx(kernel.std(), rel=0.01)
    assert weights.largest == pytest.approx(np.abs(kernel).max())


def test_share_of_weights_that_are_not_finite_is_counted() -> None:
    model = sequential(layers.Dense(3, name="hidden"))
    kernel = np.ones((5, 3))
    kernel[0] = np.nan, np.inf, -np.inf
    model.layers[0].kernel.assign(kernel)

    read = reading(Probe(model)(batch(5)), "hidden")

    assert read.nonfinite_weights == pytest.approx(3 / 18)
    assert read.kernel is not None
    assert np.isnan(read.kernel.mean)


def test_activation_that_is_a_layer_of_its_own_is_judged_where_its_input_was_made() -> None:
    model = sequential(
        layers.Dense(4, name="hidden"), layers.Activation("sigmoid", name="squash"), layers.Dense(2)
    )
    x = batch(5)

    sample = Probe(model)(x)

    assert rows_of(sample)[:2] == [
        ("hidden", "sigmoid", False, ()),
        ("squash", None, False, (0,)),
    ]
    assert unjudged(sample)[:2] == [
        "",
        f"judged at {sample.rows[0].path}, whose output it receives",
    ]
    z = x @ np.asarray(model.layers[0].kernel)
    assert same_rows(reading(sample, "hidden").z, z)
    assert same_rows(reading(sample, "hidden").post, 1 / (1 + np.exp(-z)))


def test_second_activation_behind_one_layer_is_judged_by_itself() -> None:
    inputs = keras.Input((5,))
    z = layers.Dense(4, name="hidden")(inputs)
    outputs = [layers.Activation("tanh", name="a")(z), layers.ReLU(max_value=6, name="b")(z)]

    sample = Probe(keras.Model(inputs, outputs))(batch(5))

    first, second = ("tanh", "relu6") if sample.rows[1].path == "a" else ("relu6", "tanh")
    assert [row.activation for row in sample.rows] == [first, None, second]
    assert [row.inputs for row in sample.rows] == [(), (0,), (0,)]
    assert unjudged(sample) == ["", "judged at hidden, whose output it receives", ""]


def test_normalisation_in_front_of_an_activation_is_what_is_judged() -> None:
    model = sequential(
        layers.Conv2D(4, 3, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(max_value=6, name="relu"),
        shape=(8, 8, 3),
    )
    x = batch(8, 8, 3)

    sample = Probe(model)(x)

    assert rows_of(sample) == [
        ("conv", None, False, ()),
        ("norm", "relu6", False, (0,)),
        ("relu", None, False, (1,)),
    ]
    conv, norm, _ = model.layers
    made = np.asarray(conv(x))
    spread = (made - made.mean((0, 1, 2))) / np.sqrt(made.var((0, 1, 2)) + norm.epsilon)
    read = reading(sample, "norm")
    assert read.x is None  # no contraction: nothing to decompose
    assert np.abs(np.sort(np.asarray(read.z)[:, 0])).max() <= np.abs(spread[..., 0]).max() + 1e-3
    assert np.std(np.asarray(read.z)) == pytest.approx(1, abs=0.15)
    assert same_rows(reading(sample, "conv").z, made)


def test_dropout_is_read_in_training_mode_and_what_follows_gets_its_output() -> None:
    model = sequential(layers.Dropout(0.5, name="drop"), layers.Dense(3, name="out"), shape=(200,))

    sample = Probe(model)(np.ones((EXAMPLES, 200), np.float32))

    dropped = reading(sample, "drop").y
    assert dropped is not None
    assert set(np.unique(dropped)) == {0.0, 2.0}
    assert np.array_equal(np.asarray(reading(sample, "out").x), dropped)
    assert unjudged(sample) == ["read by its output only", ""]


def test_pooling_and_reshaping_are_read_by_their_output_and_pass_the_flow_on() -> None:
    model = sequential(
        layers.Conv1D(4, 3, activation="relu", name="conv"),
        layers.MaxPooling1D(2, name="pool"),
        layers.Flatten(name="flat"),
        layers.Dense(2, activation="sigmoid", name="out"),
        shape=(10, 3),
    )

    sample = Probe(model)(batch(10, 3))

    assert rows_of(sample) == [
        ("conv", "relu", True, ()),
        ("pool", None, False, (0,)),
        ("flat", None, False, (1,)),
        ("out", "sigmoid", True, (2,)),
    ]
    assert [row.output_shape for row in sample.rows] == [(8, 4), (4, 4), (16,), (2,)]
    assert [row.fan_in for row in sample.rows] == [9.0, None, None, 16.0]


def test_nested_models_are_read_as_their_layers() -> None:
    encoder = keras.Sequential(
        [layers.Input((5,)), layers.Dense(4, activation="relu", name="inner")], name="encoder"
    )
    model = sequential(encoder, layers.Dense(2, name="out"))
    x = batch(5)

    sample = Probe(model)(x)

    assert rows_of(sample) == [("inner", "relu", True, ()), ("out", None, False, (0,))]
    assert same_rows(reading(sample, "inner").y, encoder(x))


def test_shared_layer_makes_a_row_for_each_call() -> None:
    left, right = keras.Input((4,), name="left"), keras.Input((5,), name="right")
    shared = layers.Dense(4, activation="tanh", name="shared")
    own = layers.Dense(4, name="own")(right)
    merged = layers.Concatenate(name="merge")([shared(left), shared(own), own])
    model = keras.Model([left, right], layers.Dense(1, name="out")(merged))
    x = [batch(4), batch(5)]

    sample = Probe(model)(x)

    paths = [(row.path, row.call) for row in sample.rows]
    at = {key: place for place, key in enumerate(paths)}
    assert len(at) == len(paths) == 5
    merge = sample.rows[at["merge", 0]]
    assert sample.rows[at["shared", 1]].inputs == (at["own", 0],)
    assert set(merge.inputs) == {at["shared", 0], at["shared", 1], at["own", 0]}
    assert len({row.id for row in sample.rows}) == 5
    tapped = keras.Model(model.inputs, [own, shared(own)])(x)
    assert same_rows(reading(sample, "own").y, tapped[0])
    assert same_rows(reading(sample, "shared", 1).y, tapped[1])
    assert same_rows(reading(sample, "shared", 0).y, shared(x[0]))


def test_recurrent_layer_is_read_by_its_output() -> None:
    model = sequential(
        layers.LSTM(4, return_sequences=True, name="lstm"),
        layers.Bidirectional(layers.GRU(3), name="both"),
        layers.Dense(2, name="out"),
        shape=(7, 5),
    )
    x = batch(7, 5)

    sample = Probe(model)(x)

    assert [row.kind for row in sample.rows] == ["LSTM", "GRU", "GRU", "Dense"]
    assert unjudged(sample) == [*["read by its output only"] * 3, ""]
    read = reading(sample, "lstm")
    assert (read.x, read.z) == (None, None)
    assert same_rows(read.y, model.layers[0](x))


def test_wrapped_layer_is_read_by_the_output_of_its_wrapper() -> None:
    model = sequential(layers.TimeDistributed(layers.Dense(3), name="each"), shape=(4, 5))
    x = batch(4, 5)

    sample = Probe(model)(x)

    assert [row.kind for row in sample.rows] == ["TimeDistributed"]
    assert same_rows(sample.readings[0].y, model(x))


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


@pytest.mark.parametrize(
    ("loss", "activation", "reason"),
    [
        ("categorical_crossentropy", "sigmoid", "saturates when training succeeds"),
        ("binary_crossentropy", "sigmoid", "saturates when training succeeds"),
        ("mse", "sigmoid", ""),
        ("mse", "softmax", "softmax has no saturation of single values"),
        ("mse", lambda z: 2 * z, "not one of Keras's own"),
    ],
)
@pytest.mark.parametrize("fused", [True, False])
def test_output_under_cross_entropy_is_not_judged(
    loss: str, activation: Any, reason: str, fused: bool
) -> None:
    own = [layers.Dense(2, activation=activation)]
    apart = [layers.Dense(2), layers.Activation(activation)]
    model = sequential(layers.Dense(3, activation="tanh"), *(own if fused else apart))
    model.compile("sgd", loss)

    sample = Probe(model)(batch(5))

    assert unjudged(sample)[0] == ""
    assert reason in unjudged(sample)[1]
    assert bool(reason) == bool(unjudged(sample)[1])


def test_include_and_exclude_choose_the_rows() -> None:
    model = sequential(
        layers.Dense(4, name="one"), layers.Dense(3, name="two"), layers.Dense(2, name="three")
    )

    chosen = Probe(model, include=("*one", "*/t*"), exclude=("*two",))(batch(5))

    assert rows_of(chosen) == [("one", None, False, ()), ("three", None, False, ())]


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
    assert (after.kernel.mean, after.kernel.std) == (7.0, 0.0)


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


class Scaled(layers.Layer):
    """A layer of the user's own, with a weight, an activation inside `call` and no config."""

    def __init__(self, function: Any, **options: Any) -> None:
        super().__init__(**options)
        self.function = function
        self.scale = self.add_weight(shape=(1,), initializer="ones")

    def call(self, x: Any) -> Any:
        return keras.ops.sigmoid(self.function(x) * self.scale)


class Subclassed(keras.Model):
    """A model without `training` in its call, and activations used as operations."""

    def __init__(self) -> None:
        super().__init__()
        self.first = layers.Dense(4, name="first")
        self.second = layers.Dense(3, name="second")

    def call(self, x: Any) -> Any:
        return self.second(keras.activations.sigmoid(self.first(x)))


def test_unknown_layer_is_read_by_its_output_and_not_judged() -> None:
    model = sequential(
        layers.Dense(3, name="in"),
        Scaled(lambda x: 2 * x, name="mine"),
        layers.Dense(1, name="out"),
    )
    x = batch(5)

    sample = Probe(model)(x)

    assert rows_of(sample)[1] == ("mine", None, False, (0,))
    assert unjudged(sample) == ["", "read by its output only", ""]
    assert sample.rows[1].arguments == {}
    assert same_rows(reading(sample, "mine").y, model.layers[1](model.layers[0](x)))


def test_activation_called_as_an_operation_is_not_seen_and_nothing_is_guessed() -> None:
    model = Subclassed()
    x = batch(5)
    model(x)

    sample = Probe(model)(x)

    assert rows_of(sample) == [("first", None, False, ()), ("second", None, False, ())]
    assert same_rows(reading(sample, "second").x, 1 / (1 + np.exp(-np.asarray(model.first(x)))))


def everything_of(model: Any) -> dict[str, Any]:
    """All that the layers of `model` hold, and every number of its variables."""
    return {
        "attributes": [dict(vars(layer)) for layer in model._flatten_layers()],
        "loss ids": [set(layer._loss_ids) for layer in model._flatten_layers()],
        "losses": [list(map(id, layer._losses)) for layer in model._flatten_layers()],
        "variables": [np.array(variable.numpy()) for variable in model.variables],
        "seeds": [
            np.array(layer.seed_generator.state.numpy())
            for layer in model._flatten_layers()
            if hasattr(layer, "seed_generator")
        ],
    }


def different(some: Any, others: Any) -> list[str]:
    """What differs between two results of `everything_of`; attributes are compared by identity."""
    found = [name for name in ("loss ids", "losses") if some[name] != others[name]]
    for name in ("variables", "seeds"):
        pairs = zip(some[name], others[name], strict=True)
        found += [name for one, other in pairs if not np.array_equal(one, other)]
    for one, other in zip(some["attributes"], others["attributes"], strict=True):
        found += [name for name in {*one, *other} if one.get(name) is not other.get(name)]
    return found


def stateful_model() -> Any:
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(3, 3, activation="relu", kernel_regularizer="l2")(inputs)
    x = layers.BatchNormalization(momentum=0.5)(x)
    x = layers.SpatialDropout2D(0.3)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(4, activation="tanh", activity_regularizer="l1")(x)
    x = layers.GaussianNoise(0.1)(x)
    model = keras.Model(inputs, layers.Activation("sigmoid")(x))
    model.compile("sgd", "mse")
    model.fit(batch(6, 6, 2), np.zeros((EXAMPLES, 4)), verbose=0)
    return model


def test_probe_leaves_no_trace_in_the_model() -> None:
    model = stateful_model()
    before = everything_of(model)
    probe = Probe(model)

    probe(batch(6, 6, 2))
    probe(batch(6, 6, 2))

    assert different(before, everything_of(model)) == []


def test_search_for_traces_finds_what_a_plain_pass_leaves() -> None:
    model = stateful_model()
    before = everything_of(model)

    model(batch(6, 6, 2), training=True)
    model.layers[1].call = model.layers[1].call

    assert {"variables", "seeds", "call"} <= set(different(before, everything_of(model)))


def test_probe_of_a_stateful_model_sees_training_mode() -> None:
    model = stateful_model()
    norm = next(one for one in model.layers if isinstance(one, layers.BatchNormalization))
    norm.moving_mean.assign(np.full(3, 100.0))

    sample = Probe(model)(batch(6, 6, 2))

    read = reading(sample, norm.name)
    assert np.abs(np.mean(np.asarray(read.y))) < 1


def test_losses_of_the_last_call_are_still_there_for_a_loop_written_by_hand() -> None:
    model = sequential(layers.Dense(3, activity_regularizer="l2"), layers.Dense(2))
    model(10 * batch(5))
    (before,) = model.losses

    Probe(model)(batch(5))

    assert [id(loss) for loss in model.losses] == [id(before)]


class Failing(layers.Layer):
    """Raises in the middle of the pass as long as it is told to."""

    fails = True

    def call(self, x: Any) -> Any:
        if self.fails:
            raise RuntimeError("in the middle")
        return x + 0


@pytest.mark.parametrize("eagerly", [True, False])
def test_exception_inside_the_pass_leaves_nothing_patched(eagerly: bool) -> None:
    failing = Failing(name="failing")
    failing.fails = False
    model = sequential(
        layers.Dense(3, activation="tanh", activity_regularizer="l2", name="in"),
        failing,
        layers.Dense(2, name="out"),
    )
    model.compile("sgd", "mse", run_eagerly=eagerly)
    model(batch(5))
    failing.fails = True
    before = everything_of(model)
    probe = Probe(model)

    with pytest.raises(RuntimeError, match="in the middle"):
        probe(batch(5))
    left = different(before, everything_of(model))
    failing.fails = False
    after = probe(batch(5))

    assert left == []
    assert [name for name, *_ in rows_of(after)] == ["in", "failing", "out"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_model_can_be_saved_cloned_and_trained_between_samples(tmp_path: Any) -> None:
    model = sequential(layers.Dense(3, activation="tanh", name="in"), layers.Dense(2, name="out"))
    model.compile("sgd", "mse")
    probe = Probe(model)
    probe(batch(5))

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    keras.models.clone_model(model).summary(print_fn=lambda *_, **__: None)
    model.fit(batch(5), np.zeros((EXAMPLES, 2)), verbose=0)

    assert probe(batch(5)).rows == Probe(loaded)(batch(5)).rows


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
