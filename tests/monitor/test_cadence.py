"""When samples are taken, on simulated clocks."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainstage.cadence import OPENING_GAP, OPENING_SAMPLES, Cadence

MILLISECONDS = st.floats(0.1, 1_000).map(lambda value: value / 1_000)
OVERHEAD = st.floats(0.001, 0.5)


def sampled_steps(
    cadence: Cadence, steps: int, *, step: float = 0.001, sample: float = 0.001, tracing: float = 1
) -> list[int]:
    """Trains for `steps` steps of `step` seconds and returns those that were sampled."""
    taken = []
    for number in range(steps):
        if cadence.due():
            traced = not taken
            cadence.sampled(tracing if traced else sample, traced=traced)
            taken.append(number)
        cadence.trained(step)
    return taken


def gaps(steps: list[int]) -> list[int]:
    return [later - earlier for earlier, later in itertools.pairwise(steps)]


@given(st.integers(1, 50))
def test_fixed_cadence_samples_every_so_many_steps_from_the_first(every: int) -> None:
    steps = sampled_steps(Cadence(every, 0.01), 200)

    assert steps == list(range(0, 200, every))


@given(MILLISECONDS, MILLISECONDS, OVERHEAD)
def test_samples_behind_the_opening_take_no_more_than_their_share(
    step: float, sample: float, overhead: float
) -> None:
    cadence = Cadence("auto", overhead)
    sampled_steps(cadence, OPENING_GAP * (OPENING_SAMPLES + 1), step=step, sample=sample)
    assert cadence.samples >= OPENING_SAMPLES
    before = cadence.samples
    gap = cadence.gap

    steps = 3 * gap
    later = sampled_steps(cadence, min(steps, 20_000), step=step, sample=sample)

    # One sample may have been saved up for before, one be taken at once.
    assert len(later) * sample <= overhead * step * (steps + 2 * gap) * (1 + 1e-9)
    assert cadence.samples == before + len(later)


@given(MILLISECONDS, MILLISECONDS, OVERHEAD)
def test_gap_is_the_smallest_that_the_overhead_allows(
    step: float, sample: float, overhead: float
) -> None:
    cadence = Cadence("auto", overhead, samples=OPENING_SAMPLES)
    cadence.trained(step)
    cadence.sampled(sample, traced=False)

    assert sample <= overhead * step * cadence.gap * (1 + 1e-9)
    if cadence.gap > 1:
        assert sample >= overhead * step * (cadence.gap - 1) * (1 - 1e-9)


def test_opening_samples_come_close_together_whatever_they_cost() -> None:
    steps = sampled_steps(Cadence("auto", 0.01), 400, step=0.001, sample=0.05)

    assert len(steps) == OPENING_SAMPLES
    assert gaps(steps) == [OPENING_GAP] * (OPENING_SAMPLES - 1)


def test_cheap_samples_come_more_often_than_the_opening_asks() -> None:
    steps = sampled_steps(Cadence("auto", 0.1), 60, step=0.001, sample=0.0003)

    assert gaps(steps)[2:] == [3] * len(gaps(steps)[2:])


def test_share_of_a_long_training_is_within_the_overhead() -> None:
    cadence = Cadence("auto", 0.01)

    sampled_steps(cadence, 200_000, step=0.001, sample=0.02)

    assert 0.009 < cadence.costs()["share"] <= 0.0115  # the opening included


def test_now_and_then_a_dear_sample_is_paid_for_before_the_next() -> None:
    cadence = Cadence("auto", 0.01)
    sampled_steps(cadence, 200, step=0.001, sample=0.001)
    before = cadence.samples
    dear, spent, steps = itertools.cycle([0.001, 0.001, 0.009]), 0.0, 60_000

    for _ in range(steps):
        if cadence.due():
            seconds = next(dear)
            cadence.sampled(seconds, traced=False)
            spent += seconds
        cadence.trained(0.001)

    assert cadence.samples > before + 100
    assert spent <= 0.01 * steps * 0.001 + 0.009


def test_share_would_exceed_an_overhead_that_is_not_kept() -> None:
    cadence = Cadence(10, 0.01)

    sampled_steps(cadence, 2_000, step=0.001, sample=0.02)

    assert cadence.costs()["share"] > 0.5


def test_compiling_the_probe_is_told_apart_from_sampling() -> None:
    cadence = Cadence("auto", 0.01)
    cadence.sampled(7.0, traced=True)
    cadence.trained(0.001)
    assert cadence.gap == OPENING_GAP

    cadence.sampled(0.002, traced=False)

    assert cadence.costs() == {
        "tracing": 7.0,
        "step": 0.001,
        "sample": 0.002,
        "share": pytest.approx(2 / 3),
        "gap": OPENING_GAP,
    }


def test_costs_that_were_not_measured_are_absent() -> None:
    assert Cadence("auto", 0.01).costs() == {"tracing": 0.0}


def test_cadence_follows_steps_that_become_slower() -> None:
    cadence = Cadence("auto", 0.01, samples=OPENING_SAMPLES)
    cadence.trained(0.001)
    cadence.sampled(0.01, traced=False)
    assert cadence.gap == 1_000

    for _ in range(50):
        cadence.trained(0.1)

    assert cadence.gap == pytest.approx(10, abs=1)


def test_clock_that_did_not_move_is_no_step() -> None:
    cadence = Cadence("auto", 0.01)
    cadence.trained(0.0)
    cadence.sampled(0.01, traced=False)

    assert cadence.gap == OPENING_GAP
