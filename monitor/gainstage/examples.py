"""The examples of a trial: some to train on, some held out, and batches for every arm alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

tree: Any = keras.tree

# A fifth is held out where the caller holds none out.
HELD_OUT = 5
# Held-out examples that are looked at in either half: enough for an accuracy within one point (one
# standard error at 0.9), few enough to be looked at often.
MOST_HELD_OUT = 1_000
# Fewer are not halved: an accuracy over 20 is known within 7 points.
LEAST_HALVED = 40


@dataclass(frozen=True)
class Examples:
    """Inputs, targets and maybe weights of examples: places in arrays, which are not copied.

    Attributes:
        arrays: (x, y) or (x, y, sample_weight), each a structure of arrays.
        places: Where in the arrays the examples are, in their order.
    """

    arrays: tuple[Any, ...]
    places: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def parts(self) -> tuple[Any, ...]:
        """The examples themselves, as arrays of their own."""
        return tree.map_structure(lambda array: array[self.places], self.arrays)

    @property
    def evaluated(self) -> tuple[Any, ...]:
        """`parts` as `evaluate` takes them: it fails on strings of NumPy's."""
        return tree.map_structure(_tensor_of_strings, self.parts)

    @property
    def x(self) -> Any:
        """The inputs."""
        return self.parts[0]

    def at(self, places: Any) -> "Examples":
        """The examples at these places among them, an array or a slice."""
        return Examples(self.arrays, self.places[places])

    def batches(self, size: int, steps: int, seed: int) -> Iterator[tuple[Any, ...]]:
        """So many batches, in an order that `seed` alone decides; every epoch has another."""
        rng = np.random.default_rng(seed)
        size = min(size, len(self))
        while steps > 0:
            order = rng.permutation(len(self))
            starts = range(0, len(self) - size + 1, size)
            for start in islice(starts, steps):
                yield self.at(order[start : start + size]).parts
            steps -= len(starts)


def _tensor_of_strings(array: Any) -> Any:
    return keras.ops.convert_to_tensor(array) if array.dtype.kind in "OSU" else array


def examples_of(data: Any, most: int) -> Examples:
    """A tuple of arrays, (x, y) or (x, y, sample_weight), or of such batches the first examples.

    Whatever is no tuple is taken for batches, of which no more are asked for than hold `most`.

    Raises:
        ValueError: `data` is neither.
    """
    parts = data if isinstance(data, tuple) else _gathered(data, most)
    if len(parts) not in {2, 3}:
        raise ValueError(
            "`data` must be a tuple, (x, y) or (x, y, sample_weight), or an iterable of such "
            f"batches. Received {len(parts)} parts."
        )
    arrays = tree.map_structure(np.asarray, parts)
    sizes = {len(array) for array in tree.flatten(arrays)}
    if len(sizes) != 1 or sizes < {2}:
        raise ValueError(
            "All parts of `data` must have the same number of examples, two or more. "
            f"Received: {', '.join(map(str, sorted(sizes)))}."
        )
    return Examples(arrays, np.arange(sizes.pop()))


def _gathered(data: Any, most: int) -> tuple[Any, ...]:
    try:
        batches = iter(data)
    except TypeError as error:
        raise ValueError(
            "`data` must be a tuple (x, y) of arrays, or an iterable of such batches. "
            f"Received: {type(data).__name__}."
        ) from error
    found: list[tuple[Any, ...]] = []
    held = 0
    while held < most and (batch := next(batches, None)) is not None:
        if not isinstance(batch, tuple | list):
            raise ValueError(
                "`data` that is no tuple is taken for batches, each (x, y) or (x, y, "
                f"sample_weight). Received: {type(data).__name__} of {type(batch).__name__}. Give "
                "arrays as a tuple, (x, y)."
            )
        found.append(tree.map_structure(keras.ops.convert_to_numpy, tuple(batch)))
        size = len(tree.flatten(found[-1])[0])
        if not size:  # as a PyDataset that is asked for more than it has
            break
        held += size
    if not held:
        raise ValueError("`data` must hold at least one batch. Received an iterable without any.")
    return tree.map_structure(lambda *arrays: np.concatenate(arrays), *found)


def drawn(examples: Examples, most: int) -> Examples:
    """So many of them, drawn with a fixed seed: what comes first may be all of one kind."""
    if len(examples) <= most:
        return examples
    return examples.at(np.sort(np.random.default_rng(0).permutation(len(examples))[:most]))


def divided(train: Examples, held_out: Examples | None) -> tuple[Examples, Examples]:
    """Examples to train on and examples to judge by; none is both.

    Without `held_out`, a fifth of `train`, drawn with a fixed seed.
    """
    if held_out is None:
        order = np.random.default_rng(0).permutation(len(train))
        cut = max(1, len(train) // HELD_OUT)
        train, held_out = train.at(order[cut:]), train.at(order[:cut])
    return train, held_out


def halves(held_out: Examples, *, whole: bool) -> tuple[Examples, Examples | None]:
    """Examples to report by, and others to choose by; None where there is no choice.

    None too where they are too few to be halved.
    """
    if whole or len(held_out) < LEAST_HALVED:
        return drawn(held_out, MOST_HELD_OUT), None
    order = np.random.default_rng(0).permutation(len(held_out))
    half = min(len(held_out) // 2, MOST_HELD_OUT)
    return held_out.at(order[:half]), held_out.at(order[half : 2 * half])
