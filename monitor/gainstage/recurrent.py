"""What the gates of a recurrent layer saw, without a look inside its loop.

A value captured inside a while loop or a scan cannot leave it. But what a gate sees follows from
the layer's input and from the states that its steps began with, and the states are the outputs of
the steps before. So the layer's own loop, run once in the probe's pass, is asked for the outputs
of all steps instead of the last; the gates are then computed beside it, for a few steps only.
Nothing is simulated: dropout, kept states and rounding are those of the pass. On JAX, cuDNN is left
out of it.

    with recurrent.watched(layer) as loops:
        model(x, training=True)
    for loop in loops:
        gates, real = recurrent.gates(loop)
"""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from gainstage.layers import activation_of
from gainstage.patch import kept, patched

# Keras declares what its operations return too narrowly and too widely at once.
ops: Any = keras.ops

# Steps of each example that are read. The caller draws some 256 rows of examples times steps:
# with 16 examples there are four to choose from for each.
STEPS = 64
# Where in its stretch of the sequence each is drawn: without a period of its own.
PLACES = np.asarray(np.arange(STEPS) * (np.sqrt(5) - 1) / 2 % 1, np.float32)

# What the pass asks of every recurrent layer. On JAX (0.11) cuDNN's LSTM does not say how its
# output lies in memory: beside a loop, XLA took [examples, steps] for [steps, examples]. Backwards,
# Keras (3.15) returns it in the order of time instead.
ASKED = {"use_cudnn": False} if keras.backend.backend() == "jax" else {}

# Class of a cell -> its gates in the order of the columns of its weights: name, and the argument
# that holds the activation function.
CELLS: dict[str, tuple[tuple[str, str], ...]] = {
    "LSTMCell": (
        ("input", "recurrent_activation"),
        ("forget", "recurrent_activation"),
        ("candidate", "activation"),
        ("output", "recurrent_activation"),
    ),
    "GRUCell": (
        ("update", "recurrent_activation"),
        ("reset", "recurrent_activation"),
        ("candidate", "activation"),
    ),
    "SimpleRNNCell": (("hidden", "activation"),),
}


@dataclass(frozen=True, eq=False)
class Gate:
    """One gate over some steps: z = from_input + from_state + bias; tensors are the backend's.

    Attributes:
        name: "input", "forget", "candidate", "output", "update", "reset" or "hidden".
        cell: Place of the cell in a stack; 0 where there is one.
        activation: Name in `activations.TABLE`, or "?" for a function that is not Keras's own.
        z: Pre-activation, [examples, steps, units].
        x: What enters the kernel, dropout applied, [examples, steps, features].
        state: What enters the recurrent kernel, dropout applied, [examples, steps, units].
        from_input: x times the kernel.
        from_state: State times the recurrent kernel. A GRU candidate with `reset_after` adds the
            recurrent bias here and weighs the sum with its reset gate.
        kernel: The gate's columns, [features, units], in the dtype that they are kept in.
        recurrent_kernel: [units, units].
        bias: [units]; None where the layer has none.
    """

    name: str
    cell: int
    activation: str
    z: Any
    x: Any
    state: Any
    from_input: Any
    from_state: Any
    kernel: Any
    recurrent_kernel: Any
    bias: Any


@dataclass(frozen=True, eq=False)
class _Cell:
    """One cell of a loop: its state before the first step, its outputs, its dropout masks."""

    layer: Any
    first: Any
    outputs: Any
    dropout: Any
    recurrent_dropout: Any


@dataclass(frozen=True, eq=False)
class Loop:
    """One run of a layer's loop, in the order of its steps: from the end with `go_backwards`."""

    sequence: Any
    mask: Any
    cells: tuple[_Cell, ...]


def covers(layer: Any) -> bool:
    """Whether the gates of `layer` can be read: Keras's own loop over Keras's own cells."""
    return (
        hasattr(layer, "cell")
        and hasattr(layer, "inner_loop")
        and _is_keras(type(layer).inner_loop)
        and bool(cells := _cells(layer.cell))
        and all(type(cell).__name__ in CELLS and _is_keras(type(cell).call) for cell in cells)
    )


