"""A small set of combinations in which every two choices meet.

Greedy: each combination begins with a pair that has not met yet and takes for every other axis the
choice with the most pairs still to come, less what it costs. The libraries for this do not hold
what a filter allows.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Combination = dict[str, Any]
Pair = frozenset[tuple[str, Any]]


def pairs_of(combination: Mapping[str, Any]) -> set[Pair]:
    """The pairs of choices that meet in `combination`."""
    return set(map(frozenset, itertools.combinations(combination.items(), 2)))


def pairwise(
    axes: Mapping[str, Sequence[Any]],
    allowed: Callable[[Combination], bool],
    cost: Callable[[Combination], float] = lambda _: 0.0,
) -> list[Combination]:
    """Combinations in which every two choices meet that are `allowed` to.

    Both functions are asked about parts of a combination. What forbids one looks at two axes.
    `cost` is how many pairs more another choice must bring to be taken for one that costs nothing.
    """
    named = [[(axis, value) for value in axes[axis]] for axis in axes]
    products = itertools.starmap(itertools.product, itertools.combinations(named, 2))
    pairs = map(frozenset, itertools.chain.from_iterable(products))
    waiting = {pair: None for pair in pairs if allowed(dict(pair))}
    found: list[Combination] = []
    while waiting:
        made = dict(next(iter(waiting)))
        for axis in axes:
            if axis not in made:
                turn = len(found) % len(axes[axis])  # of equals, each in its turn
                values = [*axes[axis][turn:], *axes[axis][:turn]]
                choices = [{**made, axis: value} for value in values]
                made = max(
                    filter(allowed, choices),
                    key=lambda one: sum(pair in waiting for pair in pairs_of(one)) - cost(one),
                )
        found.append(made)
        for pair in pairs_of(made):
            waiting.pop(pair, None)
    return found
