"""The parts of a running server, put together."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Generator, Iterable
from typing import Protocol, cast

from starlette.requests import HTTPConnection

from gainstage import wire
from gainstage.exposition import Text
from gainstage.workers import CHIEF
from gainstage_server import journal
from gainstage_server.admission import Admitted
from gainstage_server.commit import Committed, Committer
from gainstage_server.compaction.compactor import Compactor
from gainstage_server.compaction.upkeep import Upkeep
from gainstage_server.counters import Counters
from gainstage_server.diagnosis import Fold
from gainstage_server.grants import Grant
from gainstage_server.history import rehearse
from gainstage_server.hub import Hub
from gainstage_server.others import Others
from gainstage_server.presence import Presence
from gainstage_server.progress import is_newest
from gainstage_server.retention import Retention
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store, StoreError
from gainstage_server.tokens import Tokens
from gainstage_server.webhook import Webhook
from gainstage_server.writer import Writer

log = logging.getLogger("gainstage.server")

# A peer that does not answer the closing handshake holds up the end no longer than this.
CLOSING_SECONDS = 2.0
# So often the tokens of open connections are looked up; without one, a request is at each time.
TOKENS_SECONDS = 2.0


class Connected(Protocol):
    """A connection that ends when the server does, or what it was granted."""

    @property
    def grant(self) -> Grant | None:
        """What whoever connected may do; None: that is not known yet."""
        ...

    def shut_down(self) -> None:
        """End after what is still to be sent."""
        ...

    def turn_away(self) -> None:
        """End because the token opens nothing any more."""
        ...


class Service:
    """What the endpoints share; one for each application."""

    def __init__(self, settings: Settings, store: Store, fold: Fold) -> None:
        self.settings = settings
        self.store = store
        self.runs = Runs(store, settings.lost_after)
        self.hub = Hub()
        self.counters = Counters()
        self.text = Text()
        self.tokens = Tokens(settings, store)
        self.committer = Committer(settings, store, fold, self.runs)
        self.writer = Writer(self.committer, self.counters, self._publish)
        self.webhook = Webhook(settings, self.runs, self.counters)
        self._others = Others(store, self.runs, self.hub, self.committer, self.writer, self._show)
        self._connections: set[Connected] = set()
        self._all_gone = asyncio.Event()
        self._all_gone.set()
        self._writing: asyncio.Task[None] | None = None
        self._upkeep = Upkeep(Compactor(settings, store), lambda: self.writer.crowded)
        self._watching: asyncio.Task[None] | None = None
        self._retention = Retention(settings, store, self.runs, self._delete_if_over)
        self._presence = Presence(
            settings.lost_after, self.runs, self.committer, self.writer, self._publish
        )
        # Those that pause the writer.
        self._pausing: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the store, and write what comes from now on."""
        await asyncio.to_thread(self.store.open)
        await asyncio.to_thread(self.runs.load)
        await asyncio.to_thread(self.webhook.start, time.time())
        await asyncio.to_thread(rehearse, self.store)
        self._writing = asyncio.create_task(self.writer.run())
        self._writing.add_done_callback(_tell_of_failure)
        self._upkeep.start()
        self._watching = asyncio.create_task(self._watch_tokens())
        self._pausing = [
            asyncio.create_task(it)
            for it in (self._others.follow(), self._retention.run(), self._presence.run())
        ]

    async def stop(self) -> None:
        """Commit what was received, acknowledge it and end the connections."""
        if self._writing is None or self._watching is None:
            return
        async with self.writer.pause():  # none is in the midst of what it changes then
            for task in self._pausing:
                task.cancel()
        await asyncio.gather(*self._pausing, return_exceptions=True)
        await self._upkeep.stop()
        self.webhook.stop()
        self._watching.cancel()
        self.writer.stop()
        await asyncio.wait([self._writing])
        self._writing = None
        for connection in self._connections:
            connection.shut_down()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_gone.wait(), CLOSING_SECONDS)
        await asyncio.to_thread(self.committer.close)
        await asyncio.to_thread(self.store.close)

    async def delete(self, run: str) -> None:
        """Delete a run that is not live, while nothing is committed (`Writer.pause`).

        Raises:
            StoreError: It is still there.
        """
        await asyncio.to_thread(self.committer.delete, run)
        # Before it is forgotten, with the project that says who may know of it.
        self.hub.publish([], [wire.RunDeleted(run=run)])
        self.runs.forget(run)

    async def _delete_if_over(self, run: str) -> bool:
        async with self.writer.pause():
            record = self.runs.get(run)
            if record is None or self._retention.over(record, time.time()) is None:
                return False
            await self.delete(run)
            return True

    @property
    def writing(self) -> bool:
        """Whether what trainers send is stored."""
        return self._writing is not None and not self._writing.done()

    @contextlib.contextmanager
    def connected(self, connection: Connected) -> Generator[None]:
        """Within the block, the connection is ended when the server ends."""
        self._connections.add(connection)
        self._all_gone.clear()
        try:
            yield
        finally:
            self._connections.discard(connection)
            if not self._connections:
                self._all_gone.set()

    async def _watch_tokens(self) -> None:
        """Turn away those whose tokens have expired or were revoked."""
        while True:
            await asyncio.sleep(TOKENS_SECONDS)
            held = {it: it.grant.token for it in self._connections if it.grant and it.grant.token}
            try:
                lapsed = await asyncio.to_thread(self.tokens.lapsed, set(held.values()))
            except StoreError as error:
                log.warning("Tokens cannot be looked up: %s", error)
                continue
            for connection, token in held.items():
                if token in lapsed:
                    connection.turn_away()

    def _publish(self, committed: Committed) -> None:
        before = {
            run: frozenset(finding.id for finding in self.runs.open_findings(run))
            for run in committed.findings
        }
        self.runs.apply(committed)
        journal.tell(committed, before)
        news = (
            wire.FindingChanged(run=run, finding=finding)
            for run, findings in committed.findings.items()
            for finding in findings
        )
        self._show(committed.fresh, news)

    def _show(self, messages: Iterable[Admitted], news: Iterable[wire.Told]) -> None:
        self.hub.publish([item for item in messages if self._is_shown(item.message)], news)

    def _is_shown(self, message: wire.TrainerMessage) -> bool:
        """Whether viewers follow it: of the chief, the layers and frames of the newest attempt."""
        if message.worker != CHIEF or not isinstance(message, wire.Schema | wire.Frame):
            return True
        run = self.runs.get(message.run)
        return run is not None and is_newest(run, message)


def _tell_of_failure(writing: asyncio.Task[None]) -> None:
    if not writing.cancelled() and (error := writing.exception()):
        log.critical("Nothing is stored any more; start the server anew.", exc_info=error)


def service_of(connection: HTTPConnection) -> Service:
    """The service of the application that this request or WebSocket came to."""
    return cast(Service, connection.app.state.service)
