"""The layers that a patch is made of: what they are rebuilt from, and that nothing else gets in."""

import ast
from datetime import UTC, datetime
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gainstage.diagnosis.source import call, layer, replacement
from gainstage.layers import MAX_ARGUMENT_CHARACTERS, arguments

from . import builders

layers, initializers, regularizers = keras.layers, keras.initializers, keras.regularizers


class Doubling(layers.Layer):
    """A layer of the user's own that cannot tell its arguments."""

    def __init__(self, function: Any) -> None:
        super().__init__(name="doubling")
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


LAYERS = [
    layers.Dense(3),
    layers.Dense(3, activation="tanh", use_bias=False, name="plain"),
    layers.Dense(3, kernel_initializer="he_normal", bias_initializer="ones"),
    layers.Dense(3, kernel_initializer=initializers.RandomNormal(0.3, 1 / 3, seed=7)),
    layers.Dense(3, kernel_initializer=initializers.RandomNormal(np.float32(0.1), np.float64(2))),
    layers.Dense(3, bias_initializer=initializers.Constant(-np.inf)),
    layers.Dense(3, kernel_regularizer=regularizers.L1L2(1e-7, 0.123456789)),
    layers.Dense(3, activity_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(2, 1)),
    layers.Conv1D(4, 3, padding="causal", dilation_rate=2),
    layers.Conv2D(4, (3, 2), strides=(1, 2), padding="same", activation="relu6"),
    layers.Conv2D(4, 3, data_format="channels_first", groups=2),
    layers.Conv3D(4, 3),
    layers.DepthwiseConv2D(3, depth_multiplier=2, depthwise_regularizer="l1"),
    layers.BatchNormalization(momentum=0.9, epsilon=1e-5, center=False),
    layers.LayerNormalization(axis=[-1]),
    layers.Dropout(0.25, seed=3),
    layers.Activation("linear"),
    layers.Activation("gelu"),
    layers.LSTM(4, activation="linear", return_sequences=True),
    layers.GRU(4, recurrent_activation="hard_sigmoid"),
    layers.Flatten(),
    layers.MaxPooling2D((2, 3), strides=1, padding="same"),
    layers.Rescaling(0.5, offset=-1.0),
    layers.ReLU(max_value=6.0, negative_slope=0.1),
    layers.Reshape((2, -1)),
    layers.Embedding(10, 4, mask_zero=True),
    layers.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d"),
    layers.UpSampling2D(2, interpolation="bilinear"),
]


def row_of(one: Any) -> Any:
    return builders.row(kind=type(one).__name__, arguments=arguments(one))


def executed(source: str) -> list[Any]:
    scope: dict[str, Any] = {"keras": keras}
    exec(compile(source, "patch", "exec"), scope)
    return scope["replacement"]


@pytest.mark.parametrize("one", LAYERS, ids=lambda one: one.name)
def test_source_of_a_layer_makes_a_layer_of_the_same_config(one: Any) -> None:
    row = row_of(one)

    (made,) = executed(replacement(row, layer(row)))

    assert made.get_config() == one.get_config()


def test_only_arguments_that_differ_from_their_defaults_are_kept() -> None:
    plain = layers.Dense(3, name="plain")
    told = layers.Dense(3, name="told", use_bias=False, kernel_initializer="glorot_uniform")

    assert arguments(plain) == {"name": "plain", "units": 3}
    assert arguments(told) == {"name": "told", "units": 3, "use_bias": False}


def test_layer_that_cannot_tell_its_arguments_has_none() -> None:
    with pytest.raises(NotImplementedError):
        Doubling(lambda x: 2 * x).get_config()

    assert arguments(Doubling(lambda x: 2 * x)) == {}


def test_argument_too_long_to_be_a_setting_is_left_out() -> None:
    long = layers.Dense(3, name="d", kernel_initializer=initializers.Constant([[0.5] * 999]))

    assert len(repr(initializers.Constant([[0.5] * 999]).get_config())) > MAX_ARGUMENT_CHARACTERS
    assert arguments(long) == {"name": "d", "units": 3}


def test_arguments_can_be_changed_added_and_taken_away() -> None:
    row = row_of(layers.Dense(3, activation="sigmoid", kernel_regularizer="l1", name="d"))

    source = replacement(
        row,
        layer(row, activation=None, activity_regularizer=call("keras.regularizers.L2", l2=0.5)),
        call("keras.layers.Activation", activation="sigmoid"),
    )

    penalised, activation = executed(source)
    assert penalised.activation is keras.activations.linear
    assert penalised.activity_regularizer.get_config() == {"l2": 0.5}
    assert penalised.kernel_regularizer.get_config() == {"l1": pytest.approx(0.01)}
    assert activation.activation is keras.activations.sigmoid


