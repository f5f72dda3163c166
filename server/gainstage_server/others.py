"""What other servers over the same store change, told to those who are connected to this one."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gainstage import wire
from gainstage_server.admission import Admitted
from gainstage_server.commit import Committer
from gainstage_server.hub import Hub
from gainstage_server.runs import Runs, State
from gainstage_server.store.interface import Store, StoreError
from gainstage_server.store.records import Change, Mark, RunRecord
from gainstage_server.writer import Writer

log = logging.getLogger("gainstage.server")

AGAIN_SECONDS = 1.0
# Beyond this, what has changed is read from the store as a whole.
HEARD_CHANGES = 4_096


class _Seen(NamedTuple):
    """A run as this server held it, before it read what the store holds."""

    before: tuple[RunRecord | None, Mapping[str, Mark]]
    state: State


class _Read(NamedTuple):
    """What has changed: runs, and the bytes that came and that viewers want."""

    runs: dict[str, _Seen]
    raw: list[bytes]


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
                read = await asyncio.to_thread(self._read, heard, missed)
                async with self._writer.pause():
                    await self._take_over(read)
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

    def _read(self, heard: Sequence[Change], missed: bool) -> _Read:
        """What the store holds of what has changed, while commits go on."""
        unheard = self._changed() if missed else set[str]()
        raw = [data for run in unheard for data in self._newest(run)]
        raw += [data for change in heard for data in self._came(change)]
        alike = {change.run: change.alike for change in heard}
        whole = unheard | {change.run for change in heard if change.alike is None}
        seen = self._seen(alike.keys() - whole, self._runs.read_records)
        # What came after the last that was heard may have changed findings.
        whole |= {it for it, one in seen.items() if one.state.last_seen != alike[it]}
        return _Read(seen | self._seen(whole, self._runs.read), raw)

    def _seen(
        self, runs: Collection[str], read: Callable[[Collection[str]], dict[str, State]]
    ) -> dict[str, _Seen]:
        before = {run: self._here(run) for run in runs}
        return {run: _Seen(before[run], state) for run, state in read(runs).items()}

    def _here(self, run: str) -> tuple[RunRecord | None, Mapping[str, Mark]]:
        return self._runs.get(run), self._runs.marks(run)

    async def _take_over(self, read: _Read) -> None:
        """Hold what was read, and again what this server has changed itself since; publish it."""
        changed = [run for run, seen in read.runs.items() if self._here(run) != seen.before]
        if changed:
            read.runs.update(await asyncio.to_thread(self._seen, changed, self._runs.read))
        # While it is known to which project each belongs, whose viewers may know of it.
        self._publish(
            [], [wire.RunDeleted(run=run) for run in read.runs if self._is_gone(read, run)]
        )
        self._publish(*await asyncio.to_thread(self._take, read))

    def _is_gone(self, read: _Read, run: str) -> bool:
        return read.runs[run].state.record is None and self._runs.told(run).record is not None

    def _take(self, read: _Read) -> tuple[list[Admitted], list[wire.Told]]:
        news = [told for run, seen in read.runs.items() for told in self._refresh(run, seen.state)]
        self._committer.follow(read.runs.keys())
        return self._committer.read(read.raw), news

    def _changed(self) -> set[str]:
        """The runs of which the store says something else than this server."""
        known = {record.run: record for record in self._runs.all()}
        stored = {record.run: record for record in self._store.runs()}
        runs = known.keys() | stored.keys()
        marks: dict[str, dict[str, Mark]] = {}
        for mark in self._store.marks():
            marks.setdefault(mark.run, {})[mark.finding] = mark
        differ = {
            run
            for run in runs
            if known.get(run) != stored.get(run) or self._runs.marks(run) != marks.get(run, {})
        }
        return differ | self._runs.untold

    def _refresh(self, run: str, state: State) -> Iterator[wire.Told]:
        """Hold what was read of the run; what is news of it."""
        told = self._runs.told(run)
        before = {finding.id: finding for finding in told.findings}
        marks = told.marks
        self._runs.take(run, state)
        self._runs.tell(run)
        marked = {id for id, _ in marks.items() ^ state.marks.items()}
        for finding in state.findings:
            changed = finding != before.get(finding.id) if finding.open else finding.id in before
            if changed or finding.id in marked:
                yield wire.FindingChanged(run=run, finding=finding)

    def _newest(self, run: str) -> Iterator[bytes]:
        """What a viewer who comes now is shown; whoever is here already missed some of it."""
        record = self._store.run(run) if self._hub.watches(run) else None
        if record is not None:
            newest = self._runs.stored_newest(record)
            yield from (
                data for data in (newest.encoded_schema(), newest.frame) if data is not None
            )

    def _came(self, change: Change) -> Iterator[bytes]:
        """The messages that a change brought, as far as viewers want them."""
        if change.last < 0 or not len(self._hub):
            return
        for message in self._store.messages_of(change.stream, change.first, change.last):
            yield message.raw
        if self._hub.watches(change.run):
            for frame in self._store.frames_after(change.stream, change.first - 1, change.last):
                yield frame.raw
