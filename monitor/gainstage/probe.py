"""A forward pass of our own that reads tensors and leaves no trace in the model.

It runs in training mode, because that is the pass whose levels matter, inside a
`keras.StatelessScope`, which takes every write to a Keras variable (moving averages, seeds) and
throws it away. Layers are tapped by attributes of the instance that exist only while the pass is
traced: saving, cloning or pickling the model between samples never sees them.

Nothing is tapped in the user's own training graph: reading a pre-activation there keeps
TensorFlow from fusing kernels and changes the weights that come out.
"""

import functools
import inspect
import math
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from gainstage import activations, wire
from gainstage.layers import ACTIVATION_KINDS, Leaf, activation_of, arguments, leaves
from gainstage.readings import Reading
from gainstage.training import loss_name

# Keras declares what its operations return too narrowly and too widely at once.
ops: Any = keras.ops

# Rows of a tensor (examples times positions) that are read, all units of each. 256 rows put the
# standard error of an rms at 4 %, a third of a decibel.
POSITIONS = 256
# Values of a weight that are read: their rms has a standard error of 1.1 %, 0.1 dB.
COORDINATES = 4_096
# The golden ratio's multiples spread evenly over any length and share no period with image sizes.
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(eq=False)
class _Call:
    """One call of a leaf while the pass is traced; tensors are the backend's."""

    leaf: Leaf
    index: int
    arguments: list[Any]
    output: Any = None
    pre: Any = None
    post: Any = None
    activation: str | None = None
    fused: bool = False
    feeds: "list[_Call]" = field(default_factory=list)
    judged_at: "_Call | None" = None
    is_output: bool = False


@dataclass
class Sample:
    """One pass: the rows it went through, and what was read of each."""

    rows: tuple[wire.Row, ...]
    readings: list[Reading]
    traced: bool


@dataclass
class Probe:
    """Runs `model` over a few examples and returns what its layers saw.

    Attributes:
        model: The user's model, built.
        include: Glob patterns over layer paths; None: all.
        exclude: Glob patterns over layer paths to leave out.
    """

    model: Any
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    _rows: tuple[wire.Row, ...] = ()
    _traces: int = 0
    _function: Any = field(default=None, init=False)

    def __call__(self, x: Any) -> Sample:
        """Reads the model on the inputs `x`, a structure of tensors as the model takes it."""
        before = self._traces
        if self._function is None:
            self._function = _compiled(self._forward, eager=bool(self.model.run_eagerly))
        tensors = self._function(x)
        return Sample(
            self._rows,
            [_reading({name: _numpy(tensor) for name, tensor in row.items()}) for row in tensors],
            traced=before == 0,
        )

    def _forward(self, x: Any) -> list[dict[str, Any]]:
        """The rows' tensors by name; runs in Python only while the pass is traced."""
        self._traces += 1
        found = leaves(self.model, self.include, self.exclude)
        with keras.StatelessScope(collect_losses=True):
            # Before the pass, since in this scope the pass moves BatchNormalization's averages.
            weights = {id(leaf.layer): _weights(leaf) for leaf in found}
            with _tapped(self.model, found) as calls:
                outputs = _call(self.model, x)
            _connect(calls, outputs)
            self._rows = _describe(calls, self.model)
            positions = _Positions()
            return [positions.of(call) | weights[id(call.leaf.layer)] for call in calls]


def _compiled(function: Any, *, eager: bool) -> Any:
    if eager:
        return function
    import tensorflow as tf

    return tf.function(function, autograph=False, reduce_retracing=True)


def _call(model: Any, x: Any) -> Any:
    if "training" in inspect.signature(model.call).parameters:
        return model(x, training=True)
    return model(x)


@contextmanager
def _tapped(model: Any, found: list[Leaf]) -> Generator[list[_Call]]:
    """Records the calls of `found` in the list it yields; everything is as before on leaving."""
    calls: list[_Call] = []
    # A call clears the losses that the layers keep of the last one, which a training loop written
    # by hand has yet to add up, and notes its own by identity, beside the scope.
    noted = [
        (layer, list(layer._losses), set(layer._loss_ids)) for layer in model._flatten_layers()
    ]
    with ExitStack() as patches:
        for leaf in found:
            _tap(leaf, calls, patches)
        try:
            yield calls
        finally:
            for layer, losses, ids in noted:
                layer._losses[:] = losses
                layer._loss_ids.clear()
                layer._loss_ids.update(ids)


