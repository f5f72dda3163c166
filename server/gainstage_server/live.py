"""Viewers' connections: they subscribe to a run or to the list of runs, and are told the news."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, WebSocket
from starlette.concurrency import run_in_threadpool

from gainstage import wire
from gainstage_server.auth import is_open
from gainstage_server.duplex import GOING_AWAY, POLICY_VIOLATION, TRY_AGAIN_LATER, Duplex
from gainstage_server.hub import Viewer
from gainstage_server.service import Service, service_of

router = APIRouter()
MAX_SUBSCRIPTION = 4_096  # characters


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    """A viewer's only message; `run` None means the list of runs."""

    run: str | None = None
    token: str | None = None


class Spectator:
    """A viewer and the connection to it."""

    def __init__(self, socket: WebSocket, service: Service) -> None:
        self._service = service
        self._viewer = Viewer(service.settings.viewer_frames, self._wake)
        self._duplex = Duplex(socket, self._viewer.queue.data_to_send)

    def _wake(self) -> None:
        if self._viewer.queue.overflowed:
            self._duplex.close(TRY_AGAIN_LATER, "This viewer does not read what it is sent.")
        self._duplex.wake()

    def turn_away(self, reason: str) -> None:
        """Have the viewer come again later."""
        self._duplex.close(TRY_AGAIN_LATER, reason)

    def shut_down(self) -> None:
        """End the connection because the server ends."""
        self._duplex.close(GOING_AWAY, "The server is shutting down.")

    async def run(self) -> None:
        """Tell the viewer what it subscribes to, until the connection ends."""
        self._service.hub.add(self._viewer)
        try:
            await self._duplex.run(self._receive)
        finally:
            self._service.hub.remove(self._viewer)

    async def _receive(self, data: bytes | str) -> None:
        try:
            if len(data) > MAX_SUBSCRIPTION:
                raise msgspec.DecodeError(f"it has {len(data)} characters")
            wanted = msgspec.json.decode(data, type=Subscribe)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._duplex.close(POLICY_VIOLATION, f"Not a subscription: {error}.")
            return
        tokens = self._service.settings.tokens("read")
        if tokens and not is_open(tokens, wanted.token or ""):
            self._duplex.close(POLICY_VIOLATION, "The subscription needs the read token.")
            return
        await self._subscribe(wanted.run)

    async def _subscribe(self, run: str | None) -> None:
        runs = self._service.runs
        stored = await run_in_threadpool(runs.newest, run) if run else None
        # From here on nothing waits, so that no news comes between what is shown and what follows.
        self._viewer.subscribe(run)
        if run and stored:
            newest = runs.newest_in_memory(run) or stored
            if newest.schema:
                self._viewer.queue.put("schema", newest.schema)
            if newest.frame:
                self._viewer.queue.put_frame("newest", newest.frame)
            for finding in runs.open_findings(run):
                news = wire.FindingChanged(run=run, finding=finding)
                self._viewer.offer_finding(news, wire.encode(news))
        self._duplex.wake()


@router.websocket("/api/v1/live")
async def live(socket: WebSocket, service: Annotated[Service, Depends(service_of)]) -> None:
    """A viewer's subscription as JSON; then wire messages, as they are committed."""
    await socket.accept()
    spectator = Spectator(socket, service)
    if len(service.hub) >= service.settings.viewers:
        spectator.turn_away(f"The server takes {service.settings.viewers} viewers.")
    with service.connected(spectator):
        await spectator.run()
