"""Trainers' connections: what they send is stored, then acknowledged."""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, WebSocket

from gainstage import handshake, wire
from gainstage_server.duplex import (
    GOING_AWAY,
    LAPSED,
    POLICY_VIOLATION,
    TRY_AGAIN_LATER,
    Duplex,
)
from gainstage_server.entrance import Outcome
from gainstage_server.grants import Visible, grant_of
from gainstage_server.service import Service, service_of
from gainstage_server.store.records import Key, Stream

log = logging.getLogger("gainstage.server")

router = APIRouter()

# A trainer that never reads why it is refused must not fill the server's memory.
MAX_REFUSALS = 1_000


class Pace:
    """Lets so many events through in a second; a second's worth may come at once."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._due = -math.inf

    def delay(self, now: float) -> float:
        """How long the event that comes `now` has to wait, in seconds."""
        self._due = max(self._due, now - 1.0) + self._gap
        return max(0.0, self._due - now)


class Session:
    """What one trainer is to be told. Knows no socket: outcomes in, bytes out."""

    def __init__(self) -> None:
        self._acknowledged: dict[Stream, int] = {}
        self._refusals: list[wire.Refuse] = []
        self.streams: set[Stream] = set()

    @property
    def runs(self) -> list[str]:
        """The runs of its streams."""
        return sorted({stream.run for stream in self.streams})

    @property
    def overflowed(self) -> bool:
        """Whether the trainer does not read what it is told."""
        return len(self._refusals) > MAX_REFUSALS

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """Take note of what became of messages, in the order in which they came."""
        for outcome in outcomes:
            if isinstance(outcome, Key):
                self.streams.add(outcome.stream)
                known = self._acknowledged.get(outcome.stream, -1)
                self._acknowledged[outcome.stream] = max(known, outcome.seq)
            else:
                self._refusals.append(outcome)

    def data_to_send(self) -> list[bytes]:
        """Refusals first: an acknowledgement covers every seq below its own."""
        answers = [
            *self._refusals,
            *(wire.Ack(**stream._asdict(), seq=seq) for stream, seq in self._acknowledged.items()),
        ]
        self._refusals, self._acknowledged = [], {}
        return [wire.encode(answer) for answer in answers]


class Trainer:
    """A session and the connection that it is held over."""

    def __init__(self, socket: WebSocket, service: Service) -> None:
        self._service = service
        self._session = Session()
        self._duplex = Duplex(socket, self._session.data_to_send)
        self._pace = Pace(service.settings.messages_per_second)
        self._gone = False
        self._refused = 0
        self._name = structlog.contextvars.get_contextvars().get("request")
        self.behind = handshake.behind(socket.headers, time.time())
        self.failed = False
        self.grant = grant_of(socket)
        told = handshake.stream(socket.headers)
        if told is not None and Visible(service.runs, self.grant).get(told[0]) is not None:
            self._session.streams.add(Stream(*told))
            service.runs.connect(Stream(*told))

    @property
    def project(self) -> str | None:
        """The only project whose runs it may send; None: those of all."""
        return self.grant.project

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """Tell the trainer what became of its messages."""
        if self._gone:
            return
        before = set(self._session.streams)
        self._session.answer(outcomes)
        self._count(outcomes)
        for stream in self._session.streams - before:
            self._service.runs.connect(stream)
        if self._session.overflowed:
            self._duplex.close(POLICY_VIOLATION, "Too many messages were refused unread.")
        self._duplex.wake()

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        refusals = [one for one in outcomes if isinstance(one, wire.Refuse)]
        if refusals and not self._refused:
            what = {"runs": self._session.runs, "reason": refusals[0].reason, "request": self._name}
            log.warning("message refused, the first of this trainer", extra=what)
        self._refused += len(refusals)

    def fail(self, reason: str) -> None:
        """Have the trainer come again later."""
        self.failed = True
        self._duplex.close(TRY_AGAIN_LATER, reason)

    def shut_down(self) -> None:
        """End the connection because the server ends."""
        self._duplex.close(GOING_AWAY, "The server is shutting down.")

    def turn_away(self) -> None:
        """End the connection because its token opens nothing any more."""
        self._duplex.close(POLICY_VIOLATION, LAPSED)

    async def run(self) -> None:
        """Store what comes until the connection ends."""
        log.info("trainer connected", extra={"runs": self._session.runs})
        try:
            await self._duplex.run(self._receive)
        finally:
            self._gone = True
            what = {"runs": self._session.runs, "refused": self._refused}
            log.info("trainer disconnected", extra=what)
            for stream in self._session.streams:
                self._service.runs.disconnect(stream, time.time())

    async def _receive(self, data: bytes | str) -> None:
        # Who waits is not read from: its messages stay in its spool.
        if delay := self._pace.delay(time.monotonic()):
            await asyncio.sleep(delay)
        # Text has no prefix, so it is refused like any other bytes that cannot be read.
        await self._service.writer.submit(self, data.encode() if isinstance(data, str) else data)


@router.websocket("/api/v1/ingest")
async def ingest(socket: WebSocket, service: Annotated[Service, Depends(service_of)]) -> None:
    """Wire messages in order of `seq`; each answer is an `ack` or a `refuse`."""
    await socket.accept()
    trainer = Trainer(socket, service)
    if service.counters.trainers >= service.settings.trainers:
        trainer.fail(f"The server takes {service.settings.trainers} trainers. Try again later.")
    with service.connected(trainer):
        service.counters.trainers += 1
        try:
            await trainer.run()
        finally:
            service.counters.trainers -= 1
