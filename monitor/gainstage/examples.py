"""The examples of a trial: some to train on, some held out, and batches for every arm alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import keras
import numpy as np

tree: Any = keras.tree

# A fifth is held out where the caller holds none out.
HELD_OUT = 5
# Held-out examples that are looked at: enough for an accuracy within one point (one standard
# error at 0.9), few enough to be looked at often.
MOST_HELD_OUT = 1_000


@dataclass(frozen=True)
class Examples:
    """Inputs, targets and maybe weights of examples, each a structure of arrays.

    Attributes:
        parts: (x, y) or (x, y, sample_weight).
    """

    parts: tuple[Any, ...]

    def __len__(self) -> int:
        return len(tree.flatten(self.parts)[0])

    @property
    def x(self) -> Any:
        """The inputs."""
        return self.parts[0]

    def at(self, places: Any) -> "Examples":
        """The examples at these places, an array or a slice."""
        return Examples(tree.map_structure(lambda array: array[places], self.parts))

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


def examples_of(data: Any, batches: int) -> Examples:
    """`data` as arrays: (x, y) of arrays as it is, of an iterable of batches the first `batches`.

    Raises:
        ValueError: `data` is neither.
    """
    if isinstance(data, Examples):
        return data
    parts = tuple(data) if isinstance(data, tuple | list) else _gathered(data, batches)
    if len(parts) not in {2, 3}:
        raise ValueError(
            "`data` must be (x, y) or (x, y, sample_weight), or an iterable of such batches. "
            f"Received {len(parts)} parts."
        )
    arrays = tree.map_structure(np.asarray, parts)
    sizes = {len(array) for array in tree.flatten(arrays)}
    if len(sizes) != 1 or sizes < {2}:
        raise ValueError(
            "All parts of `data` must have the same number of examples, two or more. "
            f"Received: {', '.join(map(str, sorted(sizes)))}."
        )
    return Examples(arrays)


def _gathered(data: Any, batches: int) -> tuple[Any, ...]:
    try:
        found = list(islice(iter(data), batches))
    except TypeError as error:
        raise ValueError(
            "`data` must be (x, y) of arrays, or an iterable of such batches. "
            f"Received: {type(data).__name__}."
        ) from error
    if not found:
        raise ValueError("`data` must hold at least one batch. Received an iterable without any.")
    numpy = [tree.map_structure(keras.ops.convert_to_numpy, tuple(batch)) for batch in found]
    return tree.map_structure(lambda *arrays: np.concatenate(arrays), *numpy)


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
    return train, drawn(held_out, MOST_HELD_OUT)
