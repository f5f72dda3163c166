"""Recurrent layers by the papers' formulas, in float64, and as the probe sees them."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from gainstage import recurrent

from .backends import as_probe, wide

layers = keras.layers
Array = npt.NDArray[Any]
EXAMPLES, TIME, FEATURES, UNITS = 5, 7, 4, 3


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