HOSTILE = st.sampled_from(
    [
        "keras.layers.Dense",
        "keras.initializers.RandomNormal",
        "keras.layers.Lambda",
        "keras.layers.TFSMLayer",
        "keras.layers.deserialize",
        "keras.models.load_model",
        "keras.src.backend.os.system",
        "keras.DTypePolicy",
        "os.system",
        "exec",
        "keras.layers.Dense()or exec",
        "keras.layers.Ｄense",
        "'",
        '"""',
        "\n",
        "\r",
        "\u2028",
        "\\",
        "#",
        "\x00",
        "\ud800",
        "class",
        "None",
        "__debug__",
        "print",
        "kernel_initializer",
        "arguments",
        "ﬁ",
    ]
)
NAME = (
    HOSTILE | st.text(max_size=8) | st.lists(HOSTILE | st.text(max_size=3), max_size=3).map("".join)
)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | NAME
    | st.binary(max_size=3)
    | st.just(datetime(2026, 1, 1, tzinfo=UTC))
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAME, inner, max_size=3)
        | st.fixed_dictionaries(
            {"class": inner | NAME, "arguments": inner | st.dictionaries(NAME, inner, max_size=3)}
        )
    ),
    max_leaves=8,
)
MODULES = {"layers", "initializers", "regularizers", "constraints"}
LITERALS = (ast.Constant, ast.Tuple, ast.Dict, ast.UnaryOp, ast.USub, ast.Load, ast.keyword)


def intruders(source: str) -> list[str]:
    """What of `source` is neither the list of layers, nor a call of a class of Keras, nor data."""
    tree = ast.parse(source)
    (assignment,) = tree.body
    assert isinstance(assignment, ast.Assign)
    assert [ast.unparse(target) for target in assignment.targets] == ["replacement"]
    assert isinstance(assignment.value, ast.List)
    found, functions = [], set()
    for node in ast.walk(assignment.value):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            functions |= set(ast.walk(node.func))
            if not _harmless(name, node):
                found.append(name)
        elif isinstance(node, ast.List):
            found += [ast.unparse(node)] * (node is not assignment.value)
        elif not isinstance(node, LITERALS) and node not in functions:
            found.append(ast.unparse(node))
    return found


def _harmless(name: str, node: ast.Call) -> bool:
    if name == "float":
        return ast.unparse(node) in {"float('nan')", "float('inf')", "float('-inf')"}
    if name in {"UnknownName", "keras.DTypePolicy"}:
        return not node.args
    package, module, *rest = name.split(".")
    is_class = len(rest) == 1 and rest[0][0].isupper() and rest[0] not in {"Lambda", "TFSMLayer"}
    return package == "keras" and module in MODULES and is_class and not node.args


@example(path="p", kind="Dense", given_arguments={"class": 1, "if": 2, "__debug__": 3})
@example(
    path="\nimport os\n",
    kind="Dense(); exec('')",
    given_arguments={"units": {"class": "os.system", "arguments": {"command": "rm"}}},
)
@example(path="p", kind="None", given_arguments={})
@example(path="p", kind="Dense", given_arguments={"a": {"class": "exec", "arguments": 5}})
@given(path=NAME, kind=NAME, given_arguments=st.dictionaries(NAME, VALUE, max_size=4))
def test_names_from_a_trainer_bring_no_code_into_the_source(
    path: str, kind: str, given_arguments: dict[str, Any]
) -> None:
    row = builders.row(path=path, kind=kind, arguments={"name": "n", **given_arguments})

    source = replacement(row, layer(row))

    assert intruders(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "replacement = [os.system('rm')]",
        "replacement = [keras.layers.Dense(exec)]",
        "replacement = [keras.layers.Dense(units=print)]",
        "replacement = [keras.layers.deserialize(config={})]",
        "replacement = [keras.layers.Dense(units=[x for x in ()])]",
        "replacement = [float('1')]",
        "replacement = [keras.layers.Dense(units=1 if True else 2)]",
    ],
)
def test_search_for_intruders_finds_them(source: str) -> None:
    assert intruders(source) != []


def test_class_that_is_not_keras_own_is_called_by_no_name() -> None:
    row = builders.row(arguments={"name": "n", "kernel_initializer": call("mine.Init", scale=2.0)})

    assert "kernel_initializer=UnknownName(scale=2.0)" in replacement(row, layer(row))


def test_call_of_more_than_two_arguments_or_of_long_ones_has_an_argument_a_line() -> None:
    row = builders.row("hidden", arguments={"name": "hidden", "units": 8})
    fan: Any = call("keras.initializers.VarianceScaling", scale=2.0, mode="fan_in", seed=1)

    source = replacement(
        row, layer(row), layer(row, kernel_initializer=fan), layer(row, units="x" * 90)
    )

    assert source.splitlines() == [
        "# In the place of 'model/hidden':",
        "replacement = [",
        "    keras.layers.Dense(units=8, name='hidden'),",
        "    keras.layers.Dense(",
        "        units=8,",
        "        kernel_initializer="
        "keras.initializers.VarianceScaling(scale=2.0, mode='fan_in', seed=1),",
        "        name='hidden',",
        "    ),",
        "    keras.layers.Dense(",
        f"        units='{'x' * 90}',",
        "        name='hidden',",
        "    ),",
        "]",
    ]
