"""The edges of the table against the derivatives of Keras's own functions."""

import math
from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import pytest

from gainstage.activations import EPSILON, HE, LECUN, TABLE, Activation

# Names under which keras.activations lists a function a second time, and what is no function.
ALIASES = {"hard_swish": "hard_silu", "swish": "silu"}
NO_FUNCTIONS = {"deserialize", "get", "serialize"}
# The sides along which f runs flat at 0 because the function gates or rectifies: no saturation.
RECTIFYING = {
    ("gelu", "low"),
    ("hard_silu", "low"),
    ("hard_shrink", "middle"),
    ("mish", "low"),
    ("relu", "low"),
    ("relu6", "low"),
    ("silu", "low"),
    ("soft_shrink", "middle"),
    ("sparse_plus", "low"),
    ("tanh_shrink", "middle"),
    ("threshold", "low"),
}
# The derivative has no maximum that a part could be taken of.
UNBOUNDED = {"exponential"}
REACH = 30.0
STEP = 1e-4
ELEMENTWISE = sorted(name for name, activation in TABLE.items() if activation.elementwise)

Curve = npt.NDArray[np.float64]


def function_of(name: str) -> Callable[[Curve], Curve]:
    """Keras's function in float64; `threshold` with thresholds as its layer would have them."""
    function = getattr(keras.activations, name)
    extra = (0.0, 0.0) if name == "threshold" else ()

    def of(z: Curve) -> Curve:
        tensor = keras.ops.convert_to_tensor(z, "float64")
        return keras.ops.convert_to_numpy(function(tensor, *extra))

    return of


def slopes(name: str, z: Curve) -> Curve:
    """|f'(z)| by central differences."""
    function = function_of(name)
    return np.abs(function(z + STEP) - function(z - STEP)) / (2 * STEP)


def flat(name: str, z: Curve) -> npt.NDArray[np.bool_]:
    """Where |f'(z)| < EPSILON max|f'|; functions with steps count their steps as no slope."""
    grid = np.linspace(-REACH, REACH, 20_001)
    everywhere = slopes(name, np.concatenate([grid, grid + 1e-3, [-300, 300]]))
    ordinary = everywhere[everywhere < 100]
    return slopes(name, z) < EPSILON * ordinary.max()


def edge(name: str, side: int) -> float | None:
    """Where f goes flat for good on the side of `side`'s sign, by bisection; None: nowhere."""
    if name in UNBOUNDED or not flat(name, np.array([side * REACH]))[0]:
        return None
    grid = side * np.linspace(0, REACH, 3_001)
    steep = grid[~flat(name, grid)]
    if not steep.size:
        return 0.0
    inside, outside = float(steep[-1]), side * REACH
    while abs(outside - inside) > 1e-6:
        middle = (inside + outside) / 2
        if flat(name, np.array([middle]))[0]:
            outside = middle
        else:
            inside = middle
    return outside


def test_table_holds_every_activation_of_keras_and_no_other() -> None:
    functions = {name for name in dir(keras.activations) if not name.startswith("_")}

    assert set(TABLE) == functions - NO_FUNCTIONS - set(ALIASES)
    assert [name for name, activation in TABLE.items() if activation.name != name] == []


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_aliases_are_the_functions_they_stand_for(alias: str, name: str) -> None:
    assert getattr(keras.activations, alias).__name__ == name


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("side", [-1, 1], ids=["low", "high"])
def test_edge_is_where_the_derivative_falls_to_the_epsilonth_part(name: str, side: int) -> None:
    place = "low" if side < 0 else "high"

    solved = edge(name, side)

    if (name, place) in RECTIFYING:
        assert getattr(TABLE[name], place) is None
        assert solved is not None  # or it need not be in the list
    else:
        assert getattr(TABLE[name], place) == pytest.approx(solved, abs=2e-3)


@pytest.mark.parametrize(("name", "shift"), [("sigmoid", 0.02), ("tanh", -0.02), ("softsign", 1)])
def test_solver_would_notice_an_edge_in_the_wrong_place(name: str, shift: float) -> None:
    high = TABLE[name].high

    assert high is not None
    assert edge(name, 1) != pytest.approx(high + shift, abs=2e-3)


def test_exponential_has_a_slope_without_bound() -> None:
    assert slopes("exponential", np.array([20.0])) > 100
    assert TABLE["exponential"].headroom is None


@pytest.mark.parametrize("name", sorted({name for name, side in RECTIFYING if side == "middle"}))
def test_functions_that_shrink_are_flat_in_the_middle_alone(name: str) -> None:
    assert flat(name, np.array([1e-3]))[0]
    assert (edge(name, -1), edge(name, 1)) == (None, None)
    assert TABLE[name].headroom is None


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_function_rectifies_where_it_is_0_over_a_range_that_is_no_saturating_side(
    name: str,
) -> None:
    low, high = TABLE[name].low, TABLE[name].high
    z = np.linspace(-5, 5, 2_001)  # beyond it smooth functions are 0 for want of digits

    zero = (function_of(name)(z) == 0) & flat(name, z)
    zero &= (z > (-np.inf if low is None else low)) & (z < (np.inf if high is None else high))

    assert TABLE[name].rectifies == (np.count_nonzero(zero) > 10)


@pytest.mark.parametrize("name", sorted(set(TABLE) - set(ELEMENTWISE)))
def test_functions_that_mix_units_have_no_edges(name: str) -> None:
    function = function_of(name)

    together = function(np.array([[1.0, 2.0, 3.0, 4.0]]))

    apart = np.concatenate([function(np.array([[value] * 2])) for value in (1.0, 2.0, 3.0, 4.0)])
    assert together[0].tolist() != pytest.approx(apart[:, 0].tolist())
    assert (TABLE[name].low, TABLE[name].high) == (None, None)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions_do_not_mix_units(name: str) -> None:
    function = function_of(name)

    together = function(np.array([[0.3, -0.7, 4.0]]))

    apart = [function(np.array([[value]]))[0, 0] for value in (0.3, -0.7, 4.0)]
    assert together[0].tolist() == pytest.approx(apart)


@pytest.mark.parametrize(
    ("low", "high", "headroom"),
    [(None, None, None), (-2.0, None, 2.0), (None, 3.0, 3.0), (-2.0, 3.0, 2.0), (-3.0, 2.0, 2.0)],
)
def test_headroom_is_the_smallest_magnitude_that_saturates(
    low: float | None, high: float | None, headroom: float | None
) -> None:
    assert Activation("f", low, high).headroom == headroom


def test_rectifiers_need_the_gain_of_he_and_bounded_functions_that_of_lecun() -> None:
    gains = {name: TABLE[name].gain for name in ("relu", "relu6", "gelu", "silu")}

    assert gains == dict.fromkeys(gains, math.sqrt(2))
    assert math.sqrt(2) == HE
    assert {TABLE[name].gain for name in ("sigmoid", "tanh", "linear", "selu")} == {LECUN}
