"""Unit maps against a slow twin, and of real models."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainstage import units
from gainstage.measures import Meters
from gainstage.probe import Probe
from gainstage.readings import Reading
from gainstage.statistics import BLOCKS, BY_ID, IDS
from gainstage.summaries import Array
from gainstage.units import COLUMNS, UNITS, UnitMap, grouped

from . import builders, reference
from .models import array, batch, sequential

layers = keras.layers

# f itself, for the rows of the twin.
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "relu6": lambda z: np.clip(z, 0, 6),
    "hard_silu": lambda z: z * np.clip(z / 6 + np.float32(0.5), 0, 1),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "softplus": lambda z: np.log1p(np.exp(z)),
    "linear": lambda z: z,
    "leaky_relu": lambda z: np.maximum(z, z / 5),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}
RECTIFIERS = {"relu", "relu6", "hard_silu"}


def twin(activation: str, z: Array, post: Array) -> list[float | None]:
    """A row of a map, value by value; None where it has no column."""
    if activation not in RECTIFIERS | set(reference.SATURATED):
        return [None] * COLUMNS
    saturates = reference.SATURATED.get(activation, lambda z: np.zeros(z.shape, bool))
    count = z.shape[1]
    shares = [
        np.mean(
            [
                float(blocked or (value == 0 and activation in RECTIFIERS))
                for blocked, value in zip(
                    saturates(reference.wide(z[:, unit])), post[:, unit], strict=True
                )
            ]
        )
        for unit in range(count)
    ]
    if count <= COLUMNS:
        return [*map(float, shares), *[None] * (COLUMNS - count)]
    group_of = [max(g for g in range(COLUMNS) if g * count // COLUMNS <= u) for u in range(count)]
    return [
        float(np.mean([share for share, group in zip(shares, group_of, strict=True) if group == g]))
        for g in range(COLUMNS)
    ]


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[str, Array, Array]]:
    """Activation, z and f(z) of up to five rows, some of them of one shape."""
    shapes = draw(
        st.lists(st.tuples(st.integers(1, 5), st.integers(1, 200)), min_size=1, max_size=2)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    found: list[tuple[str, Array, Array]] = []
    for _ in range(draw(st.integers(1, 5))):
        activation = draw(st.sampled_from(sorted(FUNCTIONS)))
        spread = draw(st.sampled_from([0.1, 3, 30]))
        z = rng.normal(0, spread, draw(st.sampled_from(shapes))).astype(np.float32)
        found.append((activation, z, FUNCTIONS[activation](z)))
    return found


def measured(made: list[tuple[str, Array, Array]]) -> tuple[Array, Any]:
    """The map of rows, and which of its values exist."""
    meters = Meters([builders.row(activation=activation) for activation, _, _ in made])
    readings, unit_map = [Reading(z=z, post=post) for _, z, post in made], UnitMap(len(made))
    meters.measure(readings, 0, unit_map)
    sizes = meters.units(readings)
    return unit_map.block(sizes), units.presence(sizes)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(rows())
def test_map_equals_its_slow_twin(made: list[tuple[str, Array, Array]]) -> None:
    block, exists = measured(made)

    expected = [twin(*row) for row in made]

    assert exists.tolist() == [[value is not None for value in row] for row in expected]
    assert block == pytest.approx(np.array([[value or 0.0 for value in row] for row in expected]))


def test_comparison_with_the_twin_can_fail() -> None:
    z = np.array([[-1.0, 9.0, 1.0]], np.float32)

    block, _ = measured([("relu6", z, FUNCTIONS["relu6"](z))])

    assert block[0, :4].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert block[0, :4].tolist() != twin("relu", z, z)[:4]


@given(st.integers(1, 400))
def test_groups_are_neighbours_as_equal_as_can_be_and_every_unit_is_in_one(count: int) -> None:
    # Row u shows which groups unit u is in.
    members, sizes = grouped(np.eye(count, dtype=np.int32))

    assert members.shape == (count, min(count, COLUMNS))
    assert members.sum(axis=1).tolist() == [1] * count
    assert members.sum(axis=0).tolist() == sizes.tolist()
    assert max(sizes) - min(sizes) <= 1
    assert (np.diff(np.argmax(members, axis=1)) >= 0).all()


def test_map_has_what_the_rates_are_the_means_of() -> None:
    rng = np.random.default_rng(0)
    made = [
        (name, z, FUNCTIONS[name](z))
        for name, z in (
            (name, rng.normal(0, 5, (9, 128)).astype(np.float32)) for name in ("tanh", "relu")
        )
    ]
    meters = Meters([builders.row(activation=name) for name, _, _ in made])
    (tanh, relu), _ = meters.measure([Reading(z=z, post=post) for _, z, post in made], 0)

    block, _ = measured(made)

    assert block.mean(axis=1) == pytest.approx(
        [tanh[IDS.index("saturation_rate")], relu[IDS.index("zero_rate")]]
    )


def test_row_of_which_a_sample_shows_nothing_is_not_a_number_where_it_has_a_map() -> None:
    meters = Meters([builders.row(activation="tanh")])
    z, none = np.zeros((2, 3), np.float32), np.zeros((0, 3), np.float32)
    sizes, unit_map = meters.units([Reading(z=z)]), UnitMap(1)

    meters.measure([Reading(z=none)], 0, unit_map)

    assert np.isnan(unit_map.block(sizes)[0]).tolist() == [True] * 3 + [False] * 61


def test_nan_is_not_counted_as_saturated() -> None:
    z = np.array([[np.nan, 9.0]], np.float32)

    block, _ = measured([("tanh", z, z)])

    assert block[0, :2].tolist() == [0.0, 1.0]


def test_names_of_units_are_no_statistics() -> None:
    assert UNITS not in BLOCKS
    assert not set(units.IDS) & set(BY_ID)


def mapped(model: Any, x: Any) -> dict[str, list[float]]:
    """Row -> its columns, of one sample."""
    found = Probe(model)(x)
    assert found is not None
    meters, unit_map = Meters(found.rows), UnitMap(len(found.rows))
    meters.measure(found.readings, 0, unit_map)
    sizes = meters.units(found.readings)
    exists, block = units.presence(sizes), unit_map.block(sizes)
    return {
        row.path.removeprefix(f"{model.name}/"): line[there].tolist()
        for row, line, there in zip(found.rows, block, exists, strict=True)
    }


@pytest.mark.every_backend
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_map_is_of_what_each_unit_puts_out(dtype: str) -> None:
    keras.utils.set_random_seed(0)
    loud = keras.initializers.RandomNormal(stddev=4.0)
    model = sequential(
        layers.Dense(7, kernel_initializer=loud, name="linear", dtype=dtype),
        layers.ReLU(name="behind", dtype=dtype),
        layers.Dense(128, "sigmoid", kernel_initializer=loud, name="wide", dtype=dtype),
        layers.Dense(3, "gelu", name="smooth", dtype=dtype),
    )
    x = batch(5)

    found = mapped(model, x)

    zeros = np.mean(array(model.layers[1](model.layers[0](x)), np.float32) == 0, axis=0)
    assert found["linear"] == pytest.approx(zeros.tolist())
    assert 0 < zeros.mean() < 1
    assert {name: len(line) for name, line in found.items()} == {
        "linear": 7,
        "behind": 0,
        "wide": 64,
        "smooth": 0,
    }
    y = array(model.layers[2](model.layers[1](model.layers[0](x))), np.float64)
    saturated = np.mean(y * (1 - y) < 0.01 / 4)
    # In half precision y is rounded, and the z that the edge is in is not.
    tolerance = 1e-6 if dtype == "float32" else 0.05
    assert np.mean(found["wide"]) == pytest.approx(saturated, abs=tolerance)
    assert min(found["wide"]) >= 0
    assert max(found["wide"]) <= 1


@pytest.mark.every_backend
def test_gates_and_channels_have_a_map_and_attention_has_none() -> None:
    gates = mapped(sequential(layers.LSTM(5, name="memory"), shape=(4, 2)), batch(4, 2))
    image = sequential(layers.Conv2D(6, 3, activation="relu", name="conv"), shape=(8, 8, 2))
    given = keras.Input((4, 2))
    attention = layers.MultiHeadAttention(2, 3, name="attention")(given, given)

    assert {name: len(line) for name, line in gates.items()} == {
        "memory": 0,
        "memory/input": 5,
        "memory/forget": 5,
        "memory/candidate": 5,
        "memory/output": 5,
    }
    assert [len(line) for line in mapped(image, batch(8, 8, 2)).values()] == [6]
    assert not any(mapped(keras.Model(given, attention), batch(4, 2)).values())
