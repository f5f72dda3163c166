"""The gates of recurrent layers against loops written from the papers' formulas, in float64."""

import keras
import numpy as np
import pytest

from .backends import as_probe, wide
from .recurrences import (
    EXAMPLES,
    FEATURES,
    KINDS,
    MASK,
    NAMES,
    TIME,
    UNITS,
    add_up,
    assert_gates,
    built,
    normal,
    reference,
    seen,
    sigmoid,
)

layers = keras.layers
pytestmark = [pytest.mark.every_backend, pytest.mark.usefixtures("seeded")]


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
