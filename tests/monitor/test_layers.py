"""What is known of a layer without a tensor: its activation, and whether it is a row."""

from typing import Any

import keras
import numpy as np
import pytest

from gainstage.layers import activation_of, leaves

layers = keras.layers


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.Dense(1), "linear"),
        (layers.Dense(1, activation="sigmoid"), "sigmoid"),
        (layers.Dense(1, activation="swish"), "silu"),
        (layers.Dense(1, activation=lambda z: z), "?"),
        (layers.Activation("tanh"), "tanh"),
        (layers.Activation(np.tanh), "?"),
        (layers.ReLU(), "relu"),
        (layers.ReLU(max_value=6), "relu6"),
        (layers.ReLU(max_value=4), "?"),
        (layers.ReLU(threshold=1), "?"),
        (layers.ReLU(negative_slope=0.1), "leaky_relu"),
        (layers.LeakyReLU(), "leaky_relu"),
        (layers.PReLU(), "leaky_relu"),
        (layers.ELU(), "elu"),
        (layers.ELU(0.5), "?"),
        (layers.Dense(1, activation=layers.ReLU(max_value=6)), "relu6"),
        (layers.Softmax(), "softmax"),
        (layers.Dropout(0.5), None),
        (layers.BatchNormalization(), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else str(value),
)
def test_activation_of_a_layer(layer: Any, name: str | None) -> None:
    assert activation_of(layer) == name


def test_function_of_the_users_own_is_not_taken_for_keras_own_of_the_same_name() -> None:
    def sigmoid(z: Any) -> Any:
        return z

    assert activation_of(layers.Dense(1, activation=sigmoid)) == "?"


def small_model() -> Any:
    encoder = keras.Sequential(
        [layers.Input((4,)), layers.Dense(3, name="in"), layers.Dropout(0.5, name="drop")],
        name="encoder",
    )
    return keras.Sequential(
        [layers.Input((4,)), encoder, layers.Dense(2, name="out")], name="model"
    )


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (None, (), ["in", "drop", "out"]),
        (("*in",), (), ["in"]),
        (("*in", "*out"), (), ["in", "out"]),
        (None, ("*drop",), ["in", "out"]),
        (("*",), ("*",), []),
        (("*[od]*",), ("*drop", "*/in"), ["out"]),
        ((), (), []),
        (("IN",), (), []),
    ],
)
def test_include_and_exclude_are_glob_patterns_over_paths(
    include: tuple[str, ...] | None, exclude: tuple[str, ...], expected: list[str]
) -> None:
    found = leaves(small_model(), include, exclude)

    assert [leaf.layer.name for leaf in found] == expected


def test_a_layer_that_is_used_twice_is_one_leaf() -> None:
    inputs = keras.Input((3,))
    shared = layers.Dense(3, name="shared")
    model = keras.Model(inputs, shared(shared(inputs)))

    assert [leaf.layer.name for leaf in leaves(model, None, ())] == ["shared"]


def test_activation_that_is_a_layer_belongs_to_its_layer() -> None:
    model = keras.Sequential(
        [layers.Input((3,)), layers.Dense(2, activation=layers.LeakyReLU(), name="dense")]
    )

    assert [leaf.layer.name for leaf in leaves(model, None, ())] == ["dense"]


def test_layers_that_run_others_in_a_loop_are_one_leaf_and_what_a_wrapper_calls_another() -> None:
    model = keras.Sequential(
        [
            layers.Input((5, 3)),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(2)),
            layers.GRU(2),
        ]
    )

    found = leaves(model, None, ())

    assert [leaf.kind for leaf in found] == [
        "LSTM",
        "LSTM",
        "TimeDistributed",
        "Dense",
        "GRU",
    ]
    assert [leaf.wrapper is None for leaf in found] == [True, True, True, False, True]
    assert [leaf.opaque for leaf in found] == [True, True, True, False, True]


def test_identity_of_a_row_outlives_renaming_and_tells_calls_and_shapes_apart() -> None:
    first = leaves(small_model(), None, ())
    renamed = leaves(keras.models.clone_model(small_model()), None, ())
    narrow = leaves(keras.Sequential([layers.Input((9,)), layers.Dense(3)]), None, ())

    assert [leaf.identity(0) for leaf in first] == [leaf.identity(0) for leaf in renamed]
    assert len({leaf.identity(call) for leaf in first for call in (0, 1)}) == 2 * len(first)
    assert first[0].identity(0) != narrow[0].identity(0)
    assert len(first[0].identity(0)) == 16


def test_layer_that_is_shared_is_where_it_comes_first() -> None:
    shared = layers.Dense(4, name="shared")
    blocks = [keras.Sequential([shared, layers.Dense(4, name="own")]), keras.Sequential([shared])]

    found = leaves(keras.Sequential([layers.Input((4,)), *blocks]), None, ())

    assert [leaf.layer.name for leaf in found] == ["shared", "own"]


def test_identity_of_a_row_outlives_layers_that_a_remedy_puts_before_it() -> None:
    def stack(*more: Any) -> list[str]:
        dense = [layers.Dense(4, name=f"dense_{place}") for place in range(3)]
        steps = [dense[0], *more, layers.Dropout(0.5), dense[1], layers.Dropout(0.5), dense[2]]
        found = leaves(keras.Sequential([layers.Input((4,)), *steps]), None, ())
        return [leaf.identity(0) for leaf in found]

    plain = stack()

    for more in ([layers.Activation("sigmoid")], [layers.LayerNormalization()]):
        first, _, *others = stack(*more)
        assert [first, *others] == plain
    assert len(set(plain)) == len(plain)
