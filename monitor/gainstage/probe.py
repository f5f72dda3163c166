"""The separate forward pass that reads what layers see, and leaves no trace.

The pass runs the model in training mode on a few examples of the next batch, isolated from the
training. Its tensors are drawn from and packed where the model runs, and cut into readings here.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import keras
import numpy as np

from gainstage import attention, recurrent, wire
from gainstage.contractions import Axes
from gainstage.drawing import COORDINATES, Parts, spread
from gainstage.insides import with_insides
from gainstage.isolation import Isolated
from gainstage.layers import Leaf, leaves
from gainstage.normalisation import RESOLUTIONS, normalised_input
from gainstage.peek import Current
from gainstage.readings import Reading
from gainstage.refusals import UnwatchedError
from gainstage.rows import describe
from gainstage.sample import Sample
from gainstage.submodels import has_call, run_submodels
from gainstage.taps import Call, connect, tapped, tensors_in

# Keras declares what its operations return too narrowly and too widely at once.
ops: Any = keras.ops

# A layer's kernels, the last to multiply first; what comes before it is inside.
KERNELS = ("kernel", "inner_kernel")
# Queries of an attention layer whose logits are formed: with 16 examples and 8 heads, 2,048 rows.
QUERIES = 16
# Shapes of inputs that the pass is traced for; JAX compiles it anew for each. Batches of still
# other shapes are not sampled: tracing must stay a cost of the beginning.
MOST_TRACES = 8


@dataclass
class _Trace:
    """What is known of a pass before its numbers are: which parts each row reads."""

    calls: list[tuple[int, int, str, str | None]]
    layers: list[int]
    rows: tuple[wire.Row, ...]
    facts: "list[_Facts]"
    reads: list[dict[str, int]]
    parts: Parts

    def readings(self, values: list[Any], beside: list[Any]) -> list[Reading]:
        """What each row reads, from the pass's numbers."""
        read = self.parts.unpacked(values, beside)
        return [
            _reading({name: read[part] for name, part in parts.items()}, facts)
            for parts, facts in zip(self.reads, self.facts, strict=True)
        ]


@dataclass
class Probe:
    """Runs `model` over a few examples and returns what its layers saw.

    Attributes:
        model: The user's model, built.
        include: Glob patterns over layer paths; None: all.
        exclude: Glob patterns over layer paths to leave out.
        training: Whether the pass runs as in training, or as in validation.
        wanted: Says of each layer that the patterns let through whether it is read.
    """

    model: Any
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    training: bool = True
    wanted: Callable[[Leaf], bool] = lambda _leaf: True
    _traces: list[_Trace] = field(default_factory=list, init=False)
    _shapes: set[Any] = field(default_factory=set, init=False)
    _place: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._pass = Isolated(self.model, self._forward)
        found = leaves(self.model, self.include, self.exclude)
        self.leaves = list(filter(self.wanted, found))
        if not self.leaves:
            raise UnwatchedError(self._no_layer())

    def _no_layer(self) -> str:
        """Why there is no row, with a pattern that would match one."""
        paths = [leaf.path for leaf in leaves(self.model, None, ())]
        if not paths:
            return "There is no layer to watch. Expected a model that holds layers. Received: none."
        meant = [pattern.strip("*") for pattern in self.include or ()]
        path = next((path for path in paths if any(part in path for part in meant)), paths[0])
        return (
            "There is no layer to watch. Expected: patterns that match the whole path of a layer, "
            f"such as {path!r} or '*{path.rpartition('/')[2]}*'. Received: "
            f"`include` {self.include or '(all)'}, `exclude` {self.exclude or '(none)'}. "
            "The paths are [layer.path for layer in model.layers]."
        )

    @property
    def layers(self) -> list[int]:
        """The `id` of the layer of each row of the last sample."""
        return self._traces[self._place].layers

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
        values, beside = (list(map(_numpy, vectors)) for vectors in self._pass(current, x))
        self._place = int(values[0][0])
        trace = self._traces[self._place]
        return Sample(
            trace.rows,
            partial(trace.readings, values, beside),
            traced=len(self._traces) > traces,
        )

    def _forward(self, x: Any) -> tuple[list[Any], list[Any]]:
        """What `Parts` packs of the pass; the first value says which trace this is."""
        parts = Parts()
        place = 0 if self._pass.eager else len(self._traces)
        parts.whole(ops.convert_to_tensor([place], "float32"))
        # Before the pass, since in its scope the pass moves BatchNormalization's averages.
        weights = {id(leaf.layer): _weights(leaf, parts) for leaf in self.leaves}
        with tapped(self.model, self.leaves) as recording:
            outputs = _call(self.model, x, training=self.training)
        connect(recording, outputs)
        calls = with_insides(recording)
        reads = [_read(call, parts, weights) for call in calls]
        packed = parts.packed()
        parts.forget()
        self._note(calls, reads, parts)
        return packed

    def _note(self, calls: list[Call], reads: list[dict[str, int]], parts: Parts) -> None:
        layers = [id(call.leaf.layer) for call in calls]
        made = [
            (layer, call.index, call.part, call.activation)
            for layer, call in zip(layers, calls, strict=True)
        ]
        last = self._traces[-1] if self._traces else None
        if last is not None and made == last.calls:
            # The same rows, though sequences may have another length.
            trace = replace(last, reads=reads, parts=parts)
        else:
            facts = list(map(_Facts.of, calls))
            trace = _Trace(made, layers, describe(calls, self.model), facts, reads, parts)
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


