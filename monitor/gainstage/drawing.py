"""What is read of a pass's tensors: positions, whole units of each, packed into one vector.

Rows of a tensor (examples times positions) are drawn, and every unit of each is kept. All that was
drawn leaves the backend as one float32 vector, so that one copy brings it to the host, where it is
cut into arrays without another.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from gainstage.contractions import Axes

Array = Any
# Keras declares what its operations return too narrowly and too widely at once.
ops: Any = keras.ops

# Positions that are drawn of a tensor at most: 256 put the standard error of an rms at 4 %, a third
# of a decibel. Of wide layers fewer are, down to 64, so that the values stay few: the units of a
# position make up for it.
POSITIONS = 256
LEAST_POSITIONS = 64
VALUES = 32_768
# Coordinates that are drawn of a weight: the standard error of its rms is 1.1 %, 0.1 dB.
COORDINATES = 4_096
# Tensors that one operation joins. TensorFlow infers its shape anew for each of them, which took
# four minutes for those of 2,000 layers; joined in steps, it makes one operation of them again.
MOST_JOINED = 256
# The golden ratio's multiples spread evenly over any length and share no period with image sizes.
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass
class Parts:
    """The tensors that were drawn in one pass, each once, in the order of the packed vector."""

    _tensors: list[Any] = field(default_factory=list)
    _shapes: list[tuple[int, ...]] = field(default_factory=list)
    _counts: list[Any] = field(default_factory=list)
    _drawn: dict[tuple[Any, ...], int | None] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)  # so that no `id` is given away again

    def positions(self, tensor: Any, axes: Axes, mask: Any = None) -> int | None:
        """Draws positions of `tensor`; the number of the part, None where it holds no numbers.

        Args:
            tensor: Of any shape.
            axes: Which of its axes are positions, and which are units.
            mask: True where a position counts, over the tensor's first axes.
        """
        key = (id(tensor), id(mask), axes)
        if key not in self._drawn:
            self._kept += [tensor, mask]
            self._drawn[key] = self._draw(tensor, axes, mask)
        return self._drawn[key]

    def coordinates(self, weight: Any) -> int:
        """Draws fixed coordinates of a weight, all of a small one."""
        key = (id(weight), "coordinates")
        part = self._drawn.get(key)
        if part is None:
            self._kept.append(weight)
            size = math.prod(weight.shape)
            if size > COORDINATES:
                places = np.arange(COORDINATES) * GOLDEN % 1 * size
                flat = ops.reshape(weight, (-1,))
                weight = ops.take(flat, np.unique(places.astype(np.int64)), axis=0)
            part = self._drawn[key] = self.whole(weight)
        return part

    def whole(self, tensor: Any) -> int:
        """Takes all values of a tensor whose shape is known, as a vector."""
        size = math.prod(tensor.shape)
        return self._add(tensor, (size,), size)

    def _draw(self, tensor: Any, axes: Axes, mask: Any) -> int | None:
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        if not dtype.startswith(("float", "bfloat", "int", "uint")) or not tensor.shape:
            return None
        if mask is not None and axes.positions[: len(mask.shape)] != tuple(range(len(mask.shape))):
            mask = None  # of an axis that is a unit here
        order = axes.positions + axes.units
        if order != tuple(range(len(order))):
            tensor = ops.transpose(tensor, order)
        positions, width = np.split(np.array(tensor.shape, object), [len(axes.positions)])
        if None in width:
            return None
        units = math.prod(width)
        most = max(LEAST_POSITIONS, min(POSITIONS, VALUES // max(units, 1)))
        known = None not in positions
        if mask is None and known and math.prod(positions) <= most:
            count = math.prod(positions)
            return self._add(tensor, (count, units), count)
        flat = ops.reshape(tensor, (-1, units))
        if mask is not None:
            counting = _over(mask, ops.shape(tensor)[: len(axes.positions)])
            counting = ops.cast(ops.reshape(counting, (-1,)), "int32")
            count = ops.sum(counting)
            drawn = ops.take(ops.argsort(-counting), spread(count, most), axis=0)
        else:
            count = math.prod(positions) if known else ops.shape(flat)[0]
            drawn = spread(count, most)
        count = most if known and mask is None else ops.minimum(count, most)
        return self._add(ops.take(flat, drawn, axis=0), (most, units), count)

    def _add(self, tensor: Any, shape: tuple[int, ...], count: Any) -> int:
        if len(tensor.shape) != 1:
            tensor = ops.reshape(tensor, (-1,))
        if keras.backend.standardize_dtype(tensor.dtype) != "float32":
            tensor = ops.cast(tensor, "float32")
        self._tensors.append(tensor)
        self._shapes.append(shape)
        self._counts.append(count)
        return len(self._tensors) - 1

    def packed(self) -> tuple[list[Any], Any]:
        """All values, and how many positions count of each part where only the pass knows."""
        open_counts = [count for count in self._counts if not isinstance(count, int)]
        starts = range(0, len(self._tensors), MOST_JOINED)
        joined = [self._tensors[start : start + MOST_JOINED] for start in starts]
        values = [ops.concatenate(tensors, axis=0) for tensors in joined]
        return values, ops.stack([ops.cast(count, "int32") for count in open_counts] or [0])

    def unpacked(self, packed: Sequence[Array], counts: Any) -> list[Array]:
        """The parts of a packed pass as float32 arrays."""
        values = packed[0] if len(packed) == 1 else np.concatenate(packed)
        arrays: list[Array] = []
        start, unknown = 0, iter(counts)
        for shape, count in zip(self._shapes, self._counts, strict=True):
            end = start + math.prod(shape)
            known = count if isinstance(count, int) else next(unknown)
            arrays.append(values[start:end].reshape(shape)[:known])
            start = end
        return arrays

    def forget(self) -> None:
        """Lets go of the pass's tensors; what `unpacked` needs stays."""
        self._tensors, self._kept, self._drawn = [], [], {}
        self._counts = [count if isinstance(count, int) else None for count in self._counts]


def spread(count: Any, most: int) -> Any:
    """At most `most` places below `count`, evenly spread.

    Where only the pass knows `count`, they are `most`, and the first `count` of them count.
    """
    if isinstance(count, int) and count <= most:
        return np.arange(count, dtype=np.int32)
    steps = np.arange(most, dtype=np.int32)
    shares = (steps + 1) * GOLDEN % 1
    if isinstance(count, int):
        return (shares * count).astype(np.int32)
    evenly = ops.cast(count, "float32") * ops.convert_to_tensor(shares.astype(np.float32))
    few = ops.minimum(ops.convert_to_tensor(steps), ops.maximum(count - 1, 0))
    return ops.where(count > most, ops.cast(ops.floor(evenly), "int32"), few)


def _over(mask: Any, positions: Any) -> Any:
    """`mask` for each of the positions, which have more axes than it."""
    axes = len(positions) - len(mask.shape)
    spread = ops.reshape(mask, (*ops.shape(mask), *[1] * axes))
    return ops.broadcast_to(spread, positions)
