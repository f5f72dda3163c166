"""What the layers of a model see during one pass: their calls, in order of data flow.

Layers are tapped by attributes of the instance that exist only while the pass is traced: saving,
cloning or pickling the model between samples never sees them. Nothing is tapped in the user's own
training graph: reading a pre-activation there keeps TensorFlow from fusing kernels and changes the
weights that come out.
"""

import functools
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import keras

from gainstage import attention, recurrent
from gainstage.layers import ACTIVATION_KINDS, Leaf, activation_of
from gainstage.patch import patched

# Keras declares what its operations return too narrowly and too widely at once.
ops: Any = keras.ops
_BACKEND = import_module("keras.src.backend")


@dataclass(eq=False)
class Call:
    """One call of a leaf; tensors are the backend's.

    Attributes:
        leaf: The layer that was called.
        index: How often it was called before, in this pass.
        arguments: The tensors that it got.
        output: What it returned.
        pre: What entered its activation function.
        post: What came out of that.
        activation: The function's name, as `layers.activation_of` gives it.
        fused: Whether the function is an argument of the layer.
        feeds: The calls whose outputs it got.
        judged_at: The call whose pre-activation this one, an activation, received.
        is_output: Whether the model returns what it returned.
        is_seen: Whether what it returned goes into a layer, or out of the model, as it is. Else
            an operation inside somebody's `call` gets it, which may be an activation function.
        part: Name of a part of the layer's inside that this stands for; empty: the layer.
        gate: What the part is, where it is a gate.
        attended: What the logits are formed from, where the layer has some.
        mask: Which positions count, where the tensors themselves do not tell.
        masks: Masks that tensors had before a layer took them away, by the tensors' `id`.
    """

    leaf: Leaf
    index: int
    arguments: list[Any]
    output: Any = None
    pre: Any = None
    post: Any = None
    activation: str | None = None
    fused: bool = False
    feeds: "list[Call]" = field(default_factory=list)
    judged_at: "Call | None" = None
    is_output: bool = False
    is_seen: bool = True
    part: str = ""
    gate: recurrent.Gate | None = None
    attended: attention.Call | None = None
    mask: Any = None
    masks: Mapping[int, Any] = field(default_factory=dict)

    def mask_of(self, tensor: Any) -> Any:
        """Which of the tensor's positions count: its own mask, or the one that the layer got."""
        entered = [self.masks.get(id(it), _mask(it)) for it in self.arguments[:1]]
        for mask in (_mask(tensor), self.mask, *entered):
            if mask is not None and len(mask.shape) < len(tensor.shape):
                axes = zip(mask.shape, tensor.shape, strict=False)
                if all(None in pair or pair[0] == pair[1] for pair in axes):
                    return mask
        return None


def _mask(tensor: Any) -> Any:
    # Keras has no public name for it; where it moves, masks are not seen.
    read = getattr(_BACKEND, "get_keras_mask", None)
    return None if read is None else read(tensor)


@dataclass
class Recording:
    """The calls of one pass, in order.

    Attributes:
        calls: What was recorded.
        loops: The loops that each recurrent layer ran, by the layer's `id`.
        attentions: Each attention layer, and its calls.
        same: Of tensors that were made for the recording alone, by `id`: what they were made of.
    """

    calls: list[Call] = field(default_factory=list)
    loops: dict[int, list[recurrent.Loop]] = field(default_factory=dict)
    attentions: list[tuple[Any, list[attention.Call]]] = field(default_factory=list)
    same: dict[int, Any] = field(default_factory=dict)
    _masks: dict[int, Any] = field(default_factory=dict)
    _counts: Counter[int] = field(default_factory=Counter)
    _mask: Any = None

    def begin(self, leaf: Leaf, arguments: list[Any]) -> Call:
        """Notes that `leaf` was called."""
        index = self._counts[id(leaf.layer)]
        call = Call(leaf, index, arguments, mask=self._mask, masks=self._masks)
        self._counts[id(leaf.layer)] += 1
        self.calls.append(call)
        return call

    def keep_masks(self, layer: Any) -> AbstractContextManager[None]:
        """Notes the masks that reach `layer`, which takes them off its tensors."""
        original = layer.call

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._masks |= {id(it): _mask(it) for it in tensors_in((args, kwargs))}
            return original(*args, **kwargs)

        return patched(layer, call=call)

    @contextmanager
    def over(self, tensor: Any, original: Any, mask: Any) -> Generator[None]:
        """Calls on `tensor`, whose positions are those of `original` and count as `mask` says."""
        self.same[id(tensor)] = original
        self._mask = mask
        try:
            yield
        finally:
            self._mask = None


