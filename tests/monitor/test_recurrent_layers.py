"""Recurrent layers as they come: in both directions, in stacks, half precise, long."""

from typing import Any

import keras
import numpy as np
import pytest

from gainstage import recurrent
from gainstage.probe import Probe

from .backends import as_probe, wide
from .models import batch, sequential
from .recurrences import (
    EXAMPLES,
    FEATURES,
    GRU_NAMES,
    LSTM_NAMES,
    MASK,
    TIME,
    UNITS,
    Array,
    add_up,
    assert_gates,
    built,
    gru_after_step,
    lstm_step,
    normal,
    reference,
    seen,
    simple_step,
)
from .test_probe_traces import different, everything_of

layers = keras.layers
pytestmark = [pytest.mark.every_backend, pytest.mark.usefixtures("seeded")]


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
