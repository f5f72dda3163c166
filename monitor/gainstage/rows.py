"""What a run's schema says of each row: what the layer is, what feeds it, whether it is judged."""

import math
from typing import Any

from gainstage import activations, wire
from gainstage.layers import arguments
from gainstage.submodels import has_call
from gainstage.taps import Call, tensors_in
from gainstage.training import loss_name


def describe(calls: list[Call], model: Any) -> tuple[wire.Row, ...]:
    """The rows of `calls`, in the same order, from the shapes of one traced pass."""
    places = {id(call): place for place, call in enumerate(calls)}
    # The losses inside a `train_step` are not known; those of a GAN are of this kind.
    exempt = "crossentropy" in loss_name(model).lower().replace("_", "") or not has_call(model)
    return tuple(_row(call, places, exempt=exempt) for call in calls)


def _row(call: Call, places: dict[int, int], *, exempt: bool) -> wire.Row:
    layer, gate = call.leaf.layer, call.gate
    contraction = None if call.part else call.leaf.contraction
    fan_in = state_fan_in = None
    kernel: tuple[int, ...] = ()
    if contraction:
        fan_in = contraction.fan_in(layer, tuple(call.arguments[0].shape), tuple(call.output.shape))
        kernels = contraction.kernels(layer)
        kernel = tuple(kernels[-1].shape) if kernels else ()
    if gate:
        kernel = tuple(gate.kernel.shape)
        fan_in, state_fan_in = float(kernel[0]), float(kernel[-1])
    weights = [] if call.part else layer.weights  # there are none while it is not built
    shapes = [tuple(tensor.shape)[1:] for tensor in tensors_in(call.output)]
    return wire.Row(
        id=call.leaf.identity(call.index, call.part),
        path="/".join(filter(None, [call.leaf.path, call.part])),
        kind=call.leaf.kind,
        call=call.index,
        inputs=tuple(places[id(maker)] for maker in call.feeds),
        output_shape=shapes[0] if shapes else (),
        kernel_shape=kernel,
        parameters=sum(math.prod(weight.shape) for weight in weights),
        trainable=bool(layer.trainable_weights),
        fan_in=fan_in,
        state_fan_in=state_fan_in,
        activation=call.activation,
        fused=call.fused,
        unjudged=_unjudged(call, exempt=exempt),
        arguments={} if call.part else arguments(layer),
        dtype=str(getattr(layer, "compute_dtype", None) or "float32"),
    )


def _unjudged(call: Call, *, exempt: bool) -> str:
    """Why the range of this row is not judged; empty where it is."""
    if call.judged_at is not None:
        return f"judged at {call.judged_at.leaf.path}, whose output it receives"
    if call.activation == "?":
        return "its activation function is not one of Keras's own"
    if call.pre is None:
        return "read by its output only"
    function = activations.TABLE[call.activation or "linear"]
    reasons = {
        "a gate saturates as it learns to open and close: it is judged only far beyond that": (
            call.gate is not None
        ),
        f"{function.name} has no saturation of single values": not function.elementwise,
        "what its output enters is no layer, so that its activation is not known": (
            call.activation is None and not call.is_seen
        ),
        "an output under cross-entropy saturates when training succeeds": call.is_output and exempt,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
