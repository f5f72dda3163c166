"""What other servers over the same store change, told to those who are connected to this one."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from gainstage import wire
from gainstage_server.admission import Admitted
from gainstage_server.commit import Committer
from gainstage_server.hub import Hub
from gainstage_server.runs import Runs
from gainstage_server.store.interface import Store, StoreError
from gainstage_server.store.records import Change, Mark
from gainstage_server.writer import Writer

log = logging.getLogger("gainstage.server")

AGAIN_SECONDS = 1.0
# Beyond this, what has changed is read from the store as a whole.
HEARD_CHANGES = 4_096


class Others:
    """Takes over changes between two commits, and publishes what came of them."""

    def __init__(
        self,
        store: Store,
        runs: Runs,
        hub: Hub,
        committer: Committer,
        writer: Writer,
        publish: Callable[[Iterable[Admitted], Iterable[wire.Told]], None],
    ) -> None:
        self._store = store
        self._runs = runs
        self._hub = hub
        self._committer = committer
        self._writer = writer
        self._publish = publish
        self._heard: list[Change] = []
        self._missed = False
        self._arrived = asyncio.Event()

    async def follow(self) -> None:
        """Listen until it is cancelled."""
        loop = asyncio.get_running_loop()

        def hear(changes: Sequence[Change] | None) -> None:
            loop.call_soon_threadsafe(self._hear, changes)

        self._store.listen(hear)
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            heard, missed = self._heard, self._missed
            self._heard, self._missed = [], False
            try:
                async with self._writer.pause():
                    self._publish(*await asyncio.to_thread(self._take_over, heard, missed))
            except Exception as error:
                fault = None if isinstance(error, StoreError) else error
                log.error("What other servers changed is read later: %s", error, exc_info=fault)
                await asyncio.sleep(AGAIN_SECONDS)
                self._hear(None)

    def _hear(self, changes: Sequence[Change] | None) -> None:
        if changes is None or len(self._heard) > HEARD_CHANGES:
            self._missed, self._heard = True, []
        else:
            self._heard.extend(changes)
        self._arrived.set()

    def _take_over(
        self, heard: Sequence[Change], missed: bool
    ) -> tuple[list[Admitted], list[wire.Told]]:
        unheard = self._changed() if missed else set[str]()
        news: list[wire.Told] = []
        for run in dict.fromkeys([*unheard, *(change.run for change in heard)]):
            news.extend(self._refresh(run))
        raw = [data for run in unheard for data in self._newest(run)]
        raw += [data for change in heard for data in self._came(change)]
        read = map(self._committer.read, raw)
        return [item for item in read if item is not None], news

    def _changed(self) -> set[str]:
        """The runs of which the store says something else than this server."""
        known = {record.run: record for record in self._runs.all()}
        stored = {record.run: record for record in self._store.runs()}
        runs = known.keys() | stored.keys()
        marks: dict[str, dict[str, Mark]] = {}
        for mark in self._store.marks():
            marks.setdefault(mark.run, {})[mark.finding] = mark
        return {
            run
            for run in runs
            if known.get(run) != stored.get(run) or self._runs.marks(run) != marks.get(run, {})
        }

    def _refresh(self, run: str) -> Iterator[wire.Told]:
        """Read the run again; what is news of it."""
        known = self._runs.get(run) is not None
        before = {finding.id: finding for finding in self._runs.open_findings(run)}
        marks = self._runs.marks(run)
        self._committer.refresh([run])
        if self._runs.get(run) is None:
            if known:
                yield wire.RunDeleted(run=run)
            return
        marked = {id for id, _ in marks.items() ^ self._runs.marks(run).items()}
        for finding in self._store.findings(run):
            changed = finding != before.get(finding.id) if finding.open else finding.id in before
            if changed or finding.id in marked:
                yield wire.FindingChanged(run=run, finding=finding)

    def _newest(self, run: str) -> Iterator[bytes]:
        """What a viewer who comes now is shown; whoever is here already missed some of it."""
        if self._hub.watches(run):
            newest = self._runs.newest(run)
            yield from (data for data in (newest.schema, newest.frame) if data is not None)

    def _came(self, change: Change) -> Iterator[bytes]:
        """The messages that a change brought, as far as viewers want them."""
        if change.last < 0 or not len(self._hub):
            return
        for message in self._store.messages_of(change.stream):
            if change.first <= message.seq <= change.last:
                yield message.raw
        if self._hub.watches(change.run):
            for frame in self._store.frames_after(change.stream, change.first - 1):
                if frame.seq > change.last:
                    break
                yield frame.raw