def _weights(leaf: Leaf, parts: Parts) -> dict[str, int]:
    """What is read of the weights of a layer; the weights themselves stay where they are."""
    layer = leaf.layer
    found: dict[str, int] = {}
    floating = _floating(leaf)
    trained = [weight for weight in floating if weight.trainable]
    moving = max(trained, key=lambda weight: math.prod(weight.shape), default=None)
    whole: set[int] = set()
    contraction = leaf.contraction
    if contraction is not None:
        kernels = contraction.kernels(layer)
        moving = max(kernels, key=lambda kernel: math.prod(kernel.shape), default=moving)
        for name, kernel in zip(KERNELS, reversed(kernels), strict=False):
            # Of a normalisation, whose scale each unit of x is got back by, all.
            draw = parts.whole if contraction.normalised else parts.coordinates
            found[name] = draw(kernel)
        bias = contraction.bias(layer)
        if bias is not None:
            shaped = ops.reshape(bias.variable, bias.shape)
            found["bias"] = parts.whole(ops.broadcast_to(shaped, bias.units))
            whole.add(id(bias.variable))
    if moving is not None:
        found["moving"] = parts.coordinates(moving)
        if math.prod(moving.shape) <= COORDINATES:
            whole.add(id(moving))
    rest = [weight for weight in floating if id(weight) not in whole]
    if rest:
        found["weight_sum"] = parts.total(rest)
    return found


def _read(call: Call, parts: Parts, weights: dict[int, dict[str, int]]) -> dict[str, int]:
    """The parts that a row's reading is made of, by their names there."""
    if call.gate is not None:
        return _gate(call, call.gate, parts)
    found = _tensors(call, parts) | weights.get(id(call.leaf.layer), {})
    if call.attended is not None:
        logits = attention.logits(call.attended, spread(call.attended.queries, QUERIES))
        # Minus infinity is what a mask makes of them.
        found |= _drawn({"logits": parts.positions(logits, Axes.of(4, -1), finite=False)})
    return found


def _gate(call: Call, gate: recurrent.Gate, parts: Parts) -> dict[str, int]:
    tensors = {"z": gate.z, "x": gate.x, "state": gate.state}
    found = _drawn(
        {
            name: parts.positions(it, Axes.of(3, -1), call.mask_of(it))
            for name, it in tensors.items()
        }
    )
    found["kernel"] = found["moving"] = parts.coordinates(gate.kernel)
    found["recurrent_kernel"] = parts.coordinates(gate.recurrent_kernel)
    if gate.bias is not None:
        found["bias"] = parts.whole(gate.bias)
    return found


