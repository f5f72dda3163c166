"""The gates of recurrent layers against loops written from the papers' formulas, in float64."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from gainstage import recurrent
from gainstage.probe import Probe

from .backends import as_probe, wide
from .models import batch, sequential
from .test_probe_traces import different, everything_of

layers = keras.layers
pytestmark = pytest.mark.every_backend
Array = npt.NDArray[Any]
EXAMPLES, TIME, FEATURES, UNITS = 5, 7, 4, 3


@pytest.fixture(autouse=True)
def fresh() -> None:
    keras.utils.set_random_seed(0)


def normal(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


# The gaps: behind, in front, in the middle, everywhere, nowhere.
MASK = np.ones((EXAMPLES, TIME), bool)
MASK[0, 4:] = MASK[1, :3] = MASK[2, [1, 3]] = MASK[3] = False


def built(layer: Any) -> Any:
    """`layer` with weights of which none is 0 by its initializer."""
    layer.build((EXAMPLES, None, FEATURES))
    generator = np.random.default_rng(7)
    layer.set_weights([generator.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def seen(layer: Any, x: Array, training: bool = False, **options: Any) -> tuple[Any, Any, Any]:
    """(gates, which steps are real, output) of one call as the probe makes it."""
    found: list[recurrent.Gate] = []

    def function(x: Any, options: Any) -> Any:
        with recurrent.watched(layer) as loops:
            output = layer(x, training=training, **options)
        (loop,) = loops
        gates, real = recurrent.gates(loop)
        found.extend(gates)
        tensors = [
            [g.z, g.x, g.state, g.from_input, g.from_state, g.kernel, g.recurrent_kernel]
            + ([] if g.bias is None else [g.bias])
            for g in gates
        ]
        return tensors, real, output

    tensors, real, output = as_probe(function)(x, options)
    names = "z", "x", "state", "from_input", "from_state", "kernel", "recurrent_kernel", "bias"
    gates = [
        replace(gate, **dict(zip(names, map(wide, row), strict=False)))
        for gate, row in zip(found, tensors, strict=True)
    ]
    return gates, keras.ops.convert_to_numpy(real), output


def sigmoid(z: Array) -> Array:
    return (1 + np.tanh(z / 2)) / 2


Looked = list[dict[str, Array]]


def lstm_step(x: Array, state: list[Array], weights: list[Array]) -> tuple[Any, Any]:
    """Hochreiter & Schmidhuber 1997 with Gers's forget gate (2000), for one example."""
    (h, c), (W, U, b) = state, weights
    i, f, g, o = np.split(x @ W + h @ U + b, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return {"input": i, "forget": f, "candidate": g, "output": o}, [sigmoid(o) * np.tanh(c), c]


def gru_step(x: Array, state: list[Array], weights: list[Array]) -> tuple[Any, Any]:
    """Cho et al. 2014: the reset gate acts on the state."""
    (h,), (W, U, b) = state, weights
    (Wz, Wr, Wh), (Uz, Ur, Uh), (bz, br, bh) = (np.split(w, 3, axis=-1) for w in (W, U, b))
    z, r = x @ Wz + h @ Uz + bz, x @ Wr + h @ Ur + br
    g = x @ Wh + (sigmoid(r) * h) @ Uh + bh
    gates = {"update": z, "reset": r, "candidate": g, "candidate's state": sigmoid(r) * h}
    return gates, [sigmoid(z) * h + (1 - sigmoid(z)) * np.tanh(g)]


def gru_after_step(x: Array, state: list[Array], weights: list[Array]) -> tuple[Any, Any]:
    """The variant that cuDNN has: the reset gate acts on the product."""
    (h,), (W, U, (b, v)) = state, weights
    (Wz, Wr, Wh), (Uz, Ur, Uh) = np.split(W, 3, axis=-1), np.split(U, 3, axis=-1)
    (bz, br, bh), (vz, vr, vh) = np.split(b, 3), np.split(v, 3)
    z, r = x @ Wz + bz + h @ Uz + vz, x @ Wr + br + h @ Ur + vr
    g = x @ Wh + bh + sigmoid(r) * (h @ Uh + vh)
    gates = {"update": z, "reset": r, "candidate": g}
    return gates, [sigmoid(z) * h + (1 - sigmoid(z)) * np.tanh(g)]


def simple_step(x: Array, state: list[Array], weights: list[Array]) -> tuple[Any, Any]:
    """Elman 1990."""
    (h,), (W, U, *b) = state, weights
    z = x @ W + h @ U + (b[0] if b else 0)
    return {"hidden": z}, [np.tanh(z)]


def reference(
    step: Any, weights: Any, x: Array, states: Any, mask: Array, *, backwards: bool = False
) -> tuple[list[Looked], list[list[Array]]]:
    """(gates and the state they saw at each real step, state after every step) per example."""
    weights = [np.asarray(weight, np.float64) for weight in weights]
    looked: list[Looked] = []
    after: list[list[Array]] = []
    for example in range(len(x)):
        state = [np.asarray(part[example], np.float64) for part in states]
        looked.append([])
        after.append([])
        order = range(x.shape[1])
        for t in reversed(order) if backwards else order:
            if mask[example, t]:
                gates, new = step(np.asarray(x[example, t], np.float64), state, weights)
                looked[-1].append({**gates, "x": x[example, t], "h": state[0]})
                state = new
            after[-1].append(state[0])
    return looked, after


LSTM_NAMES, GRU_NAMES = (
    ["input", "forget", "candidate", "output"],
    ["update", "reset", "candidate"],
)
NAMES = {
    "LSTM": LSTM_NAMES,
    "GRU": GRU_NAMES,
    "GRU, reset after": GRU_NAMES,
    "SimpleRNN": ["hidden"],
}
KINDS = {
    "LSTM": (layers.LSTM, {}, lstm_step, 2),
    "GRU": (layers.GRU, {"reset_after": False}, gru_step, 1),
    "GRU, reset after": (layers.GRU, {}, gru_after_step, 1),
    "SimpleRNN": (layers.SimpleRNN, {}, simple_step, 1),
}


def assert_gates(gates: Any, real: Array, looked: list[Looked]) -> None:
    """Every real step's z, x and state are the reference's, in its order, and no other is real."""
    assert real.tolist() == [
        [step < len(steps) for step in range(real.shape[1])] for steps in looked
    ]
    for gate in gates:
        for example, steps in enumerate(looked):
            for place, values in enumerate(steps):
                assert np.allclose(gate.z[example, place], values[gate.name], atol=1e-4), gate.name
                assert np.allclose(gate.x[example, place], values["x"], atol=1e-6)
                state = values.get(f"{gate.name}'s state", values["h"])
                assert np.allclose(gate.state[example, place], state, atol=1e-4)


def add_up(gate: Any) -> bool:
    bias = 0 if gate.bias is None else gate.bias
    return bool(
        np.allclose(gate.z, gate.from_input + gate.from_state + bias, atol=1e-4)
        and np.allclose(gate.from_input, gate.x @ gate.kernel, atol=1e-4)
    )


OPTIONS: list[dict[str, bool]] = [
    {"return_sequences": True, "go_backwards": True},
    {"unroll": True, "return_state": True},
    {"stateful": True, "zero_output_for_mask": True, "return_sequences": True},
]


CASES = [
    *((kind, {}) for kind in KINDS),
    *(("LSTM", options) for options in OPTIONS),
    ("GRU", OPTIONS[1]),
    ("GRU, reset after", OPTIONS[0]),
    ("SimpleRNN", OPTIONS[2]),
]


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_gates_are_those_of_the_papers_formulas(kind: str, options: dict[str, bool]) -> None:
    make, own, step, states = KINDS[kind]
    layer = built(make(UNITS, **own, **options))
    x = normal(EXAMPLES, TIME, FEATURES)
    initial = [normal(EXAMPLES, UNITS) + place for place in range(states)]
    backwards = options.get("go_backwards", False)

    gates, real, _ = seen(layer, x, initial_state=initial)

    weights = [np.asarray(w) for w in layer.get_weights()]
    looked, _ = reference(step, weights[:3], x, initial, np.ones_like(MASK), backwards=backwards)
    assert_gates(gates, real, looked)
    assert [gate.name for gate in gates] == NAMES[kind]
    assert all(add_up(gate) for gate in gates)
    names = {"candidate": "tanh", "hidden": "tanh"}
    assert [gate.activation for gate in gates] == [names.get(g.name, "sigmoid") for g in gates]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU, reset after", "SimpleRNN"])
def test_masked_steps_are_left_out_and_hand_the_state_on(kind: str, backwards: bool) -> None:
    make, own, step, states = KINDS[kind]
    layer = built(make(UNITS, **own, go_backwards=backwards))
    x = normal(EXAMPLES, TIME, FEATURES)
    initial = [normal(EXAMPLES, UNITS)] * states

    gates, real, _ = seen(layer, x, mask=MASK, initial_state=initial)

    looked, _ = reference(step, layer.get_weights(), x, initial, MASK, backwards=backwards)
    assert_gates(gates, real, looked)
    assert real.sum(axis=1).tolist() == MASK.sum(axis=1).tolist()


@pytest.mark.parametrize(
    ("kind", "options"), [("LSTM", {}), ("LSTM", OPTIONS[1]), ("GRU", OPTIONS[0])]
)
def test_layer_returns_what_it_returns_unwatched(kind: str, options: dict[str, bool]) -> None:
    make, own, *_ = KINDS[kind]
    layer = built(make(UNITS, **own, **options))
    x = normal(EXAMPLES, TIME, FEATURES)
    mask = None if options.get("unroll") else MASK

    _, _, watched = seen(layer, x, mask=mask)

    plain = as_probe(lambda x: layer(x, mask=mask))(x)
    pairs = zip(keras.tree.flatten(watched), keras.tree.flatten(plain), strict=True)
    assert all(np.allclose(wide(one), wide(other), atol=1e-6) for one, other in pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_the_outputs_of_the_steps_before(kind: str) -> None:
    make, own, *_ = KINDS[kind]
    layer = built(make(UNITS, **own, return_sequences=True))

    gates, _, output = seen(layer, normal(EXAMPLES, TIME, FEATURES))

    assert np.array_equal(gates[0].state[:, 1:], wide(output)[:, :-1])
    assert not gates[0].state[:, 0].any()


@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.5, 0.5)])
@pytest.mark.parametrize("kind", KINDS)
def test_dropout_is_that_of_the_pass(kind: str, rates: tuple[float, float]) -> None:
    make, own, *_ = KINDS[kind]
    layer = built(
        make(UNITS, **own, dropout=rates[0], recurrent_dropout=rates[1], return_sequences=True)
    )
    x = np.ones((EXAMPLES, TIME, FEATURES), np.float32)

    gates, _, output = seen(layer, x, training=True)

    z = {gate.name: gate.z for gate in gates}
    h, c = np.zeros((2, EXAMPLES, UNITS))
    for t in range(TIME):
        if kind == "LSTM":
            c = sigmoid(z["forget"][:, t]) * c
            c += sigmoid(z["input"][:, t]) * np.tanh(z["candidate"][:, t])
            h = sigmoid(z["output"][:, t]) * np.tanh(c)
        elif kind == "SimpleRNN":
            h = np.tanh(z["hidden"][:, t])
        else:
            update = sigmoid(z["update"][:, t])
            h = update * h + (1 - update) * np.tanh(z["candidate"][:, t])
        assert np.allclose(h, wide(output)[:, t], atol=1e-5)
    assert set(np.unique(gates[0].x)) == {0, 2}
    assert bool((gates[0].state[:, 1:] == 0).any()) == bool(rates[1])
    assert all(add_up(gate) for gate in gates)


