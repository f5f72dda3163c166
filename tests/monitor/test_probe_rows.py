"""Which rows a model of any kind makes, what feeds them, and where each activation is judged."""

from typing import Any

import keras
import numpy as np
import pytest

from gainstage.probe import Probe

from .models import EXAMPLES, array, batch, reading, rows_of, same_rows, sequential, unjudged

layers = keras.layers
pytestmark = [pytest.mark.every_backend, pytest.mark.usefixtures("seeded")]


def test_dense_layers_are_read_before_and_behind_their_activation() -> None:
    model = sequential(
        layers.Dense(4, activation="tanh", bias_initializer="ones", name="hidden"),
        layers.Dense(3, name="out"),
    )
    x = batch(5)

    sample = Probe(model)(x)

    assert rows_of(sample) == [("hidden", "tanh", True, ()), ("out", None, False, (0,))]
    hidden, out = model.layers
    z = x @ array(hidden.kernel) + 1
    read = reading(sample, "hidden")
    assert read.x is not None
    assert same_rows(read.x, x)
    assert same_rows(read.z, z)
    assert same_rows(read.y, np.tanh(z))
    assert same_rows(read.post, np.tanh(z))
    assert np.array_equal(read.bias, np.ones(4))
    last = reading(sample, "out")
    assert same_rows(last.x, np.tanh(z))
    assert same_rows(last.z, np.tanh(z) @ array(out.kernel))
    assert same_rows(last.y, array(last.z))


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
    z = x @ array(model.layers[0].kernel)
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
    made = array(conv(x))
    spread = (made - made.mean((0, 1, 2))) / np.sqrt(made.var((0, 1, 2)) + norm.epsilon)
    read = reading(sample, "norm")
    # What it normalised its input to: nothing but its scale of 1 and bias of 0 lie between.
    assert np.array_equal(array(read.x), array(read.z))
    assert np.abs(np.sort(array(read.z)[:, 0])).max() <= np.abs(spread[..., 0]).max() + 1e-3
    assert np.std(array(read.z)) == pytest.approx(1, abs=0.15)
    assert same_rows(reading(sample, "conv").z, made)


def test_dropout_is_read_in_training_mode_and_what_follows_gets_its_output() -> None:
    model = sequential(layers.Dropout(0.5, name="drop"), layers.Dense(3, name="out"), shape=(200,))

    sample = Probe(model)(np.ones((EXAMPLES, 200), np.float32))

    dropped = reading(sample, "drop").y
    assert dropped is not None
    assert set(np.unique(dropped)) == {0.0, 2.0}
    assert np.array_equal(array(reading(sample, "out").x), dropped)
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


def test_recurrent_layer_is_read_by_its_output_and_by_its_gates() -> None:
    model = sequential(
        layers.LSTM(4, return_sequences=True, name="lstm"),
        layers.Bidirectional(layers.GRU(3), name="both"),
        layers.Dense(2, name="out"),
        shape=(7, 5),
    )
    x = batch(7, 5)

    sample = Probe(model)(x)

    paths = [row.path for row in sample.rows]
    lstm = sample.rows[0].path
    assert paths[:5] == [
        lstm,
        *(f"{lstm}/{gate}" for gate in ("input", "forget", "candidate", "output")),
    ]
    assert [row.kind for row in sample.rows] == [*["LSTM"] * 5, *["GRU"] * 8, "Dense"]
    assert unjudged(sample)[0] == "read by its output only"
    assert {row.unjudged for row in sample.rows[1:5]} == {
        "a gate saturates as it learns to open and close: it is judged only far beyond that"
    }
    forget = sample.rows[2]
    assert (forget.activation, forget.fan_in, forget.state_fan_in) == ("sigmoid", 5.0, 4.0)
    assert len({row.id for row in sample.rows}) == len(sample.rows)
    assert same_rows(reading(sample, "lstm").y, model.layers[0](x))
    read = reading(sample, "forget")
    layer = model.layers[0]
    z = (
        array(read.x) @ array(layer.cell.kernel)[:, 4:8]
        + array(read.state) @ array(layer.cell.recurrent_kernel)[:, 4:8]
        + array(layer.cell.bias)[4:8]
    )
    np.testing.assert_allclose(read.z, z, atol=1e-5)


