"""Messages that may not be stored, kept apart: whoever wants to know what came can look."""

from collections.abc import Iterable

from gainstage import wire
from gainstage_server.origin import origin_of
from gainstage_server.store.records import RefusedRecord

# So many are kept of those that come at once, and one more each second: a flood of garbage costs
# one transaction a second, and takes minutes to push out what was kept before.
AT_ONCE = 10
PER_SECOND = 1.0
# Of each message: its header and a glimpse of its blocks.
KEPT_BYTES = 64 * 2**10


class Apart:
    """Decides which of the refused messages are kept."""

    def __init__(self) -> None:
        self._allowance = float(AT_ONCE)
        self._counted = 0.0  # when the allowance was
        self._last_id = 0

    def choose(
        self, refusals: Iterable[tuple[bytes, wire.Refuse, str | None]], now: float
    ) -> list[RefusedRecord]:
        """Those to keep, in order; `now` is the server's clock.

        With each comes the only project that its sender may send to; None: all.
        """
        earned = max(0.0, now - self._counted) * PER_SECOND
        self._allowance = min(AT_ONCE, self._allowance + earned)
        self._counted = now
        kept: list[RefusedRecord] = []
        for data, refusal, project in refusals:
            if self._allowance < 1:
                break
            self._allowance -= 1
            kept.append(self._record(data, refusal, project, now))
        return kept

    def _record(
        self, data: bytes, refusal: wire.Refuse, project: str | None, now: float
    ) -> RefusedRecord:
        self._last_id = max(self._last_id + 1, int(now * 1e6))
        origin = origin_of(data)
        return RefusedRecord(
            id=self._last_id,
            time=now,
            run=origin.run,
            attempt=origin.attempt,
            worker=origin.worker,
            seq=origin.seq,
            reason=refusal.reason,
            size=len(data),
            raw=data[:KEPT_BYTES],
            project=project,
        )
