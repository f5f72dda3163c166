"""Viewers' connections: they subscribe to a run or to the list of runs, and are told the news."""

import asyncio
import logging
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, WebSocket
from starlette.concurrency import run_in_threadpool

from gainstage import wire
from gainstage_server.auth import bearer
from gainstage_server.duplex import (
    GOING_AWAY,
    LAPSED,
    POLICY_VIOLATION,
    TRY_AGAIN_LATER,
    Duplex,
)
from gainstage_server.excerpt import Statistics, excerpt
from gainstage_server.grants import Grant, Visible
from gainstage_server.hub import Viewer
from gainstage_server.runs import Newest, Runs
from gainstage_server.service import Service, service_of
from gainstage_server.store.interface import StoreError

log = logging.getLogger("gainstage.server")

router = APIRouter()
MAX_SUBSCRIPTION = 16_384  # characters: every statistic by name, twice over
# A connection that says nothing may be anyone's.
SUBSCRIBE_SECONDS = 10.0
UNREADABLE = "The store cannot be read now. Try again later."


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    """A viewer's only message; `run` None means the list of runs.

    Frames come as the trainer sent them, or where `statistics` are named with one block [rows] for
    each of these, of the same name. The answer is a `subscribed` of the same `id`. The token is
    needed once, unless the handshake carried it in a header.
    """

    run: str | None = None
    token: str | None = None
    statistics: frozenset[str] | None = None
    id: int = 0


def _shown(runs: Runs, run: str) -> tuple[Newest, bytes | None]:
    """What a run shows, and its schema; may have to ask the store."""
    newest = runs.newest(run)
    return newest, newest.encoded_schema()


def _frame(newest: Newest, statistics: Statistics | None) -> bytes | None:
    """The newest frame, or of it these statistics."""
    raw = newest.frame
    if raw is None or statistics is None or newest.layout is None:
        return raw
    frame, blocks = wire.decode(raw)
    if not isinstance(frame, wire.Frame):
        return None
    return excerpt(frame, blocks, newest.layout, statistics)


class Spectator:
    """A viewer and the connection to it."""

    def __init__(self, socket: WebSocket, service: Service, grant: Grant | None) -> None:
        self._service = service
        self._viewer = Viewer(service.settings.viewer_frames, self._wake)
        self._duplex = Duplex(socket, self._viewer.data_to_send)
        self.grant = grant

    def _wake(self) -> None:
        if self._viewer.queue.overflowed:
            self._duplex.close(TRY_AGAIN_LATER, "This viewer does not read what it is sent.")
        self._duplex.wake()

    def _expire(self) -> None:
        if self._viewer not in self._service.hub:
            self._duplex.close(
                POLICY_VIOLATION, f"No subscription came in {SUBSCRIBE_SECONDS:.0f} s."
            )

    def shut_down(self) -> None:
        """End the connection because the server ends."""
        self._duplex.close(GOING_AWAY, "The server is shutting down.")

    def turn_away(self) -> None:
        """End the connection because its token opens nothing any more."""
        self._service.hub.remove(self._viewer)
        self._duplex.close(POLICY_VIOLATION, LAPSED)

    async def run(self) -> None:
        """Tell the viewer what it subscribes to, until the connection ends."""
        expiry = asyncio.get_running_loop().call_later(SUBSCRIBE_SECONDS, self._expire)
        try:
            await self._duplex.run(self._receive)
        finally:
            expiry.cancel()
            self._service.hub.remove(self._viewer)

    async def _receive(self, data: bytes | str) -> None:
        try:
            await self._take(data)
        except StoreError as error:
            log.error("A viewer is told to come again later: %s", error)
            self._duplex.close(TRY_AGAIN_LATER, UNREADABLE)

    async def _take(self, data: bytes | str) -> None:
        try:
            if len(data) > MAX_SUBSCRIPTION:
                raise msgspec.DecodeError(f"it has {len(data)} characters")
            wanted = msgspec.json.decode(data, type=Subscribe)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._duplex.close(POLICY_VIOLATION, f"Not a subscription: {error}.")
            return
        self.grant = self.grant or await self._service.tokens.grant(wanted.token or "", "read")
        if self.grant is None:
            self._duplex.close(POLICY_VIOLATION, "The subscription needs a token to read.")
            return
        await self._subscribe(wanted, Visible(self._service.runs, self.grant))

    async def _subscribe(self, wanted: Subscribe, visible: Visible) -> None:
        runs, hub, viewer, run = self._service.runs, self._service.hub, self._viewer, wanted.run
        stored = await run_in_threadpool(_shown, runs, run) if run and run in visible else None
        # From here on nothing waits, so that no news comes between what is shown and what follows.
        most = self._service.settings.viewers
        if viewer not in hub and len(hub) >= most:
            self._duplex.close(TRY_AGAIN_LATER, f"The server takes {most} viewers.")
            return
        begins = viewer not in hub or viewer.run != run
        viewer.visible = visible
        viewer.subscribe(run, wanted.statistics)
        hub.add(viewer)
        viewer.queue.put("subscribed", wire.encode(wire.Subscribed(id=wanted.id)))
        if run and stored:
            before, schema = stored
            newest = runs.newest_in_memory(run) or before
            if newest.layout is not before.layout:
                schema = newest.encoded_schema()
            if begins and schema:
                viewer.queue.put("schema", schema)
            if frame := _frame(newest, wanted.statistics):
                viewer.queue.put_frame("newest", frame)
            for finding in runs.open_findings(run) if begins else ():
                news = wire.FindingChanged(run=run, finding=finding)
                viewer.tell(news, wire.encode(news))
        self._duplex.wake()


@router.websocket("/api/v1/live")
async def live(socket: WebSocket, service: Annotated[Service, Depends(service_of)]) -> None:
    """A viewer's subscription as JSON; then wire messages, as they are committed."""
    await socket.accept()
    try:
        grant = await service.tokens.grant(bearer(socket.headers), "read")
    except StoreError as error:
        log.error("A viewer is told to come again later: %s", error)
        await socket.close(TRY_AGAIN_LATER, UNREADABLE)
        return
    spectator = Spectator(socket, service, grant)
    with service.connected(spectator):
        await spectator.run()
