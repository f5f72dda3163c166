"""Drives a WebSocket in both directions for an object that knows nothing of sockets."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

GOING_AWAY = 1001
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
LAPSED = "The token was revoked, or has expired."
_REASON_BYTES = 123  # RFC 6455, section 5.5


class Duplex:
    """One accepted connection.

    `data_to_send` is asked for more whenever `wake` was called; `close` ends the connection once
    all that was to be sent is sent.
    """

    def __init__(self, socket: WebSocket, data_to_send: Callable[[], list[bytes]]) -> None:
        self._socket = socket
        self._data_to_send = data_to_send
        self._awake = asyncio.Event()
        self._closing: tuple[int, str] | None = None

    @property
    def closing(self) -> bool:
        """Whether nothing more is to be received."""
        return self._closing is not None

    def wake(self) -> None:
        """There may be something to send."""
        self._awake.set()

    def close(self, code: int, reason: str) -> None:
        """End the connection; the first call decides on code and reason."""
        self._closing = self._closing or (code, reason)
        self.wake()

    async def run(self, received: Callable[[bytes | str], Awaitable[None]]) -> None:
        """Hand on all that is received, until either side ends the connection."""
        sender = asyncio.create_task(self._send())
        try:
            while True:
                event = await self._socket.receive()
                if event["type"] == "websocket.disconnect":
                    break
                if not self.closing:
                    data = event.get("bytes")
                    await received(event["text"] if data is None else data)
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send(self) -> None:
        try:
            while self._closing is None:
                await self._awake.wait()
                self._awake.clear()
                for data in self._data_to_send():
                    await self._socket.send_bytes(data)
            if self._socket.application_state is WebSocketState.CONNECTED:
                code, reason = self._closing
                await self._socket.close(
                    code, reason.encode()[:_REASON_BYTES].decode("utf-8", "ignore")
                )
        except (WebSocketDisconnect, OSError):
            self._closing = self._closing or (GOING_AWAY, "")
