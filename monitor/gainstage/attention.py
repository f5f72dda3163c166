"""The logits of attention layers: what their softmax gets, which no layer returns.

    with attention.watched(layer) as calls:
        model(x, training=True)
    for call in calls:
        logits = attention.logits(call, positions)

Fused kernels never form the logits, so they are formed beside the layer from the projected queries
and keys of the probe's pass, with the masks as the layer combined them, for a few queries only.
"""

import functools
import inspect
import math
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from gainstage.patch import patched

# Keras declares what its operations return too narrowly and too widely at once.
ops: Any = keras.ops


@dataclass(frozen=True, eq=False)
class Call:
    """One call of an attention layer; tensors are the backend's.

    Attributes:
        query: Projected, [examples, queries, heads, features]; None where `scores` is there.
        key: Projected, one for each query head, [examples, keys, heads, features].
        scale: What their product is multiplied by.
        scores: Logits as the layer itself formed them, [examples, queries, keys].
        mask: True where a query may see a key; as many of [examples, heads, queries, keys] as
            there are, from the right, an axis of 1 standing for all; None: everywhere.
        query_mask: [examples, queries], False where a query is padding, unless `mask` says so.
        causal: Whether a query sees no later key.
    """

    query: Any = None
    key: Any = None
    scale: float = 1.0
    scores: Any = None
    mask: Any = None
    query_mask: Any = None
    causal: bool = False

    @property
    def queries(self) -> Any:
        """Number of query positions: an integer, or a tensor where only the run will tell."""
        return ops.shape(self.query if self.scores is None else self.scores)[1]


def covers(layer: Any) -> bool:
    """Whether the logits of `layer` can be read: a kind of Keras's own, over one axis."""
    found = _method(layer)
    if found is None or not callable(getattr(type(layer), found.name, None)):
        return False
    module = str(getattr(type(layer), found.name).__module__)
    axes = getattr(layer, "_attention_axes", None)
    return module.startswith("keras.") and (axes is None or tuple(axes) == (1,))


@contextmanager
def watched(layer: Any) -> Generator[list[Call]]:
    """Records the calls of `layer`, in the list it yields; none where it is not covered.

    To be entered while the probe's pass is traced. The layer computes what it always computes.
    """
    calls: list[Call] = []
    found = _method(layer)
    if found is None or not covers(layer):
        yield calls
        return
    original, call = getattr(layer, found.name), layer.call
    signature, outer = inspect.signature(original), inspect.signature(call)
    mask: list[Any] = [None]

    def method(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        calls.extend(found.read(layer, given.arguments, mask[0]))
        return original(*args, **kwargs)

    @functools.wraps(call)
    def calling(*args: Any, **kwargs: Any) -> Any:
        mask[0] = outer.bind(*args, **kwargs).arguments.get("mask")
        return call(*args, **kwargs)

    with ExitStack() as stack:
        stack.enter_context(patched(layer, **{found.name: method}))
        if "mask" in outer.parameters:
            stack.enter_context(patched(layer, call=calling))
        yield calls


def logits(call: Call, positions: Any) -> Any:
    """Logits, [examples, heads, positions, keys] in float32, of the queries at `positions`.

    Minus infinity where a query may not see a key. A row that holds nothing else belongs to a
    query that is padding or sees nothing: it must count nowhere.
    """
    positions = ops.cast(positions, "int32")
    if call.scores is not None:
        found = ops.expand_dims(_at(ops.cast(call.scores, "float32"), positions, 1), 1)
    else:
        # As fused kernels add up, whatever the layer computes in.
        query = ops.cast(_at(call.query, positions, 1), "float32")
        key = ops.cast(call.key, "float32")
        found = ops.einsum("bqnd,bknd->bnqk", query, key) * call.scale
    for mask in _masks(call, positions, ops.shape(found)[-1]):
        found = ops.where(mask, found, -math.inf)
    return found


def _masks(call: Call, positions: Any, keys: Any) -> Generator[Any]:
    """What hides keys, each of a shape that fits [examples, heads, positions, keys]."""
    if call.mask is not None:
        mask = ops.cast(call.mask, "bool")
        while len(mask.shape) < 4:
            # As Keras does it: heads come in front of queries, and examples in front of heads.
            mask = ops.expand_dims(mask, -3)
        # An axis of 1 has but one row, which is every query's.
        yield _at(mask, ops.minimum(positions, ops.shape(mask)[2] - 1), 2)
    if call.query_mask is not None:
        mask = _at(ops.cast(call.query_mask, "bool"), positions, 1)
        yield ops.expand_dims(ops.expand_dims(mask, 1), -1)
    if call.causal:
        # Both count from the first: with more keys than queries, the last keys are never seen.
        yield ops.expand_dims(positions, 1) >= ops.arange(keys, dtype="int32")


def _at(tensor: Any, positions: Any, axis: int) -> Any:
    return ops.take(tensor, positions, axis=axis)


@dataclass(frozen=True)
class _Method:
    """The method of a kind of layer that gets all that the logits are made of."""

    name: str
    read: Callable[[Any, dict[str, Any], Any], list[Call]]


def _projected(layer: Any, given: dict[str, Any], _mask: Any) -> list[Call]:
    query = given["query"]
    if len(query.shape) != 4:
        return []
    scale = getattr(layer, "_inverse_sqrt_key_dim", None)
    scale = scale or getattr(layer, "_inverse_sqrt_head_dim", None) or query.shape[-1] ** -0.5
    return [
        Call(
            query=query,
            key=given["key"],
            scale=float(scale),
            mask=given["attention_mask"],
            causal=bool(given.get("use_causal_mask")),
        )
    ]


def _scored(_layer: Any, given: dict[str, Any], mask: Any) -> list[Call]:
    scores_mask = given["scores_mask"]
    if scores_mask is not None and len(scores_mask.shape) == 2:
        scores_mask = ops.expand_dims(scores_mask, 1)
    return [Call(scores=given["scores"], mask=scores_mask, query_mask=mask[0] if mask else None)]


_MULTIPLE = _Method("_compute_attention", _projected)
_SINGLE = _Method("_apply_scores", _scored)
METHODS = {
    "MultiHeadAttention": _MULTIPLE,
    "GroupedQueryAttention": _MULTIPLE,
    "Attention": _SINGLE,
    "AdditiveAttention": _SINGLE,
}


def _method(layer: Any) -> _Method | None:
    return METHODS.get(type(layer).__name__)