def _tensors(call: Call, parts: Parts) -> dict[str, int]:
    """What is read of the tensors of `call`, by the names of `Reading`."""
    layer, contraction = call.leaf.layer, call.leaf.contraction
    wanted = {"z": call.pre, "post": call.post if call.pre is not None else None}
    if contraction is not None:
        wanted["x"] = None if contraction.normalised else call.arguments[0]
        wanted["post"] = call.output if call.post is None else call.post
    wanted["y"] = next(iter(tensors_in(call.output)), None)
    data = call.arguments[0] if call.arguments and not call.feeds else None
    first = getattr(layer, "data_format", None) == "channels_first"

    def axes(name: str, rank: int) -> Axes:
        if contraction is not None:
            return (contraction.inputs if name == "x" else contraction.outputs)(layer, rank)
        return Axes.of(rank, *([1 if first and rank > 2 else -1] if rank > 1 else []))

    found = _drawn(
        {
            name: parts.positions(tensor, axes(name, len(tensor.shape)), call.mask_of(tensor))
            for name, tensor in wanted.items()
            if tensor is not None
        }
    )
    if data is not None and "float" in keras.backend.standardize_dtype(data.dtype):
        # Of the data, all values: a single NaN spoils a training, and no layer is to blame.
        bad = ops.logical_not(ops.isfinite(data))
        found["nonfinite_inputs"] = parts.whole(ops.mean(ops.cast(bad, "float32")))
    return found


def _drawn(parts: dict[str, int | None]) -> dict[str, int]:
    return {name: part for name, part in parts.items() if part is not None}


@dataclass(frozen=True)
class _Facts:
    """What a reading needs to know of its layer that is in no tensor.

    Attributes:
        size: Number of its floating weights.
        normalised: Whether x is to be got back from z.
        resolution: The spacing of numbers around 1 of what it computes.
    """

    size: int
    normalised: bool
    resolution: float

    @classmethod
    def of(cls, call: Call) -> "_Facts":
        """The facts of the layer of `call`."""
        layer, contraction = call.leaf.layer, call.leaf.contraction
        return cls(
            sum(math.prod(weight.shape) for weight in _floating(call.leaf)),
            contraction is not None and contraction.normalised and call.gate is None,
            RESOLUTIONS.get(layer.compute_dtype, RESOLUTIONS["float32"]),
        )


def _reading(read: dict[str, Any], facts: _Facts) -> Reading:
    """The reading of a row from the arrays that it was drawn as."""
    if "logits" in read:  # of a query that is padding, or sees no key, all are minus infinity
        read["logits"] = read["logits"][(read["logits"] > -np.inf).any(axis=1)]
    spoilt = read.pop("nonfinite_inputs", None)
    total = read.pop("weight_sum", None)
    shares = [np.mean(~np.isfinite(read[n])) for n in ("moving", "bias") if n in read]
    if total is not None and not np.isfinite(total[0]):
        shares.append(1 / facts.size)
    bad = float(max(shares, default=0.0)) if facts.size else None
    if facts.normalised and "z" in read:
        scale, bias = read.get("kernel"), read.get("bias")
        x = normalised_input(read["z"], bias, scale, resolution=facts.resolution)
        read |= {"kernel": np.ones(1, np.float32) if scale is None else scale}
        read |= {} if x is None else {"x": x}
    if "inner_kernel" in read:
        # Two kernels in turn do what one of both rms' product does, if they are unrelated.
        size = np.sqrt(np.mean(np.square(read.pop("inner_kernel"))))
        read["kernel"] = read["kernel"] * size
    return Reading(
        **read,
        nonfinite_weights=bad,
        nonfinite_inputs=None if spoilt is None else float(spoilt[0]),
    )


def _numpy(tensor: Any) -> Any:
    return ops.convert_to_numpy(tensor)
