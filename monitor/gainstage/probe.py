"""The separate forward pass that reads what layers see, and leaves no trace.

The pass runs the model in training mode on a few examples of the next batch, isolated from the
training. Its tensors are drawn from and packed where the model runs, and cut into readings here.
"""

import inspect
import math
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from gainstage import attention, recurrent, wire
from gainstage.drawing import COORDINATES, Parts, spread
from gainstage.insides import with_insides
from gainstage.isolation import Isolated
from gainstage.layers import Leaf, leaves
from gainstage.measures import Reading
from gainstage.peek import Current
from gainstage.rows import describe
from gainstage.submodels import has_call, run_submodels
from gainstage.taps import Call, connect, tapped, tensors_in

# Keras declares what its operations return too narrowly and too widely at once.
ops: Any = keras.ops

# Queries of an attention layer whose logits are formed: with 16 examples and 8 heads, 2,048 rows.
QUERIES = 16
# Shapes of inputs that the pass is traced for; JAX compiles it anew for each. Batches of still
# other shapes are not sampled: tracing must stay a cost of the beginning.
MOST_TRACES = 8


@dataclass
class Sample:
    """One pass: the rows it went through, and what was read of each."""

    rows: tuple[wire.Row, ...]
    readings: list[Reading]
    traced: bool


@dataclass
class _Trace:
    """What is known of a pass before its numbers are: which parts each row reads."""

    calls: list[tuple[int, int, str | None]]
    rows: tuple[wire.Row, ...]
    sizes: list[int]
    reads: list[dict[str, int]]
    parts: Parts


@dataclass
class Probe:
    """Runs `model` over a few examples and returns what its layers saw.

    Attributes:
        model: The user's model, built.
        include: Glob patterns over layer paths; None: all.
        exclude: Glob patterns over layer paths to leave out.
        training: Whether the pass runs as in training, or as in validation.
    """

    model: Any
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    training: bool = True
    _traces: list[_Trace] = field(default_factory=list, init=False)
    _shapes: set[Any] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._pass = Isolated(self.model, self._forward)
        self._leaves = leaves(self.model, self.include, self.exclude)

    def __call__(self, x: Any, current: Current = ()) -> Sample | None:
        """Reads the model on the inputs `x`, a structure of tensors as the model takes it.

        Returns None where the pass would have to be traced for yet another shape of inputs.
        """
        given = [part for part in keras.tree.flatten(x) if part is not None]
        shapes = tuple((tuple(part.shape), str(part.dtype)) for part in given)
        traces = len(self._traces)
        if shapes not in self._shapes and traces >= MOST_TRACES:
            return None
        self._shapes.add(shapes)
        place, values, counts = self._pass(current, x)
        trace = self._traces[int(_numpy(place))]
        read = trace.parts.unpacked(_numpy(values), _numpy(counts))
        return Sample(
            trace.rows,
            [
                _reading({name: read[part] for name, part in parts.items()}, size)
                for parts, size in zip(trace.reads, trace.sizes, strict=True)
            ],
            traced=len(self._traces) > traces,
        )

    def _forward(self, x: Any) -> tuple[Any, Any, Any]:
        """Which trace this is, all values that were drawn, and how many positions count of each."""
        parts = Parts()
        # Before the pass, since in its scope the pass moves BatchNormalization's averages.
        weights = {id(leaf.layer): _weights(leaf, parts) for leaf in self._leaves}
        with tapped(self.model, self._leaves) as recording:
            outputs = _call(self.model, x, training=self.training)
        connect(recording, outputs)
        calls = with_insides(recording)
        reads = [_read(call, parts, weights) for call in calls]
        values, counts = parts.packed()
        parts.forget()
        self._note(calls, reads, parts)
        return ops.convert_to_tensor(len(self._traces) - 1, "int32"), values, counts

    def _note(self, calls: list[Call], reads: list[dict[str, int]], parts: Parts) -> None:
        made = [(id(call.leaf), call.index, call.activation) for call in calls]
        last = self._traces[-1] if self._traces else None
        if last is not None and made == last.calls:
            # The same rows, though sequences may have another length.
            trace = replace(last, reads=reads, parts=parts)
        else:
            sizes = [_size(call.leaf) for call in calls]
            trace = _Trace(made, describe(calls, self.model), sizes, reads, parts)
        if self._pass.eager:
            self._traces.clear()
        self._traces.append(trace)


