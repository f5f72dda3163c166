"""Tells the store that trainers are connected which have nothing to send."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from gainstage_server.commit import Committed, Committer
from gainstage_server.runs import Runs
from gainstage_server.store.interface import StoreError
from gainstage_server.store.records import Stream
from gainstage_server.writer import Writer

log = logging.getLogger("gainstage.server")

# Of the time after which a run counts as lost: what the store says of a connected trainer is never
# older than both together. Other servers know nothing else, nor does this one once it starts anew.
OLDEST, AGAIN = 0.5, 0.25


class Presence:
    """Writes when quiet trainers were last here, again and again.

    Args:
        lost_after: Seconds of silence after which a run counts as lost.
        runs: Who is connected.
        committer: What stores it, while nothing else is committed.
        writer: What commits all else.
        publish: Is handed what was stored.
    """

    def __init__(
        self,
        lost_after: float,
        runs: Runs,
        committer: Committer,
        writer: Writer,
        publish: Callable[[Committed], None],
    ) -> None:
        self._lost_after = lost_after
        self._runs = runs
        self._committer = committer
        self._writer = writer
        self._publish = publish

    async def run(self) -> None:
        """Write until it is cancelled."""
        while True:
            await asyncio.sleep(AGAIN * self._lost_after)
            quiet = self._runs.quiet(time.time() - OLDEST * self._lost_after)
            if quiet:
                await self._hear(quiet)

    async def _hear(self, quiet: Sequence[Stream]) -> None:
        try:
            async with self._writer.pause():
                self._publish(await asyncio.to_thread(self._committer.hear, quiet))
        except StoreError as error:
            log.warning("That trainers are connected is written later: %s", error)
