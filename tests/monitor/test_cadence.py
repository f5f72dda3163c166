"""When samples are taken, on simulated clocks."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainstage.cadence import OPENING_GAP, OPENING_SAMPLES, SEEN, Cadence

MILLISECONDS = st.floats(0.1, 1_000).map(lambda value: value / 1_000)
OVERHEAD = st.floats(0.001, 0.5)
TRACING = 1.0


@dataclass
class Training:
    """Trains on a simulated clock: steps of `step` seconds, samples that take what `samples` says.

    Attributes:
        taken: The steps that were sampled.
        spent: Seconds that samples took, the one that was traced not counted.
    """

    cadence: Cadence
    step: float = 0.001
    samples: Iterable[float] = itertools.repeat(0.001)
    now: float = 100.0
    taken: list[int] = field(default_factory=list)
    spent: float = 0.0
    steps: int = 0

    def __post_init__(self) -> None:
        self.samples = iter(self.samples)

    def train(self, steps: int) -> list[int]:
        """Returns those of the next `steps` that were sampled."""
        before = len(self.taken)
        for _ in range(steps):
            if self.cadence.due(self.now):
                traced = self.cadence.samples == 0
                seconds = TRACING if traced else next(iter(self.samples))
                self.cadence.sampled(self.now, self.now + seconds, traced=traced)
                self.now += seconds
                self.spent += 0 if traced else seconds
                self.taken.append(self.steps)
            self.now += self.step
            self.steps += 1
        return self.taken[before:]


def gaps(steps: list[int]) -> list[int]:
    return [later - earlier for earlier, later in itertools.pairwise(steps)]


def behind_the_opening(cadence: Cadence, *, step: float, sample: float) -> Training:
    """A training whose opening is over, and one gap behind it."""
    training = Training(cadence, step, itertools.repeat(sample))
    training.train(2 + OPENING_GAP * OPENING_SAMPLES)
    assert cadence.samples >= OPENING_SAMPLES
    return training


@given(st.integers(1, 50))
def test_fixed_cadence_samples_the_second_step_and_every_so_many_from_there(every: int) -> None:
    steps = Training(Cadence(every, 0.01)).train(200)

    assert steps == list(range(1, 200, every))


@given(MILLISECONDS, MILLISECONDS, OVERHEAD)
def test_samples_behind_the_opening_take_no_more_than_their_share(
    step: float, sample: float, overhead: float
) -> None:
    cadence = Cadence("auto", overhead)
    training = behind_the_opening(cadence, step=step, sample=sample)

    steps = min(3 * cadence.gap, 20_000)
    later = training.train(steps)

    # One sample may have been saved up for before.
    assert len(later) * sample <= SEEN * overhead * step * steps * (1 + 1e-9) + sample


@given(MILLISECONDS, MILLISECONDS, OVERHEAD)
def test_gap_is_the_smallest_that_the_overhead_allows(
    step: float, sample: float, overhead: float
) -> None:
    cadence = Cadence("auto", overhead)
    behind_the_opening(cadence, step=step, sample=sample)
    aim = SEEN * overhead * step

    # Whatever was saved up by now is not asked for again.
    assert (cadence.gap - 1) * aim <= sample * (1 + 1e-9)


@pytest.mark.parametrize("sample", [0.001, 0.02, 0.5])
def test_gaps_in_the_long_run_are_what_the_overhead_allows(sample: float) -> None:
    training = behind_the_opening(Cadence("auto", 0.01), step=0.01, sample=sample)
    affordable = sample / (SEEN * 0.01 * 0.01)

    found = gaps(training.train(round(12 * affordable)))

    assert sum(found) / len(found) == pytest.approx(affordable, rel=0.02, abs=1)


def test_opening_samples_come_close_together_whatever_they_cost() -> None:
    training = Training(Cadence("auto", 0.01), samples=itertools.repeat(0.05))

    steps = training.train(400)

    assert len(steps) == OPENING_SAMPLES
    assert gaps(steps) == [OPENING_GAP] * (OPENING_SAMPLES - 1)


def test_cheap_samples_come_more_often_than_the_opening_asks() -> None:
    training = Training(Cadence("auto", 0.1), samples=itertools.repeat(2.9 * SEEN * 0.1 * 0.001))

    steps = training.train(60)

    assert gaps(steps)[2:] == [3] * (len(steps) - 3)
    assert len(steps) > 15


def test_share_of_a_long_training_is_within_the_overhead() -> None:
    cadence = Cadence("auto", 0.01)

    Training(cadence, samples=itertools.repeat(0.02)).train(200_000)

    # A little more for the opening, which is not saved up for.
    assert SEEN * 0.0095 < cadence.costs()["share"] < 0.01


def test_now_and_then_a_dear_sample_is_paid_for_before_the_next() -> None:
    cadence = Cadence("auto", 0.01)
    training = Training(cadence, samples=itertools.cycle([0.001, 0.001, 0.009]))
    training.train(200)
    before, spent = cadence.samples, training.spent

    training.train(60_000)

    assert cadence.samples > before + 80
    assert training.spent - spent <= 0.01 * 60_000 * 0.001


def test_what_comes_after_a_sample_is_paid_for_like_the_sample() -> None:
    cadence = Cadence("auto", 0.01)
    training = behind_the_opening(cadence, step=0.001, sample=0.001)
    while not training.train(1):
        pass
    gap = cadence.gap

    cadence.paid(0.004)

    assert cadence.gap - gap == pytest.approx(0.004 / (SEEN * 0.01 * 0.001), rel=0.1)
    assert training.train(gap + 1) == []


@pytest.mark.parametrize(
    ("every", "steps", "over"),
    [("auto", 200, True), ("auto", 50_000, False), (10, 200, False)],
    ids=["short", "long", "every 10 steps"],
)
def test_short_training_is_over_the_budget_and_one_without_a_budget_never(
    every: int | str, steps: int, over: bool
) -> None:
    cadence = Cadence(every, 0.01)

    Training(cadence, step=0.001, samples=itertools.repeat(0.003)).train(steps)

    assert cadence.over_budget == over


def test_share_would_exceed_an_overhead_that_is_not_kept() -> None:
    cadence = Cadence(10, 0.01)

    Training(cadence, samples=itertools.repeat(0.02)).train(2_000)

    assert cadence.costs()["share"] > 0.5


def test_compiling_the_probe_is_told_apart_from_sampling() -> None:
    cadence = Cadence("auto", 0.01)
    training = Training(cadence, samples=itertools.repeat(0.002))

    training.train(2)
    assert cadence.costs() == {"tracing": TRACING, "budget": 0.01}
    assert cadence.gap == OPENING_GAP
    training.train(OPENING_GAP)

    assert cadence.costs() == {
        "tracing": TRACING,
        "step": pytest.approx(0.001),
        "sample": pytest.approx(0.002),
        "share": pytest.approx(1 / 6),
        "gap": OPENING_GAP,
        "budget": 0.01,
    }


def test_time_of_the_first_step_which_is_traced_is_not_a_steps() -> None:
    cadence = Cadence(2, 0.01)
    cadence.due(0.0)
    cadence.due(60.0)
    cadence.sampled(60.0, 61.0, traced=True)
    for now in (61.1, 61.2):
        cadence.due(now)

    cadence.sampled(61.2, 61.3, traced=False)

    assert cadence.step_seconds == pytest.approx(0.1)


def test_pause_is_no_training() -> None:
    cadence = Cadence(4, 0.01)
    training = Training(cadence, step=0.1)
    training.train(4)

    cadence.pause()
    training.now += 60.0
    training.train(2)

    assert cadence.samples == 2
    assert cadence.step_seconds == pytest.approx(0.1)


def test_costs_that_were_not_measured_are_absent() -> None:
    assert Cadence("auto", 0.01).costs() == {"tracing": 0.0, "budget": 0.01}
    assert Cadence(10, 0.01).costs() == {"tracing": 0.0}


def test_cadence_follows_steps_that_become_slower() -> None:
    training = behind_the_opening(Cadence("auto", 0.01), step=0.001, sample=0.01)
    training.train(3_000)

    training.step = 0.1
    found = gaps(training.train(4_000))

    assert found[-5:] == pytest.approx([10 / SEEN] * 5, abs=1)


def test_clock_that_did_not_move_is_no_step() -> None:
    training = Training(Cadence("auto", 0.01), step=0.0)

    steps = training.train(4_000)

    assert gaps(steps)[: OPENING_SAMPLES - 1] == [OPENING_GAP] * (OPENING_SAMPLES - 1)
    assert set(gaps(steps)[OPENING_SAMPLES:]) == {OPENING_GAP * OPENING_SAMPLES}


def test_epochs_of_one_step_are_steps_all_the_same() -> None:
    cadence = Cadence("auto", 0.01)
    training = Training(cadence, step=0.001, samples=itertools.repeat(0.003))

    for _ in range(20_000):
        cadence.pause()
        training.train(1)

    assert OPENING_SAMPLES < cadence.samples < 100
    assert cadence.costs()["share"] < 0.01
    assert cadence.step_seconds == pytest.approx(0.001)


def test_step_that_cannot_be_sampled_is_not_asked_for_again_at_once() -> None:
    training = Training(Cadence(5, 0.01))
    training.train(2)
    assert [training.cadence.due(step) for step in range(6)] == [False] * 4 + [True] * 2

    training.cadence.skipped()

    assert [training.cadence.due(step) for step in range(5)] == [False] * 4 + [True]