def test_attention_is_read_by_its_projections_and_its_logits_without_padding() -> None:
    inputs = keras.Input((7,))
    words = layers.Embedding(20, 8, mask_zero=True)(inputs)
    mixed = layers.MultiHeadAttention(2, 4, name="attend")(words, words)
    model = keras.Model(inputs, layers.GlobalAveragePooling1D()(mixed))
    x = np.random.default_rng(0).integers(1, 20, (EXAMPLES, 7))
    x[:, 5:] = 0

    sample = Probe(model)(x)

    names = [row.path.rpartition("/")[2] for row in sample.rows]
    assert names[1:6] == ["query", "key", "attend", "value", "attention_output"]
    assert sample.rows[3].inputs == (1, 2)
    assert len(array(reading(sample, "query").z)) == EXAMPLES * 5
    found = array(reading(sample, "attend").logits)
    assert found.shape[1] == 7
    seen = found[np.isfinite(found).any(axis=1)]
    assert len(seen) == len(found) == EXAMPLES * 2 * 5
    assert np.isfinite(seen[:, :5]).all()
    assert np.isneginf(seen[:, 5:]).all()


def test_what_a_wrapper_calls_on_each_step_is_read_on_all_steps() -> None:
    model = sequential(
        layers.Masking(-1.0, name="mask"),
        layers.TimeDistributed(layers.Dense(3, activation="tanh", name="dense"), name="each"),
        shape=(4, 5),
    )
    x = batch(4, 5)
    x[:, 3:] = -1.0

    sample = Probe(model)(x)

    assert rows_of(sample) == [
        ("mask", None, False, ()),
        ("each", None, False, (0,)),
        ("dense", "tanh", True, (0,)),
    ]
    assert len({row.id for row in sample.rows}) == 3
    real = x[:, :3].reshape(-1, 5)
    assert same_rows(reading(sample, "dense").x, real)
    assert len(array(reading(sample, "dense").z)) == len(real)
    assert same_rows(reading(sample, "dense").y, model.layers[1].layer(real))
    assert same_rows(reading(sample, "each").y, model(x)[:, :3])


def test_wrapper_that_calls_its_layer_once_is_read_like_that_layer() -> None:
    dense = layers.Dense(3, activation="tanh", name="dense")
    model = sequential(layers.SpectralNormalization(dense), shape=(5,))

    sample = Probe(model)(batch(5))

    assert rows_of(sample) == [("dense", "tanh", True, ())]


class Adversaries(keras.Model):
    """A GAN: no call, and a step of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = sequential(
            layers.Dense(4, activation="tanh", name="judge"),
            layers.Dense(1, activation="sigmoid", name="verdict"),
        )
        self.artist = sequential(layers.Dense(5, activation="tanh", name="paint"), shape=(3,))


def test_sub_models_of_a_model_without_a_call_are_read_one_by_one() -> None:
    model = Adversaries()
    x = batch(5)
    probe = Probe(model)

    sample, again = probe(x), probe(x)

    assert rows_of(sample) == [
        ("judge", "tanh", True, ()),
        ("verdict", "sigmoid", True, (0,)),
        ("paint", "tanh", True, ()),
    ]
    assert [bool(reason) for reason in unjudged(sample)] == [False, True, True]
    assert same_rows(reading(sample, "judge").x, x)
    noise = array(reading(sample, "paint").x)
    assert noise.shape == (EXAMPLES, 3)
    assert np.array_equal(noise, array(reading(again, "paint").x))


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
    assert [bool(reason) for reason in unjudged(sample)] == [True, False]
    assert "is not known" in unjudged(sample)[0]
    assert same_rows(reading(sample, "second").x, 1 / (1 + np.exp(-array(model.first(x)))))
