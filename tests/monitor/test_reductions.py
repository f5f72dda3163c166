"""What is read off stacks of arrays, at sizes that the comparison with the twins does not reach."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainstage.reductions import (
    EIGEN_POSITIONS,
    QUANTILE_VALUES,
    attention,
    largest_eigenvalues,
    quantiles,
    unit_levels,
)
from gainstage.statistics import QUANTILES
from gainstage.summaries import (
    MAX,
    MEAN,
    NONFINITE,
    RMS,
    STACK_VALUES,
    STD,
    Array,
    stacked,
    summarise,
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """As `Meters` calls them."""
    with np.errstate(all="ignore"):
        yield


def array(*rows: list[float]) -> Array:
    return np.array(rows, np.float32)


def normal(*shape: int, mean: float = 0, std: float = 1) -> Array:
    return np.random.default_rng(0).normal(mean, std, shape).astype(np.float32)


def test_arrays_of_equal_shape_are_stacked_whatever_stands_between_them() -> None:
    arrays = [normal(2, 3), normal(3, 2), normal(2, 3) + 1]

    stacks = [(places.tolist(), some.shape) for places, some in stacked(arrays)]

    assert stacks == [([0, 2], (2, 2, 3)), ([1], (1, 3, 2))]


def test_stacks_are_bounded() -> None:
    arrays = [np.ones(STACK_VALUES // 3, np.float32)] * 7 + [np.ones(2 * STACK_VALUES, np.float32)]

    sizes = [len(places) for places, _ in stacked(arrays)]

    assert sizes == [3, 3, 1, 1]


def test_same_object_is_summarised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counting(arrays: list[Array]) -> object:
        seen.append(len(arrays))
        return stacked(arrays)

    monkeypatch.setattr("gainstage.summaries.stacked", counting)
    one, other = normal(4), normal(4) + 1

    table = summarise([one, other, one])

    assert seen == [2]
    np.testing.assert_array_equal(table[0], table[2])
    assert table[0, MEAN] != table[1, MEAN]


@pytest.mark.parametrize(
    ("mean", "std"), [(0, 1), (1e4, 1e-2), (-1, 1e-5), (0, 1e-30), (0, 1e30), (1e12, 1e8)]
)
def test_sizes_of_a_million_values_are_as_in_float64(mean: float, std: float) -> None:
    values = normal(1_000, 1_000, mean=mean, std=std)
    wide = values.astype(np.float64)

    (sizes,) = summarise([values])

    assert sizes[MEAN] == pytest.approx(wide.mean(), rel=1e-7, abs=1e-6 * wide.std())
    assert sizes[STD] == pytest.approx(wide.std(), rel=1e-5)
    assert sizes[RMS] == pytest.approx(np.sqrt(np.mean(wide**2)), rel=1e-5)
    assert sizes[MAX] == np.abs(wide).max()


def test_sizes_of_an_array_do_not_depend_on_its_neighbours() -> None:
    arrays = [normal(8), normal(8) * 1e-20, normal(8) * 1e20, np.full(8, np.nan, np.float32)]

    together = summarise(arrays)

    for one, line in zip(arrays, together, strict=True):
        np.testing.assert_array_equal(summarise([one])[0], line)


def test_value_that_is_not_finite_is_counted_and_shown() -> None:
    sizes = summarise([array([1, np.nan, np.inf]), array([1, 2, -np.inf])])

    assert sizes[:, NONFINITE].tolist() == [2, 1]
    assert np.isnan(sizes[0, RMS])
    assert sizes[1, RMS] == np.inf


@pytest.mark.parametrize(("offset", "spread"), [(0, 1), (1e4, 1e-2), (-3e3, 1e-3)])
def test_large_mean_does_not_eat_the_spread_of_units(offset: float, spread: float) -> None:
    z = normal(256, 300, mean=offset, std=spread)
    wide = z.astype(np.float64)
    bias = np.full(300, offset, np.float32)

    (common,), (aligned,) = unit_levels(z[None], bias[None])

    expected = np.sqrt(np.mean((wide.mean(axis=0) - offset) ** 2))
    assert common == pytest.approx(expected, rel=1e-4)
    assert aligned == pytest.approx(np.sqrt(wide.var(axis=0).mean()), rel=1e-5)


def test_quantiles_of_many_values_are_as_exact_as_they_say() -> None:
    z = normal(256, 4_096)

    (values,) = quantiles(z[None])

    exact = [-2.326, -1.645, -0.674, 0, 0.674, 1.645, 2.326]
    errors = np.abs(values - exact) / np.array([0.12, 0.07, 0.043, 0.04, 0.043, 0.07, 0.12])
    assert len(exact) == len(QUANTILES)
    assert errors.max() < 3  # standard errors


@given(st.integers(1, 600))
def test_quantiles_of_many_values_visit_every_unit(width: int) -> None:
    positions = -(-QUANTILE_VALUES * 3 // width)
    z = np.tile(np.arange(width, dtype=np.float32), (1, positions, 1))

    (values,) = quantiles(z)

    assert values[3] == pytest.approx((width - 1) / 2, abs=0.02 * width + 1)
    assert values[6] == pytest.approx(0.99 * (width - 1), abs=0.02 * width + 1)


def test_eigenvalue_is_the_energy_of_a_direction_that_all_inputs_share() -> None:
    x = np.outer(np.ones(40), [3.0, 4.0]).astype(np.float32)

    assert largest_eigenvalues(x[None]) == pytest.approx(25)


@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 80), st.floats(0, 2))
def test_eigenvalue_is_never_less_than_the_largest_and_at_most_half_as_much_again(
    seed: int, positions: int, inputs: int, mean: float
) -> None:
    x = np.random.default_rng(seed).normal(mean, 1, (positions, inputs)).astype(np.float32)
    few = x[:EIGEN_POSITIONS].astype(np.float64)
    largest = np.linalg.eigvalsh(few @ few.T / len(few))[-1]

    (value,) = largest_eigenvalues(x[None])

    assert largest * (1 - 1e-5) <= value <= largest * 32 ** (1 / 8) * (1 + 1e-5)


def test_eigenvalue_of_values_that_are_not_finite_is_not_a_number() -> None:
    x = np.array([[[1, np.inf]], [[np.nan, 1]], [[1, 1]], [[0, 0]]], np.float32)

    values = largest_eigenvalues(x)

    assert np.isnan(values).tolist() == [True, True, False, False]
    assert values[2:].tolist() == pytest.approx([2, 0])


def test_attention_to_all_keys_alike_has_an_entropy_of_1_and_to_one_alone_of_0() -> None:
    logits = np.array([[[2, 2, 2, -np.inf]], [[0, 0, 500, -np.inf]]], np.float32)

    reach, entropy = attention(logits)

    assert reach.tolist() == [0, 500]
    assert entropy == pytest.approx([1, 0], abs=1e-6)


def test_positions_without_a_choice_of_keys_count_nowhere_in_attention() -> None:
    masked = -np.inf
    logits = array([1, 3, masked], [9, masked, masked], [masked, masked, masked])
    alone = array([9, masked, masked])

    (reach,), (entropy,) = attention(logits[None])
    nothing = attention(alone[None])

    weight = 1 / (1 + np.exp(-2.0))
    terms = [share * np.log(share) for share in (weight, 1 - weight)]
    assert reach == 2
    assert entropy == pytest.approx(-sum(terms) / np.log(2), rel=1e-5)
    assert np.isnan(list(itertools.chain(*nothing))).all()
