"""When to sample: every N steps, or as often as a share of the training time allows."""

from dataclasses import dataclass, field
from math import ceil, inf

# At the start of training, where most faults show, samples come at most this many steps apart...
OPENING_GAP = 10
# ... for this many samples, whatever they cost: enough for a finding's persistence twice over.
OPENING_SAMPLES = 16
# Weight of the newest measurement in the running means of the costs.
SMOOTHING = 0.2


@dataclass
class Cadence:
    """Decides whether a step is sampled, from what steps and samples have cost so far.

    Clocks stay outside: durations come in as seconds. Tracing the probe is a cost that comes once
    and is reported apart, not charged to the cadence.

    Attributes:
        every: Steps between two samples, or "auto".
        overhead: Share of the training time that samples may take under "auto".
    """

    every: int | str
    overhead: float
    samples: int = 0
    step_seconds: float | None = None
    sample_seconds: float | None = None
    tracing_seconds: float = 0.0
    _spent: float = field(default=0.0, init=False)
    _trained: float = field(default=0.0, init=False)
    _since: int = field(default=0, init=False)
    _allowance: float = field(default=0.0, init=False)  # seconds that samples may take by now

    def due(self) -> bool:
        """Whether the step that begins now is sampled. Call it once for each step."""
        self._since += 1
        if self.samples == 0:
            return True
        if isinstance(self.every, int):
            return self._since >= self.every
        if self.samples < OPENING_SAMPLES and self._since >= OPENING_GAP:
            return True
        return self.sample_seconds is not None and self._allowance >= self.sample_seconds

    @property
    def gap(self) -> int:
        """Steps between two samples, as things stand."""
        if isinstance(self.every, int):
            return self.every
        if not self.step_seconds or self.sample_seconds is None:
            return OPENING_GAP
        affordable = max(1, ceil(self.sample_seconds / (self.overhead * self.step_seconds)))
        return min(affordable, OPENING_GAP) if self.samples < OPENING_SAMPLES else affordable

    def trained(self, seconds: float) -> None:
        """A step took `seconds`, a sample in it not counted."""
        self._trained += seconds
        self.step_seconds = _blend(self.step_seconds, seconds)
        # No more than one sample's worth: a pause in sampling is not made up for by a burst.
        earned = self._allowance + self.overhead * seconds
        self._allowance = min(earned, max(self._allowance, self.sample_seconds or 0.0))

    def sampled(self, seconds: float, *, traced: bool) -> None:
        """A sample took `seconds`; `traced` where the probe was compiled for it."""
        self.samples += 1
        self._since = 0
        if not traced:
            self.sample_seconds = _blend(self.sample_seconds, seconds)
        self.paid(seconds, traced=traced)

    def paid(self, seconds: float, *, traced: bool) -> None:
        """A sample, or something else beside the training, took `seconds`."""
        if traced:
            self.tracing_seconds += seconds
            return
        self._spent += seconds
        # What was spent above the allowance is saved up for before the next sample; the opening's
        # cost is not, or nothing would be seen for a hundred times as long.
        least = 0.0 if self.samples <= OPENING_SAMPLES else -inf
        self._allowance = max(self._allowance - seconds, least)

    def costs(self) -> dict[str, float]:
        """Seconds of a step and of a sample, the samples' share of the time, and their gap."""
        costs = {"tracing": self.tracing_seconds}
        if self.step_seconds is not None:
            costs["step"] = self.step_seconds
        if self.sample_seconds is not None:
            costs["sample"] = self.sample_seconds
            costs["share"] = self._spent / (self._spent + self._trained)
            costs["gap"] = self.gap
        return costs


def _blend(mean: float | None, value: float) -> float:
    return value if mean is None else (1 - SMOOTHING) * mean + SMOOTHING * value
