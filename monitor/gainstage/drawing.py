"""What is read of a pass's tensors: positions, whole units of each, packed into few vectors.

Rows of a tensor (examples times positions) are drawn, and every unit of each is kept. All that was
drawn leaves the backend as float32 vectors, one but for models of many layers, so that few copies
bring it to the host, where it is cut into arrays.
"""

import math
from collections.abc import Iterable, Sequence
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
    _finite: list[Any] = field(default_factory=list)  # of the tensors, what is finite by right
    _totals: dict[int, list[Any]] = field(default_factory=dict)  # part -> what it is the sum of
    _shapes: list[tuple[int, ...]] = field(default_factory=list)
    _counts: list[Any] = field(default_factory=list)
    _drawn: dict[tuple[Any, ...], int | None] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)  # so that no `id` is given away again

    def positions(
        self, tensor: Any, axes: Axes, mask: Any = None, *, finite: bool = True
    ) -> int | None:
        """Draws positions of `tensor`; the number of the part, None where it holds no numbers.

        Args:
            tensor: Of any shape.
            axes: Which of its axes are positions, and which are units.
            mask: True where a position counts, over the tensor's first axes.
            finite: Whether its values are finite unless something is wrong.
        """
        key = (id(tensor), id(mask), axes)
        if key not in self._drawn:
            self._kept += [tensor, mask]
            self._drawn[key] = part = self._draw(tensor, axes, mask)
            if part is not None and not finite:
                self._finite.pop()
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
                wide = np.int32 if size < 2**31 else np.int64  # which JAX does not have
                weight = _taken(ops.reshape(weight, (-1,)), np.unique(places.astype(wide)))
            part = self._drawn[key] = self.whole(weight)
        return part

    def whole(self, tensor: Any) -> int:
        """Takes all values of a tensor whose shape is known, as a vector."""
        size = math.prod(tensor.shape)
        return self._add(tensor, (size,), size)

    def total(self, weights: list[Any]) -> int:
        """Takes the sum of weights, which NaN and infinity survive.

        Large ones are summed only in a pass in which something drawn is not finite; else it is 0.
        """
        part = len(self._shapes)
        self._totals[part] = [ops.convert_to_tensor(weight) for weight in weights]
        self._shapes.append((1,))
        self._counts.append(None)
        return part

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
            drawn = _taken(ops.argsort(-counting), spread(count, most))
        else:
            count = math.prod(positions) if known else ops.shape(flat)[0]
            drawn = spread(count, most)
        count = most if known and mask is None else ops.minimum(count, most)
        return self._add(_taken(flat, drawn), (most, units), count)

    def _add(self, tensor: Any, shape: tuple[int, ...], count: Any) -> int:
        if len(tensor.shape) != 1:
            tensor = ops.reshape(tensor, (-1,))
        if keras.backend.standardize_dtype(tensor.dtype) != "float32":
            tensor = ops.cast(tensor, "float32")
        self._tensors.append(tensor)
        self._finite.append(tensor)
        self._shapes.append(shape)
        self._counts.append(count)
        return len(self._shapes) - 1

    def packed(self) -> tuple[list[Any], list[Any]]:
        """All values, and what only the pass knows, each in as few float32 vectors as may be.

        That is how many positions count of parts whose shape is open, and totals.
        """
        values = _joined(self._tensors)
        all_finite = len(self._finite) == len(self._tensors)
        finite = values if all_finite else _joined(self._finite)
        fine = ops.isfinite(sum((ops.sum(some) for some in finite), 0.0))
        sums = self._sums(fine) if self._totals else {}
        beside = [
            sums[part] if part in sums else ops.cast(count, "float32")
            for part, count in enumerate(self._counts)
            if not isinstance(count, int)
        ]
        return values, _joined([ops.reshape(number, (1,)) for number in beside])

    def _sums(self, fine: Any) -> dict[int, Any]:
        """The totals by their parts, with large weights only where the pass is not `fine`."""
        weights = {id(weight): weight for total in self._totals.values() for weight in total}
        large = {key: it for key, it in weights.items() if math.prod(it.shape) > COORDINATES}

        def summed(some: Iterable[Any]) -> list[Any]:
            return [ops.sum(ops.cast(weight, "float32")) for weight in some]

        small = {key: it for key, it in weights.items() if key not in large}
        sums = dict(zip(small, summed(small.values()), strict=True))
        if large:
            nothing = [ops.zeros((), "float32")] * len(large)
            found = ops.cond(fine, lambda: nothing, lambda: summed(large.values()))
            sums |= zip(large, found, strict=True)
        return {
            part: sum((sums[id(weight)] for weight in total[1:]), sums[id(total[0])])
            for part, total in self._totals.items()
        }

    def unpacked(self, packed: Sequence[Array], packed_beside: Sequence[Array]) -> list[Array]:
        """The parts of a packed pass as float32 arrays, from what `packed` returned."""
        values, beside = (
            some[0] if len(some) == 1 else np.concatenate([*some, np.zeros(0, np.float32)])
            for some in (packed, packed_beside)
        )
        arrays: list[Array] = []
        start = place = 0
        for part, (shape, count) in enumerate(zip(self._shapes, self._counts, strict=True)):
            known = count if isinstance(count, int) else None
            if known is None:
                place += 1
                if part in self._totals:
                    arrays.append(beside[place - 1 : place])
                    continue
                known = int(beside[place - 1])
            end = start + math.prod(shape)
            arrays.append(values[start:end].reshape(shape)[:known])
            start = end
        return arrays

    def forget(self) -> None:
        """Lets go of the pass's tensors; what `unpacked` needs stays."""
        self._tensors, self._finite, self._kept, self._drawn = [], [], [], {}
        self._totals = {part: [] for part in self._totals}
        self._counts = [count if isinstance(count, int) else None for count in self._counts]


def _taken(tensor: Any, places: Any) -> Any:
    """Of the first axis, what is at `places`."""
    # Where Keras computes in bfloat16 it makes floats on JAX of numbers that come without a type.
    if not ops.is_tensor(places):
        places = ops.convert_to_tensor(places, str(places.dtype))
    return ops.take(tensor, places, axis=0)


def _joined(tensors: Sequence[Any]) -> list[Any]:
    """The vectors one behind the other, in a few."""
    starts = range(0, len(tensors), MOST_JOINED)
    return [ops.concatenate(tensors[start : start + MOST_JOINED], axis=0) for start in starts]


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
