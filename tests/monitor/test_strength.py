"""The strength of a penalty, held against its theory and against training."""

import math

import keras
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainstage import wire
from gainstage.diagnosis.strength import (
    ADAPTIVE,
    DECAY_STEPS,
    STABLE_SHARE,
    TARGET_DB,
    activity_penalty,
    amplitude,
    penalty,
)
from gainstage.training import describe_training

from .builders import SGD, row

RATES = st.floats(1e-5, 10)
EXCESS = st.floats(0, 120)
ENERGY = st.floats(1e-4, 1e6)
MOMENTUM = st.floats(0, 0.99)


@given(RATES, MOMENTUM, EXCESS, ENERGY)
def test_strength_stays_below_the_bound_where_the_penalty_itself_diverges(
    rate: float, momentum: float, excess_db: float, energy: float
) -> None:
    training = msgspec.structs.replace(SGD, learning_rate=rate, momentum=momentum)

    strength = penalty(training, excess_db=excess_db, target=1.0, eigenvalue=energy)

    bound = (1 + momentum) / (rate * energy)
    assert 0 < strength <= STABLE_SHARE * bound * (1 + 1e-9)
    assert STABLE_SHARE < 1


@given(RATES, MOMENTUM, EXCESS, ENERGY)
def test_penalty_of_that_strength_brings_the_level_down_and_not_up(
    rate: float, momentum: float, excess_db: float, energy: float
) -> None:
    training = msgspec.structs.replace(SGD, learning_rate=rate, momentum=momentum)
    strength = penalty(training, excess_db=excess_db, target=1.0, eigenvalue=energy)

    levels, weight, speed = [1.0], 1.0, 0.0
    for _ in range(40 * DECAY_STEPS):
        speed = momentum * speed - rate * 2 * strength * energy * weight
        weight += speed
        levels.append(abs(weight))

    assert max(levels) == 1.0
    assert levels[-1] < 0.1


def test_penalty_beyond_the_bound_would_diverge() -> None:
    weight, speed = 1.0, 0.0
    for _ in range(200):
        speed = 0.9 * speed - 0.05 * 2 * (1.01 * 1.9 / 0.05) * weight
        weight += speed

    assert abs(weight) > 10


@pytest.mark.parametrize("optimizer", sorted(ADAPTIVE))
def test_strength_under_an_adaptive_optimizer_is_a_gradient_at_the_level_wanted(
    optimizer: str,
) -> None:
    training = msgspec.structs.replace(SGD, optimizer=optimizer)

    strengths = [
        penalty(training, excess_db=30.0, target=target, eigenvalue=energy)
        for target, energy in [(1.0, 1.0), (3.0, 1.0), (3.0, 900.0)]
    ]

    assert [2 * one * target for one, target in zip(strengths, (1, 3, 3), strict=True)] == (
        pytest.approx([strengths[0] * 2] * 3)
    )
    assert hasattr(keras.optimizers, optimizer)


def test_rate_that_is_not_known_is_assumed() -> None:
    unknown = msgspec.structs.replace(SGD, learning_rate=None)
    stopped = msgspec.structs.replace(SGD, learning_rate=0.0)

    strengths = [penalty(one, excess_db=20.0, target=1.0) for one in (unknown, stopped)]

    assert all(0 < strength < math.inf for strength in strengths)


def strength_of(training: wire.Training, *output_shape: int | None) -> float:
    return activity_penalty(
        row(output_shape=output_shape), training, excess_db=20.0, target=1.0, eigenvalue=5.0
    )


def test_strength_is_divided_by_the_positions_that_the_penalty_sums() -> None:
    whole = strength_of(SGD, 8)

    assert strength_of(SGD, 10, 4, 8) == pytest.approx(whole / 40)
    assert strength_of(SGD, None, 8) == pytest.approx(whole)


def test_strength_is_divided_by_the_batch_where_keras_does_not() -> None:
    older = msgspec.structs.replace(SGD, penalty_per_example=False, batch_size=32)

    assert strength_of(older, 8) == pytest.approx(strength_of(SGD, 8) / 32)


@pytest.mark.parametrize(("positions", "batch"), [((), 4), ((), 16), ((6,), 8)])
def test_penalty_alone_takes_the_excess_away_in_the_steps_it_was_computed_for(
    positions: tuple[int, ...], batch: int
) -> None:
    """The theory behind lambda against Keras itself: nothing but the penalty moves the weights."""
    direction = np.array([1.0, 2.0, 2.0], np.float32)
    layer = keras.layers.Dense(4, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((*positions, 3)), layer])
    model.compile(keras.optimizers.SGD(0.01), lambda y, z: 0.0 * keras.ops.sum(z))
    excess_db = 12.0
    strength = activity_penalty(
        row(output_shape=(*positions, 4)),
        describe_training(model, batch, 0.01),
        excess_db=excess_db,
        target=1.0,
        eigenvalue=float(direction @ direction),
    )
    layer.activity_regularizer = keras.regularizers.L2(strength)
    x = np.broadcast_to(direction, (batch * DECAY_STEPS, *positions, 3))
    before = np.abs(np.asarray(layer(x[:1]))).max()

    model.fit(x, np.zeros((len(x), 1)), batch_size=batch, verbose=0)

    fallen_db = 20 * np.log10(before / np.abs(np.asarray(layer(x[:1]))).max())
    assert fallen_db == pytest.approx(excess_db, abs=0.5)


def test_target_lies_inside_the_headroom() -> None:
    assert amplitude(TARGET_DB) == pytest.approx(0.5, abs=0.01)
    assert amplitude(20.0) == 10.0