def _call(model: Any, x: Any, *, training: bool) -> Any:
    if not has_call(model):
        return run_submodels(model, x, training=training)
    if "training" in inspect.signature(model.call).parameters:
        return model(x, training=training)
    return model(x)


def _floating(leaf: Leaf) -> list[Any]:
    return [weight for weight in leaf.layer.weights if "float" in str(weight.dtype)]


def _size(leaf: Leaf) -> int:
    return sum(math.prod(weight.shape) for weight in _floating(leaf))


def _weights(leaf: Leaf, parts: Parts) -> dict[str, int]:
    """What is read of the weights of a layer; the weights themselves stay where they are."""
    layer = leaf.layer
    found: dict[str, int] = {}
    floating = _floating(leaf)
    trained = [weight for weight in floating if weight.trainable]
    moving = max(trained, key=lambda weight: math.prod(weight.shape), default=None)
    whole: set[int] = set()
    if leaf.contraction is not None:
        kernel = moving = layer.kernel
        found["kernel"] = parts.coordinates(kernel)
        if math.prod(kernel.shape) > COORDINATES:
            found["kernel_max"] = parts.whole(ops.maximum(ops.max(kernel), -ops.min(kernel)))
        if layer.bias is not None:
            found["bias"] = parts.whole(layer.bias)
            whole.add(id(layer.bias))
    if moving is not None:
        found["moving"] = parts.coordinates(moving)
        if math.prod(moving.shape) <= COORDINATES:
            whole.add(id(moving))
    # NaN and infinity survive every sum; weights that are read whole need none.
    sums = [ops.sum(weight) for weight in floating if id(weight) not in whole]
    if sums:
        found["weight_sum"] = parts.whole(sum(sums[1:], sums[0]))
    return found


def _read(call: Call, parts: Parts, weights: dict[int, dict[str, int]]) -> dict[str, int]:
    """The parts that a row's reading is made of, by their names there."""
    if call.gate is not None:
        return _gate(call, call.gate, parts)
    found = _tensors(call, parts) | weights.get(id(call.leaf.layer), {})
    if call.attended is not None:
        queries = spread(call.attended.queries, QUERIES)
        logits = parts.positions(attention.logits(call.attended, queries))
        found |= {} if logits is None else {"logits": logits}
    return found


def _gate(call: Call, gate: recurrent.Gate, parts: Parts) -> dict[str, int]:
    tensors = {"z": gate.z, "x": gate.x, "state": gate.state}
    drawn = {name: parts.positions(it, call.mask_of(it)) for name, it in tensors.items()}
    found = {name: part for name, part in drawn.items() if part is not None}
    found["kernel"] = found["moving"] = parts.coordinates(gate.kernel)
    found["recurrent_kernel"] = parts.coordinates(gate.recurrent_kernel)
    if gate.bias is not None:
        found["bias"] = parts.whole(gate.bias)
    return found


def _tensors(call: Call, parts: Parts) -> dict[str, int]:
    """What is read of the tensors of `call`, by the names of `Reading`."""
    wanted = {"z": call.pre, "post": call.post if call.pre is not None else None}
    if call.leaf.contraction is not None:
        wanted["x"] = call.arguments[0]
        wanted["post"] = call.output if call.post is None else call.post
    wanted["y"] = next(iter(tensors_in(call.output)), None)
    first = getattr(call.leaf.layer, "data_format", None) == "channels_first"
    found = {
        name: parts.positions(tensor, call.mask_of(tensor), channels_first=first)
        for name, tensor in wanted.items()
        if tensor is not None
    }
    return {name: part for name, part in found.items() if part is not None}


def _reading(read: dict[str, Any], size: int) -> Reading:
    """The reading of a row whose layer has `size` floating weights."""
    if "logits" in read:  # of a query that is padding, or sees no key, all are minus infinity
        read["logits"] = read["logits"][(read["logits"] > -np.inf).any(axis=1)]
    total = read.pop("weight_sum", None)
    largest = read.pop("kernel_max", None)
    if largest is None and "kernel" in read:
        largest = np.abs(read["kernel"]).max(keepdims=True)
    shares = [np.mean(~np.isfinite(read[n])) for n in ("moving", "bias") if n in read]
    if total is not None and not np.isfinite(total[0]):
        shares.append(1 / size)
    return Reading(
        **{name: part for name, part in read.items() if part.size},
        kernel_max=None if largest is None else float(largest[0]),
        nonfinite_weights=float(max(shares, default=0.0)) if size else None,
    )


def _numpy(tensor: Any) -> Any:
    return ops.convert_to_numpy(tensor)
