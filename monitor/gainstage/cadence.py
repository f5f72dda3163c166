"""When to sample: every N steps, or as often as a share of the training time allows."""

from dataclasses import dataclass, field
from math import ceil, inf

# At the start of training, where most faults show, samples come at most this many steps apart...
OPENING_GAP = 10
# ... for this many samples, whatever they cost: enough for a finding's persistence twice over.
OPENING_SAMPLES = 16
# What samples are seen to take is kept to this part of the overhead. The rest is for what is not
# seen: sending, caches that a sample empties, and a server on the same cores take a quarter to two
# fifths as much again (`python -m benchmarks.overhead`), and steps vary.
SEEN = 0.5
# Weight of the newest measurement in the running mean of the steps' time.
SMOOTHING = 0.2


@dataclass
class Cadence:
    """Decides whether a step is sampled, from what steps and samples have cost so far.

    Clocks stay outside: times come in, in seconds from any origin. Tracing the probe is a cost
    that comes once and is reported apart, not charged to the cadence.

    Attributes:
        every: Steps between two samples, or "auto".
        overhead: Share of the training time that samples may take under "auto".
        samples: Taken so far.
        gap: Steps from the last sample to the next, as things stand. The first step is not sampled.
        step_seconds: What a step takes, a sample in it not counted; None while unknown.
        tracing_seconds: What tracing has taken so far.
    """

    every: int | str
    overhead: float
    samples: int = 0
    gap: int = field(default=2, init=False)
    step_seconds: float | None = field(default=None, init=False)
    tracing_seconds: float = field(default=0.0, init=False)
    _spent: float = field(default=0.0, init=False)
    _untraced: int = field(default=0, init=False)  # samples that were not traced
    _trained: float = field(default=0.0, init=False)
    # Seconds that samples may take by now, beyond what they have taken.
    _balance: float = field(default=0.0, init=False)
    # Steps begun since the last sample, and of them those before the stretch that is timed began.
    _since: int = field(default=0, init=False)
    _before: int = field(default=0, init=False)
    _began: float | None = field(default=None, init=False)
    _ended: float = field(default=0.0, init=False)  # when the last sample did

    def due(self, now: float) -> bool:
        """Whether the step that begins `now` is to be sampled. Call it once for each step."""
        self._since += 1
        if self._began is None:
            self._began, self._before = now, self._since
        return self._since >= self.gap

    def pause(self) -> None:
        """Something else than training goes on until the next step."""
        self._began = None

    def skipped(self) -> None:
        """The step that was due could not be sampled, and the next ones cannot either."""
        self._since, self._before, self._began = 0, 0, None

    def sampled(self, began: float, ended: float, *, traced: bool) -> None:
        """A sample was taken in this time; `traced` where the probe was compiled for it."""
        self._count_steps(began)
        self.samples += 1
        self._untraced += not traced
        self._since, self._before, self._began, self._ended = 0, 0, ended, ended
        self.paid(ended - began, traced=traced)

    def paid(self, seconds: float, *, traced: bool = False) -> None:
        """Something else beside the training took `seconds`, or more of the last sample."""
        if traced:
            self.tracing_seconds += seconds
        else:
            self._spent += seconds
            # What was spent above the allowance is saved up for before the next sample; what the
            # opening costs is not, or nothing would be seen for a hundred times as long.
            least = 0.0 if self.samples <= OPENING_SAMPLES else -inf
            self._balance = max(self._balance - seconds, least)
        self.gap = self._next_gap()

    @property
    def sample_seconds(self) -> float | None:
        """What a sample takes on average, with all that is done for it; None while unknown."""
        return self._spent / self._untraced if self._untraced else None

    @property
    def over_budget(self) -> bool:
        """Whether samples took more than `overhead`, as those of the opening do at first."""
        whole = self._spent + self._trained
        return self.every == "auto" and self._spent > self.overhead * whole

    def costs(self) -> dict[str, float]:
        """Seconds of a step and of a sample, the samples' share of the time and what it may be.

        Also the gap between samples, in steps.
        """
        costs = {"tracing": self.tracing_seconds}
        if self.every == "auto":
            costs["budget"] = self.overhead
        if self.step_seconds is not None:
            costs["step"] = self.step_seconds
        if self.sample_seconds is not None and self._trained:
            costs["sample"] = self.sample_seconds
            costs["share"] = self._spent / (self._spent + self._trained)
            costs["gap"] = self.gap
        return costs

    def _count_steps(self, now: float) -> None:
        # Before the first sample, tracing the user's step is what takes the time.
        if not self._since or not self.samples:
            return
        timed = self._since - self._before
        # Where an epoch is one step, only what lies between samples is known, pauses included.
        began, steps = (self._began, timed) if timed else (self._ended, self._since)
        if began is not None:
            seconds, mean = (now - began) / steps, self.step_seconds
            smoothed = (1 - SMOOTHING) * (mean or 0.0) + SMOOTHING * seconds
            self.step_seconds = seconds if mean is None else smoothed
        if self.step_seconds is not None:
            trained = self.step_seconds * self._since
            self._trained += trained
            # No more than one sample's worth: a rest from sampling is not made up for by a burst.
            most = max(self._balance, self.sample_seconds or 0.0)
            self._balance = min(self._balance + SEEN * self.overhead * trained, most)

    def _next_gap(self) -> int:
        if isinstance(self.every, int):
            return self.every
        if not self.step_seconds or self.sample_seconds is None:
            return OPENING_GAP if self.samples < OPENING_SAMPLES else OPENING_GAP * OPENING_SAMPLES
        lacking = self.sample_seconds - self._balance
        affordable = max(1, ceil(lacking / (SEEN * self.overhead * self.step_seconds)))
        return min(affordable, OPENING_GAP) if self.samples < OPENING_SAMPLES else affordable
