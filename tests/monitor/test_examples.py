"""The examples of a trial: what is taken for what, how much is held, and who judges whom."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gainstage.examples import MOST_HELD_OUT, Examples, examples_of, halves

X = np.arange(120, dtype=np.float32).reshape(60, 2)
Y = np.arange(60)


def endless(size: int, asked: list[int]) -> Iterator[Any]:
    for batch in itertools.count():
        asked.append(batch)
        yield X[:size], Y[:size]


def numbers(count: int) -> Examples:
    return examples_of((np.arange(count), np.arange(count)), 1)


def shown(examples: Examples | None) -> set[int]:
    assert examples is not None
    return set(examples.x.tolist())


def test_tuple_is_of_arrays_and_a_list_of_batches() -> None:
    batches = [(X[:20], Y[:20]), (X[20:], Y[20:])]

    found = examples_of(batches, 60)

    assert len(found) == 60
    assert np.array_equal(found.x, X)
    assert len(examples_of((X, Y), 60)) == 60
    assert len(examples_of([[X, Y]], 60)) == 60  # as PyTorch's loaders batch
    weighed = examples_of([(X[:20], Y[:20], Y[:20])] * 3, 60)
    assert (len(weighed), len(weighed.parts)) == (60, 3)


def test_list_of_arrays_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"Received: list of ndarray\. Give arrays as a tuple, "):
        examples_of([X, Y], 60)


def test_no_more_batches_are_asked_for_than_are_needed() -> None:
    asked: list[int] = []

    found = examples_of(endless(20, asked), 50)

    assert (len(found), asked) == (60, [0, 1, 2])


def test_data_that_goes_on_with_empty_batches_end_there() -> None:
    found = examples_of(
        ((X[start : start + 40], Y[start : start + 40]) for start in (0, 40, 80)), 999
    )

    assert np.array_equal(found.x, X)


def test_examples_are_places_in_the_arrays_until_a_batch_is_drawn() -> None:
    whole = examples_of((X, Y), 60)

    part = whole.at(slice(10, 50)).at([0, 1])

    assert np.shares_memory(part.arrays[0], X)
    assert part.x.tolist() == [[20, 21], [22, 23]]
    drawn = [batch[1] for batch in whole.batches(20, 3, seed=0)]
    assert sorted(np.concatenate(drawn)) == list(range(60))


def test_halves_share_no_example_and_are_none_where_there_is_no_choice_or_too_few() -> None:
    reported, choosing = halves(numbers(41), whole=False)

    assert len(shown(reported)) == len(shown(choosing)) == 20
    assert not shown(reported) & shown(choosing)
    assert halves(numbers(39), whole=False)[1] is None
    assert halves(numbers(41), whole=True)[1] is None
    assert len(halves(numbers(3 * MOST_HELD_OUT), whole=False)[0]) == MOST_HELD_OUT