def fused(*_: Any, **__: Any) -> Any:
    raise AssertionError("a GPU's kernel would have run")


def test_both_directions_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = layers.Bidirectional(layers.LSTM(UNITS))
    x = normal(EXAMPLES, TIME, FEATURES)
    layer(x)
    monkeypatch.setitem(vars(layer), "_call_fused_lstm", fused)
    with pytest.raises(AssertionError):
        layer(x)

    def function(x: Any) -> Any:
        found = []
        with (
            recurrent.apart(layer),
            recurrent.watched(layer.forward_layer) as there,
            recurrent.watched(layer.backward_layer) as back,
        ):
            layer(x)
        for (loop,) in (there, back):
            gates, real = recurrent.gates(loop)
            found.append(([(g.z, g.x, g.state) for g in gates], real))
        return found

    for (tensors, real), inner in zip(
        as_probe(function)(x), (layer.forward_layer, layer.backward_layer), strict=True
    ):
        zeros = np.zeros((2, EXAMPLES, UNITS))
        looked, _ = reference(
            lstm_step,
            inner.get_weights(),
            x,
            zeros,
            np.ones_like(MASK),
            backwards=inner.go_backwards,
        )
        gates = [
            recurrent.Gate(name, 0, "", *map(wide, parts), *[None] * 5)
            for name, parts in zip(LSTM_NAMES, tensors, strict=True)
        ]
        assert_gates(gates, keras.ops.convert_to_numpy(real), looked)


