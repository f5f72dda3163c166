"""Rows for what happens inside a layer: the gates of recurrent ones, the logits of attention."""

from collections.abc import Iterator
from typing import Any

from gainstage import recurrent
from gainstage.layers import Leaf
from gainstage.taps import Call, Recording


def with_insides(recording: Recording) -> list[Call]:
    """The calls of `recording` with those of the parts inside layers where they belong.

    To be called in the scope of the pass: gates are computed beside it.
    """
    calls: list[Call] = []
    for call in recording.calls:
        calls += [call, *_gates(call, recording.loops.get(id(call.leaf.layer), []))]
    for layer, found in recording.attentions:
        for index, attended in enumerate(found):
            _place(calls, Leaf(layer, _place_of(calls, layer)), index, attended)
    return calls


def _gates(call: Call, loops: list[recurrent.Loop]) -> Iterator[Call]:
    if call.index >= len(loops):
        return
    loop = loops[call.index]
    gates, real = recurrent.gates(loop)
    stacked = len(loop.cells) > 1
    known = loop.mask is None and isinstance(loop.sequence.shape[1], int)
    for gate in gates:
        yield Call(
            call.leaf,
            call.index,
            [gate.x, gate.state],
            pre=gate.z,
            activation=gate.activation,
            fused=True,
            feeds=call.feeds,
            part=f"{gate.cell}/{gate.name}" if stacked else gate.name,
            gate=gate,
            mask=None if known else real,
        )


def _place(calls: list[Call], leaf: Leaf, index: int, attended: Any) -> None:
    """Puts logits into the row of their layer, or in one of their own behind the projections."""
    own = [call for call in calls if call.leaf.layer is leaf.layer]
    if own:
        own[index].attended = attended
        return
    entering = {id(attended.query), id(attended.key)}
    feeds = [call for call in calls if id(call.output) in entering]
    if feeds:
        place = max(map(calls.index, feeds))
        calls.insert(place + 1, Call(leaf, index, [], feeds=feeds, attended=attended))


def _place_of(calls: list[Call], layer: Any) -> str:
    """The place of an attention layer is that of the first of its projections."""
    inner = {id(child) for child in layer._flatten_layers()}
    return next((call.leaf.place for call in calls if id(call.leaf.layer) in inner), "")
