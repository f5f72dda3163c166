"""What the server counts about itself; `metrics` shows it to Prometheus."""

from bisect import bisect_left
from dataclasses import dataclass, field

from gainstage import wire
from gainstage_server.commit import Committed

RESULTS = ("stored", "duplicate", "refused")
# Codes of refusals: larger than what is read, of a type that only a later release knows, no message
# at all, against a limit or the order of messages, of one run more than the server holds.
REFUSALS = ("size", "release", "unreadable", "rule", "runs")

# What comes of messages to the webhook's receiver.
DELIVERIES = ("sent", "failed", "rejected")

# A commit waits for the disk: below a millisecond on flash, tens of them on spinning disks.
COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass
class Histogram:
    """How often a figure fell below each of the `bounds`."""

    bounds: tuple[float, ...]
    sum: float = 0.0
    counts: list[int] = field(default_factory=list[int])

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count `value`."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass
class Counters:
    """Since the server started."""

    messages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RESULTS, 0))
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REFUSALS, 0))
    frames: int = 0  # of the messages that were stored
    commit_failures: int = 0
    commit_seconds: Histogram = field(default_factory=lambda: Histogram(COMMIT_BUCKETS))
    webhook: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DELIVERIES, 0))
    trainers: int = 0  # connected now

    def count(self, committed: Committed) -> None:
        """Count what became of the messages of a batch."""
        refused = [one for one in committed.outcomes if isinstance(one, wire.Refuse)]
        stored = len(committed.fresh)
        self.messages["refused"] += len(refused)
        self.messages["stored"] += stored
        self.messages["duplicate"] += len(committed.outcomes) - len(refused) - stored
        self.frames += sum(isinstance(item.message, wire.Frame) for item in committed.fresh)
        for one in refused:
            self.refused[one.code] += 1