def _tap(leaf: Leaf, calls: list[_Call], patches: ExitStack) -> None:
    layer = leaf.layer
    original = layer.call
    function = vars(layer).get("activation")

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        index = sum(made.leaf is leaf for made in calls)
        made = _Call(leaf, index, _tensors_in((args, kwargs)))
        calls.append(made)
        made.output = original(*args, **kwargs)
        return made.output

    def activation(z: Any, *args: Any, **kwargs: Any) -> Any:
        calls[-1].pre = z
        return function(z, *args, **kwargs)

    _patch(patches, layer, "call", call)
    if callable(function) and not leaf.opaque and leaf.kind not in ACTIVATION_KINDS:
        _patch(patches, layer, "activation", functools.wraps(function)(activation))


def _patch(patches: ExitStack, layer: Any, name: str, value: Any) -> None:
    # Past Keras's __setattr__, which would track the value as part of the layer.
    before = vars(layer).get(name, _patch)
    vars(layer)[name] = value
    if before is _patch:
        patches.callback(vars(layer).pop, name)
    else:
        patches.callback(vars(layer).__setitem__, name, before)


def _tensors_in(structure: Any) -> list[Any]:
    return [leaf for leaf in keras.tree.flatten(structure) if ops.is_tensor(leaf)]


def _connect(calls: list[_Call], outputs: Any) -> None:
    """Finds what feeds what, and which activation each pre-activation enters, by identity."""
    makers: dict[int, _Call] = {}
    final = {id(tensor) for tensor in _tensors_in(outputs)}
    for call in calls:
        feeding = [makers.get(id(tensor)) for tensor in call.arguments]
        call.feeds = [maker for maker in feeding if maker is not None]
        name = activation_of(call.leaf.layer) if not call.leaf.opaque else None
        own = _tensors_in(call.output)
        if call.leaf.kind in ACTIVATION_KINDS:
            call.judged_at = next((maker for maker in call.feeds if maker.activation is None), None)
            owner = call.judged_at or call
            owner.activation, owner.post = name, call.output
            owner.pre = call.arguments[0]
        elif name not in {None, "linear"} and call.pre is not None:
            call.activation, call.post, call.fused = name, call.output, True
        elif call.leaf.contraction is not None:
            call.pre = call.output
        if any(id(tensor) in final for tensor in own):
            call.is_output = True
            if call.judged_at is not None:
                call.judged_at.is_output = True
        makers |= {id(tensor): call for tensor in own}


def _describe(calls: list[_Call], model: Any) -> tuple[wire.Row, ...]:
    places = {id(call): place for place, call in enumerate(calls)}
    exempt = "crossentropy" in loss_name(model).lower().replace("_", "")
    rows: list[wire.Row] = []
    for call in calls:
        layer = call.leaf.layer
        contraction = call.leaf.contraction
        kernel = tuple(layer.kernel.shape) if contraction else ()
        fan_in = None
        if contraction:
            fan_in = contraction.fan_in(
                layer, tuple(call.arguments[0].shape), tuple(call.output.shape)
            )
        shapes = [tuple(tensor.shape)[1:] for tensor in _tensors_in(call.output)]
        rows.append(
            wire.Row(
                id=call.leaf.identity(call.index),
                path=call.leaf.path,
                kind=call.leaf.kind,
                call=call.index,
                inputs=tuple(places[id(maker)] for maker in call.feeds),
                output_shape=shapes[0] if shapes else (),
                kernel_shape=kernel,
                parameters=layer.count_params(),
                trainable=bool(layer.trainable_weights),
                fan_in=fan_in,
                activation=call.activation,
                fused=call.fused,
                unjudged=_unjudged(call, exempt=exempt),
                arguments=arguments(layer),
            )
        )
    return tuple(rows)


def _unjudged(call: _Call, *, exempt: bool) -> str:
    """Why the range of this row is not judged; empty where it is."""
    if call.judged_at is not None:
        return f"judged at {call.judged_at.leaf.path}, whose output it receives"
    if call.activation == "?":
        return "its activation function is not one of Keras's own"
    if call.pre is None:
        return "read by its output only"
    function = activations.TABLE[call.activation or "linear"]
    if not function.elementwise:
        return f"{function.name} has no saturation of single values"
    if call.is_output and exempt:
        return "an output under cross-entropy saturates when training succeeds"
    return ""


