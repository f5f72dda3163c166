"""How long runs are kept: by age and by size, for each project."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping

from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store
from gainstage_server.store.records import RunRecord

log = logging.getLogger("gainstage.server")

DAY = 86_400.0
# Where sizes are bounded, they are counted by reading through all rows.
PERIOD_SECONDS = 60.0
# A run that did not say that it ended: its trainer may be without a network, and bring the rest.
LOST_SECONDS = 7 * DAY


def outdated(
    records: Iterable[RunRecord],
    over: Callable[[RunRecord], float | None],
    sizes: Mapping[str, int],
    settings: Settings,
    now: float,
) -> list[str]:
    """The runs that are not to be kept any longer, oldest first.

    Args:
        records: All runs.
        over: When a run ended; None where it goes on: such a run is kept, and counts.
        sizes: Run -> bytes that it takes.
        settings: `keep_days` and `keep_bytes`.
        now: The time, as `over` tells it.
    """
    found: list[tuple[float, str]] = []
    kept: dict[str, list[tuple[float, str]]] = defaultdict(list)
    taken: dict[str, int] = defaultdict(int)
    for record in records:
        ended, days = over(record), settings.keep_days.of(record.project)
        if ended is not None and days is not None and now - ended > days * DAY:
            found.append((ended, record.run))
            continue
        taken[record.project] += sizes.get(record.run, 0)
        if ended is not None:
            kept[record.project].append((ended, record.run))
    for project, ended_runs in kept.items():
        most = settings.keep_bytes.of(project)
        for ended, run in sorted(ended_runs):
            if most is None or taken[project] <= most:
                break
            taken[project] -= sizes.get(run, 0)
            found.append((ended, run))
    return [run for _, run in sorted(found)]


class Retention:
    """Deletes what is not to be kept, now and then.

    Args:
        settings: How long runs are kept.
        store: What holds them.
        runs: The same, in memory.
        delete: Deletes a run if it is still over.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        runs: Runs,
        delete: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._settings = settings
        self._store = store
        self._runs = runs
        self._delete = delete

    async def run(self) -> None:
        """Look every minute, until it is cancelled."""
        while True:
            try:
                await self._turn()
            except Exception:
                log.exception("Runs that are outdated could not be deleted; this is tried again.")
            await asyncio.sleep(PERIOD_SECONDS)

    async def _turn(self) -> None:
        bounded = bool(self._settings.keep_bytes)
        sizes = await asyncio.to_thread(self._store.sizes) if bounded else {}
        now = time.time()
        for run in outdated(
            self._runs.all(), lambda record: self.over(record, now), sizes, self._settings, now
        ):
            if await self._delete(run):
                log.info("run deleted", extra={"run": run, "reason": "kept for long enough"})

    def over(self, record: RunRecord, now: float) -> float | None:
        """When the run ended, or fell silent for good; None: it goes on, or may."""
        if record.ended is not None:
            return record.ended
        silent_since = self._runs.last_seen(record, now)
        return silent_since if now - silent_since > LOST_SECONDS else None