@contextmanager
def watched(layer: Any) -> Generator[list[Loop]]:
    """Records the loops that `layer` runs, in the list it yields; none where it is not covered.

    To be entered while the probe's pass is traced. The layer returns what it always returns.
    """
    loops: list[Loop] = []
    if not covers(layer):
        yield loops
        return
    original = layer.inner_loop

    def inner_loop(sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Any:
        def run() -> Any:
            with patched(layer, return_sequences=True, **ASKED):
                return original(sequences, initial_state, mask, training=training)

        result = run()
        loops.append(_loop(layer, run, result, sequences, initial_state, mask, training=training))
        return result

    with ExitStack() as stack:
        # A pass that fails half-way would leave its dropout masks, of a trace that is over.
        for cell in _cells(layer.cell):
            stack.enter_context(kept(cell, "_dropout_mask", "_recurrent_dropout_mask"))
        stack.enter_context(patched(layer, inner_loop=inner_loop))
        yield loops


@contextmanager
def apart(model: Any) -> Generator[None]:
    """Makes each Bidirectional layer of `model` call its two layers, which a GPU's kernel fuses.

    What `ASKED` holds is asked of the layers that nobody watches, too.
    """
    with ExitStack() as stack:
        for layer in model._flatten_layers():
            if hasattr(layer, "use_cudnn"):
                stack.enter_context(patched(layer, **ASKED))
            for name in ("_can_attempt_fused_lstm", "_can_attempt_fused_gru"):
                if hasattr(layer, name):
                    stack.enter_context(patched(layer, **{name: lambda *_: False}))
        yield


def gates(loop: Loop) -> tuple[list[Gate], Any]:
    """The gates of all cells of `loop`, and which of their steps are real, [examples, steps].

    At most `STEPS` steps of each example are read, drawn evenly from those that are not masked.
    What stands where a step is not real is arbitrary: it must count nowhere.
    """
    at, before, real = _steps(loop)
    found: list[Gate] = []
    x = _pick(loop.sequence, at)
    for place, cell in enumerate(loop.cells):
        states = ops.concatenate([ops.expand_dims(cell.first, 1), cell.outputs], axis=1)
        found += _gates(place, cell, x, _pick(states, before))
        x = _pick(cell.outputs, at)
    return found, real


def _is_keras(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).split(".")[0] == "keras"


def _cells(cell: Any) -> list[Any]:
    """`cell`, or the cells of a stack of several."""
    stack = list(getattr(cell, "cells", []))
    return stack if len(stack) > 1 and _is_keras(type(cell).call) else [cell]


def _loop(
    layer: Any,
    run: Any,
    result: Any,
    sequence: Any,
    initial_state: Any,
    mask: Any,
    *,
    training: Any,
) -> Loop:
    cells = _cells(layer.cell)
    firsts, outputs = [keras.tree.flatten(initial_state)[0]], [result[1]]
    if len(cells) > 1:
        firsts = [keras.tree.flatten(state)[0] for state in initial_state]
        outputs = _stacked_outputs(layer, run, cells, training=training)
    mask = next(iter(keras.tree.flatten(mask)), None)
    if mask is not None:
        mask = ops.cast(mask, "bool")
        mask = mask[..., 0] if len(mask.shape) == 3 else mask
    if layer.go_backwards:
        sequence = ops.flip(sequence, axis=1)
        mask = None if mask is None else ops.flip(mask, axis=1)
    dropout = [
        [vars(cell).get(name) if training else None for cell in cells]
        for name in ("_dropout_mask", "_recurrent_dropout_mask")
    ]
    made = zip(cells, firsts, outputs, *dropout, strict=True)
    return Loop(sequence, mask, tuple(_Cell(*parts) for parts in made))


def _stacked_outputs(layer: Any, run: Any, cells: Sequence[Any], *, training: Any) -> list[Any]:
    """The outputs of all cells of a stack; the layer itself returns the last one's only.

    They are carried out of a second run of the loop, side by side. Dropout masks are made before
    a loop, so it repeats the first.
    """
    stack = layer.cell

    def carrying(inputs: Any, states: Any) -> Any:
        _, states = stack(inputs, states, training=training)
        return ops.concatenate([keras.tree.flatten(state)[0] for state in states], axis=-1), states

    # Of masked steps Keras repeats the last cell's output, which is narrower than what we carry.
    with patched(layer, cell=carrying, zero_output_for_mask=True):
        outputs = run()[1]
    ends = np.cumsum([cell.units for cell in cells])
    return list(ops.split(outputs, ends[:-1].tolist(), axis=-1))


def _steps(loop: Loop) -> tuple[Any, Any, Any]:
    """Which steps are read, where their states stand behind the first one, which are real."""
    batch, length = ops.shape(loop.sequence)[:2]
    size = min(STEPS, length) if isinstance(length, int) else STEPS
    count = ops.reshape(ops.convert_to_tensor(length, "int32"), (1, 1))
    if loop.mask is not None:
        count = ops.sum(ops.cast(loop.mask, "int32"), axis=1, keepdims=True)
    # A stretch of each example for each step that is read, and a place in it. Where no more steps
    # are real than are read, this is 0, 1, 2, ...
    starts = ops.arange(size, dtype="int32") * ops.maximum(count, size) // size
    within = ops.floor(ops.cast(count // size, "float32") * ops.convert_to_tensor(PLACES[:size]))
    ranks = ops.minimum(starts + ops.cast(within, "int32"), length - 1)
    ranks = ops.broadcast_to(ranks, (batch, size))
    real = ops.broadcast_to(ops.arange(size, dtype="int32") < count, (batch, size))
    if loop.mask is None:
        return ranks, ranks, real
    # Real steps in front, each group in the order of time: a step's state is the output of the
    # real step before, since masked ones hand the state on.
    time = ops.expand_dims(ops.arange(length, dtype="int32"), 0)
    order = ops.argsort(ops.where(loop.mask, time, time + length), axis=1)
    order = ops.cast(order, "int32")
    places = ops.concatenate([ops.zeros((batch, 1), "int32"), order + 1], axis=1)
    return _pick(order, ranks), _pick(places, ranks), real


def _pick(tensor: Any, at: Any) -> Any:
    """[examples, steps, ...] of a tensor [examples, time, ...] at the times `at`."""
    batch, length = ops.shape(tensor)[:2]
    flat = ops.reshape(tensor, (-1, *tensor.shape[2:]))
    starts = ops.expand_dims(ops.arange(batch, dtype="int32") * length, 1)
    return ops.take(flat, at + starts, axis=0)


def _gates(place: int, cell: _Cell, x: Any, state: Any) -> list[Gate]:
    layer = cell.layer
    # In the dtype that the layer computes in, so that what overflows there is seen.
    dtype = layer.compute_dtype
    x, state = ops.cast(x, dtype), ops.cast(state, dtype)
    weights = [_tensor(weight) for weight in (layer.kernel, layer.recurrent_kernel)]
    reset_after = getattr(layer, "reset_after", None)
    bias, inner = _tensor(layer.bias), None
    if reset_after and bias is not None:
        bias, inner = bias[0], bias[1]
    found: list[Gate] = []
    for index, (name, argument) in enumerate(CELLS[type(layer).__name__]):
        columns = slice(index * layer.units, (index + 1) * layer.units)
        kernel, recurrent_kernel = (weight[:, columns] for weight in weights)
        own = None if bias is None else bias[columns]
        entering = _dropped(x, cell.dropout, index)
        held = _dropped(state, cell.recurrent_dropout, index)
        reset = None
        if reset_after is not None and name == "candidate":
            reset = layer.recurrent_activation(found[-1].z)
        if reset is not None and not reset_after:
            held = reset * held
        from_input = ops.matmul(entering, ops.cast(kernel, dtype))
        from_state = ops.matmul(held, ops.cast(recurrent_kernel, dtype))
        if inner is not None and reset is None:
            own = own + inner[columns]
        elif inner is not None:
            from_state = from_state + ops.cast(inner[columns], dtype)
        if reset is not None and reset_after:
            from_state = reset * from_state
        z = from_input + from_state
        function = getattr(layer, argument)
        found.append(
            Gate(
                name=name,
                cell=place,
                activation=activation_of(SimpleNamespace(activation=function)) or "linear",
                z=z if own is None else z + ops.cast(own, dtype),
                x=entering,
                state=held,
                from_input=from_input,
                from_state=from_state,
                kernel=kernel,
                recurrent_kernel=recurrent_kernel,
                bias=own,
            )
        )
    return found


def _tensor(weight: Any) -> Any:
    return None if weight is None else ops.convert_to_tensor(weight)


def _dropped(tensor: Any, masks: Any, index: int) -> Any:
    if masks is None:
        return tensor
    mask = masks[index] if isinstance(masks, list | tuple) else masks
    return tensor * ops.cast(ops.expand_dims(mask, 1), tensor.dtype)