if keras.backend.backend() == "jax":

    @pytest.mark.parametrize("exclude", [(), ("*lstm*", "*gru*")], ids=["watched", "unwatched"])
    def test_cudnn_is_not_called_in_the_pass(
        exclude: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = {"return_sequences": True}
        model = sequential(
            layers.Bidirectional(layers.LSTM(UNITS, **kept)),
            layers.Bidirectional(layers.GRU(UNITS, **kept)),
            layers.LSTM(UNITS, go_backwards=True, **kept),
            layers.GRU(UNITS),
            layers.Dense(2),
            shape=(TIME, FEATURES),
        )
        for name in ("lstm", "gru", "bidirectional_lstm", "bidirectional_gru"):
            monkeypatch.setattr(f"keras.src.backend.{name}", fused)
        with pytest.raises(AssertionError):
            model(batch(TIME, FEATURES))

        sample = Probe(model, exclude=exclude)(batch(TIME, FEATURES))

        assert len(sample.rows) == (1 if exclude else 28)


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_cells_of_a_stack_are_read_one_by_one(mask: Any) -> None:
    cells = [layers.LSTMCell(UNITS), layers.GRUCell(2), layers.SimpleRNNCell(4, use_bias=False)]
    layer = built(layers.RNN(cells, return_sequences=True))
    x = normal(EXAMPLES, TIME, FEATURES)
    present = np.ones_like(MASK) if mask is None else mask

    gates, real, output = seen(layer, x, mask=mask)

    assert [(gate.cell, gate.name) for gate in gates] == [
        *((0, name) for name in LSTM_NAMES),
        *((1, name) for name in GRU_NAMES),
        (2, "hidden"),
    ]
    inputs: Array = x
    for place, step in enumerate((lstm_step, gru_after_step, simple_step)):
        zeros = np.zeros((2 - (place > 0), EXAMPLES, cells[place].units))
        looked, after = reference(step, cells[place].get_weights(), inputs, zeros, present)
        assert_gates([gate for gate in gates if gate.cell == place], real, looked)
        inputs = np.array(after)
    assert np.allclose(wide(output)[present], inputs[present], atol=1e-5)


def test_single_cell_in_a_plain_loop_is_read() -> None:
    layer = built(layers.RNN(layers.GRUCell(UNITS, activation="relu6", use_bias=False)))

    gates, _, _ = seen(layer, normal(EXAMPLES, TIME, FEATURES))

    assert [gate.activation for gate in gates] == ["sigmoid", "sigmoid", "relu6"]
    assert [gate.bias for gate in gates] == [None] * 3
    assert all(add_up(gate) for gate in gates)


def test_half_precision_is_the_layers_own() -> None:
    layer = built(layers.LSTM(UNITS, dtype="mixed_float16"))
    x = normal(EXAMPLES, TIME, FEATURES)
    x[0, 0] = 60_000  # times a weight above 1.1 it is more than float16 holds

    gates, real, _ = seen(layer, x)

    looked, _ = reference(
        lstm_step, layer.get_weights(), x, np.zeros((2, EXAMPLES, UNITS)), np.ones_like(MASK)
    )
    half = [[{k: v for k, v in s.items() if k == "input"} for s in steps] for steps in looked[1:]]
    assert real.all()
    assert np.allclose(
        gates[0].z[1:], [[s["input"] for s in steps] for steps in half], rtol=1e-2, atol=3e-2
    )
    assert not np.isfinite([gate.z[0, 0] for gate in gates]).all()
    assert gates[0].kernel.shape == (FEATURES, UNITS)


def test_long_sequences_are_read_at_few_steps_spread_over_those_that_count() -> None:
    layer = built(layers.SimpleRNN(UNITS, return_sequences=True))
    mask = np.ones((2, 500), bool)
    mask[1, 90:] = False
    x = np.tile(np.arange(500, dtype=np.float32)[None, :, None] / 500, (2, 1, FEATURES))

    gates, real, output = seen(layer, x, mask=mask)

    assert real.shape == (2, recurrent.STEPS)
    assert real.all()
    times = np.round(gates[0].x[..., 0] * 500).astype(int)
    assert (np.diff(times) > 0).all()
    assert len(set(np.diff(times[0]))) > 2  # no stride that a rhythm of the sequence could share
    assert (times[0, 0], times[1, 0]) == (0, 0)
    assert (485 < times[0, -1] < 500, 85 < times[1, -1] < 90) == (True, True)
    states = np.concatenate([np.zeros((2, 1, UNITS)), wide(output)], axis=1)
    assert np.allclose(gates[0].state, np.take_along_axis(states, times[..., None], axis=1))


def test_subclassed_cells_and_loops_are_not_guessed_at() -> None:
    class Own(layers.LSTMCell):
        def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
            return super().call(2 * inputs, states, training)

    others = [
        layers.RNN(Own(3)),
        layers.RNN([layers.LSTMCell(3), Own(3)]),
        layers.ConvLSTM1D(3, 2),
        layers.Dense(3),
    ]

    assert [recurrent.covers(layer) for layer in others] == [False] * 4
    assert recurrent.covers(layers.RNN([layers.LSTMCell(3), layers.GRUCell(3)]))
    with recurrent.watched(others[0]) as loops:
        others[0](normal(EXAMPLES, TIME, FEATURES))
    assert loops == []


def model_of(layer: Any, **options: Any) -> Any:
    return keras.Sequential([layers.Input((TIME, FEATURES), EXAMPLES), layer], **options)


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_behind_in_the_layer(fails: bool) -> None:
    rates = {"dropout": 0.5, "recurrent_dropout": 0.5, "seed": 1}
    layer = layers.GRU(UNITS, stateful=True, **rates)
    model = model_of(layer)
    model(normal(EXAMPLES, TIME, FEATURES))
    cells = [layer.cell]
    before = everything_of(model), [dict(vars(cell)) for cell in cells]

    def failing(*_: Any, **__: Any) -> Any:
        raise ArithmeticError

    if fails:
        vars(layer.cell)["recurrent_activation"] = failing
        before = everything_of(model), [dict(vars(cell)) for cell in cells]
        with pytest.raises(ArithmeticError):
            seen(layer, normal(EXAMPLES, TIME, FEATURES), training=True)
    else:
        seen(layer, normal(EXAMPLES, TIME, FEATURES), training=True)

    assert different(before[0], everything_of(model)) == []
    assert [cell for cell, was in zip(cells, before[1], strict=True) if vars(cell) != was] == []


def test_length_that_is_only_known_at_run_time() -> None:
    if keras.backend.backend() != "tensorflow":
        return  # the others have no such lengths
    import tensorflow as tf

    layer = built(layers.LSTM(UNITS))

    def function(x: Any, mask: Any) -> Any:
        with recurrent.watched(layer) as loops:
            layer(x, mask=mask)
        gates, real = recurrent.gates(loops[0])
        return gates[0].z, gates[0].x, gates[0].state, real

    read = as_probe(
        function, tf.TensorSpec((None, None, FEATURES)), tf.TensorSpec((None, None), tf.bool)
    )
    for length, mask in ((TIME, MASK), (200, np.ones((EXAMPLES, 200), bool))):
        x = normal(EXAMPLES, length, FEATURES)
        *parts, real = read(x, mask)
        zeros = np.zeros((2, EXAMPLES, UNITS))
        looked, _ = reference(lstm_step, layer.get_weights(), x, zeros, mask)
        assert real.shape == (EXAMPLES, recurrent.STEPS)
        assert real.numpy().sum() == min(mask.sum(), EXAMPLES * recurrent.STEPS)
        if length == TIME:
            gate = recurrent.Gate("input", 0, "", *map(wide, parts), *[None] * 5)
            assert_gates([gate], real.numpy(), looked)