def _weights(leaf: Leaf) -> dict[str, Any]:
    """What is read of the weights of a layer: reductions and fixed coordinates."""
    layer = leaf.layer
    floating = [weight for weight in layer.weights if "float" in str(weight.dtype)]
    found: dict[str, Any] = {}
    if floating:
        bad = [_count_nonfinite(weight) for weight in floating]
        size = sum(math.prod(weight.shape) for weight in floating)
        found["nonfinite_weights"] = sum(bad[1:], bad[0]) / size
    moving = max(layer.trainable_weights, key=lambda w: math.prod(w.shape), default=None)
    if leaf.contraction is not None:
        found["kernel"] = _coordinates(layer.kernel)
        found["kernel_max"] = ops.max(ops.abs(ops.cast(layer.kernel, "float32")))
        if layer.bias is not None:
            found["bias"] = ops.cast(layer.bias, "float32")
    elif moving is not None and "float" in str(moving.dtype):
        found["moving"] = _coordinates(moving)
    return found


def _coordinates(weight: Any) -> Any:
    """[coordinates], in every sample the same: all of a small weight, evenly spread of others."""
    size = math.prod(weight.shape)
    flat = ops.reshape(weight, (-1,))
    if size > COORDINATES:
        places = np.floor(np.arange(COORDINATES) * GOLDEN % 1 * size).astype(np.int64)
        flat = ops.take(flat, np.unique(places))
    return ops.cast(flat, "float32")


def _count_nonfinite(weight: Any) -> Any:
    bad = ops.logical_not(ops.isfinite(weight))
    return ops.sum(ops.cast(bad, "float32"))


@dataclass
class _Positions:
    """Draws the same positions of every tensor, each tensor once."""

    _drawn: dict[int, Any] = field(default_factory=dict)

    def of(self, call: _Call) -> dict[str, Any]:
        """What is read of the tensors of `call`, by the names of `Reading`."""
        wanted = {"z": call.pre, "post": call.post if call.pre is not None else None}
        if call.leaf.contraction is not None:
            wanted["x"] = call.arguments[0]
            wanted["post"] = call.output if call.post is None else call.post
        wanted["y"] = next(iter(_tensors_in(call.output)), None)
        first = getattr(call.leaf.layer, "data_format", None) == "channels_first"
        return {
            name: self._draw(tensor, channels_first=first)
            for name, tensor in wanted.items()
            if tensor is not None and _is_number(tensor)
        }

    def _draw(self, tensor: Any, *, channels_first: bool) -> Any:
        if id(tensor) not in self._drawn:
            self._drawn[id(tensor)] = _positions(tensor, channels_first=channels_first)
        return self._drawn[id(tensor)]


def _is_number(tensor: Any) -> bool:
    return keras.backend.standardize_dtype(tensor.dtype).startswith(("float", "bfloat", "int"))


def _positions(tensor: Any, *, channels_first: bool) -> Any:
    """[positions, units] of a tensor of any shape, at most `POSITIONS` of its positions."""
    if channels_first and len(tensor.shape) > 2:
        tensor = ops.moveaxis(tensor, 1, -1)
    units = tensor.shape[-1] if len(tensor.shape) > 1 else 1
    flat = ops.reshape(tensor, (-1, units))
    count = ops.shape(flat)[0]
    if not isinstance(count, int) or count > POSITIONS:
        shares = np.arange(1, POSITIONS + 1) * GOLDEN % 1
        scaled = ops.cast(count, "float32") * ops.convert_to_tensor(shares, "float32")
        flat = ops.take(flat, ops.cast(ops.floor(scaled), "int32"), axis=0)
    return ops.cast(flat, "float32")


def _numpy(tensor: Any) -> Any:
    return ops.convert_to_numpy(tensor)


def _reading(parts: dict[str, Any]) -> Reading:
    for name in parts.keys() & {"kernel_max", "nonfinite_weights"}:
        parts[name] = float(parts[name])
    if "kernel" in parts:  # whose movement stands for the layer's
        parts["moving"] = parts["kernel"]
    return Reading(**parts)
