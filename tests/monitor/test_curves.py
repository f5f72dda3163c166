"""The curves that are drawn against Keras's own functions."""

import keras
import numpy as np
import pytest

from gainstage.activations import TABLE
from gainstage.curves import CURVES, Z, described


def of_keras(name: str, z: np.ndarray) -> np.ndarray:
    """`threshold` has no defaults for its two arguments."""
    extra = (0.0, 0.0) if name == "threshold" else ()
    tensor = keras.ops.convert_to_tensor(z, "float64")
    return keras.ops.convert_to_numpy(getattr(keras.activations, name)(tensor, *extra))


def test_every_function_that_works_value_by_value_has_a_curve_and_no_other() -> None:
    assert set(CURVES) == {name for name, function in TABLE.items() if function.elementwise}


@pytest.mark.parametrize("name", CURVES)
def test_curve_is_that_of_keras(name: str) -> None:
    z = np.concatenate([Z, np.random.default_rng(0).normal(0, 5, 500)])

    assert CURVES[name](z) == pytest.approx(of_keras(name, z), rel=1e-6, abs=1e-6)


def test_comparison_would_notice_another_slope() -> None:
    wrong = np.where(Z > 0, Z, 0.19 * Z)

    assert wrong != pytest.approx(of_keras("leaky_relu", Z), rel=1e-6, abs=1e-6)


def test_every_edge_of_saturation_can_be_drawn() -> None:
    edges = [edge for function in TABLE.values() for edge in (function.low, function.high) if edge]

    assert Z[0] < min(edges)
    assert max(edges) < Z[-1]


def test_what_is_told_is_the_table_with_a_value_for_each_z() -> None:
    told = described()
    tanh, softmax = (
        next(one for one in told["activations"] if one["name"] == name)
        for name in ("tanh", "softmax")
    )

    assert (tanh["low"], tanh["high"], tanh["headroom"]) == (-2.9932, 2.9932, 2.9932)
    assert (told["z"][130], tanh["values"][130]) == (1.0, 0.761594)
    assert (softmax["elementwise"], softmax["values"]) == (False, None)
    assert {len(one["values"]) for one in told["activations"] if one["elementwise"]} == {241}
