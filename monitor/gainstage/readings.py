"""What the probe hands over: a reading for each row; and the same, part by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from gainstage.summaries import Array, Bools, Places


@dataclass(frozen=True)
class Reading:
    """What the probe read of one call of a layer; None where the layer has no such thing.

    An array is empty where the layer has it and this sample does not: all its steps are masked.

    Arrays that are the same object, in one row or in several, are reduced once.

    Attributes:
        x: What enters the contraction, [positions, inputs].
        z: Pre-activation, bias included, [positions, units].
        y: The layer's output, [positions, channels].
        post: What the activation function made of z: y, or the output of the layer behind.
        bias: [units].
        kernel: Fixed coordinates of the contraction's kernel, spread evenly, [coordinates].
        moving: Fixed coordinates of the layer's largest trainable weight, [coordinates].
        nonfinite_weights: Share of non-finite values in the weights of the layer.
        nonfinite_inputs: Share of non-finite values in all of what enters the layer, where that is
            the data; of other layers it is taken from x.
        state: What the recurrent kernel multiplies: the last step's state, [positions, units].
        recurrent_kernel: Fixed coordinates of the recurrent kernel, [coordinates].
        logits: What enters an attention's softmax, [positions, keys]; -inf where masked.
    """

    x: Array | None = None
    z: Array | None = None
    y: Array | None = None
    post: Array | None = None
    bias: Array | None = None
    kernel: Array | None = None
    moving: Array | None = None
    nonfinite_weights: float | None = None
    nonfinite_inputs: float | None = None
    state: Array | None = None
    recurrent_kernel: Array | None = None
    logits: Array | None = None


class Part(NamedTuple):
    """One field of all readings that have it, and which rows those are."""

    rows: Places
    values: list[Any]

    def where(self, rows: Bools) -> "Part":
        """What is of these rows alone; `rows` is over all of them."""
        kept = rows[self.rows]
        if kept.all():
            return self
        return Part(self.rows[kept], [v for v, keep in zip(self.values, kept, strict=True) if keep])


Parts = Mapping[str, Part]
_NAMES = tuple(field.name for field in fields(Reading))


def parts_of(readings: Sequence[Reading]) -> Parts:
    """The fields of `Reading` by name."""
    return {name: _part(name, readings) for name in _NAMES}


def _part(name: str, readings: Sequence[Reading]) -> Part:
    found = [getattr(reading, name) for reading in readings]
    rows = [row for row, value in enumerate(found) if value is not None]
    if len(rows) < len(found):
        found = [found[row] for row in rows]
    return Part(np.array(rows, np.intp), found)