@contextmanager
def tapped(model: Any, leaves: Sequence[Leaf]) -> Generator[Recording]:
    """Records the calls of `leaves` of `model`; everything is as before on leaving."""
    recording = Recording()
    with ExitStack() as patches:
        patches.enter_context(recurrent.apart(model))
        for leaf in leaves:
            if leaf.wrapper is None:
                loops = patches.enter_context(recurrent.watched(leaf.layer))
                recording.loops[id(leaf.layer)] = loops
                _tap(leaf, recording, patches)
        for layer in filter(attention.covers, model._flatten_layers()):
            calls = patches.enter_context(attention.watched(layer))
            recording.attentions.append((layer, calls))
            patches.enter_context(recording.keep_masks(layer))
        for wrapper, inner in _wrapped(leaves):
            _tap_wrapper(wrapper, inner, recording, patches)
        yield recording


def _wrapped(leaves: Sequence[Leaf]) -> list[tuple[Any, list[Leaf]]]:
    """Each wrapper, and its leaves."""
    wrappers = {id(leaf.wrapper): leaf.wrapper for leaf in leaves if leaf.wrapper is not None}
    return [
        (wrapper, [leaf for leaf in leaves if leaf.wrapper is wrapper])
        for wrapper in wrappers.values()
    ]


def _tap(leaf: Leaf, recording: Recording, patches: ExitStack) -> None:
    layer = leaf.layer
    original = layer.call
    function = vars(layer).get("activation")

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        made = recording.begin(leaf, tensors_in((args, kwargs)))
        made.output = original(*args, **kwargs)
        return made.output

    def activation(z: Any, *args: Any, **kwargs: Any) -> Any:
        recording.calls[-1].pre = z
        return function(z, *args, **kwargs)

    patches.enter_context(patched(layer, call=call))
    if callable(function) and not leaf.opaque and leaf.kind not in ACTIVATION_KINDS:
        wrapped = functools.wraps(function)(activation)
        patches.enter_context(patched(layer, activation=wrapped))


def _tap_wrapper(wrapper: Any, inner: list[Leaf], recording: Recording, patches: ExitStack) -> None:
    """Taps what `wrapper` calls on one step at a time, in a loop that no tensor can leave.

    Its layer is called once more, on all steps as if they were examples.
    """
    original = wrapper.call

    @functools.wraps(original)
    def call(x: Any, *args: Any, mask: Any = None, **kwargs: Any) -> Any:
        output = original(x, *args, mask=mask, **kwargs)
        flat = ops.reshape(x, (-1, *ops.shape(x)[2:]))
        steps = None if mask is None else ops.reshape(mask, (-1,))
        with ExitStack() as taps, recording.over(flat, x, steps):
            for leaf in inner:
                _tap(leaf, recording, taps)
            wrapper.layer(flat)
        return output

    patches.enter_context(patched(wrapper, call=call))


def tensors_in(structure: Any) -> list[Any]:
    """The tensors of a structure, in order."""
    return [leaf for leaf in keras.tree.flatten(structure) if ops.is_tensor(leaf)]


def connect(recording: Recording, outputs: Any) -> None:
    """Finds what feeds what, and which activation each pre-activation enters, by identity."""
    makers: dict[int, Call] = {}
    final = {id(tensor) for tensor in tensors_in(outputs)}
    known = final | {
        id(recording.same.get(id(tensor), tensor))
        for call in recording.calls
        for tensor in call.arguments
    }
    for call in recording.calls:
        sources = (recording.same.get(id(tensor), tensor) for tensor in call.arguments)
        feeding = [makers.get(id(tensor)) for tensor in sources]
        call.feeds = [maker for maker in feeding if maker is not None]
        name = activation_of(call.leaf.layer) if not call.leaf.opaque else None
        own = tensors_in(call.output)
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
        # What a wrapper's layer returns on all steps at once was made for the recording alone.
        call.is_seen = call.leaf.wrapper is not None or any(id(it) in known for it in own)
        makers |= {id(tensor): call for tensor in own}
