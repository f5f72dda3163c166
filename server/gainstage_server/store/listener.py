"""Hears what other servers change, by PostgreSQL's LISTEN and NOTIFY."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import psycopg

from gainstage_server.store.records import Change

log = logging.getLogger("gainstage.server")

CHANNEL = "gainstage"
# A connection that hangs is noticed within half a minute.
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
}
# How often it is looked whether the store was closed, and a broken connection made anew.
_TURN_SECONDS = 0.25
_AGAIN_SECONDS = 1.0


class _Notice(msgspec.Struct, frozen=True):
    """A map, so that a server passes over what only later releases tell."""

    server: str
    change: Change


_decoder = msgspec.json.Decoder(_Notice)


def notice(server: str, change: Change) -> str:
    """A change as the other servers are told of it."""
    return msgspec.json.encode(_Notice(server, change)).decode()


class Listener:
    """A thread with a connection of its own."""

    def __init__(
        self, url: str, server: str, hear: Callable[[Sequence[Change] | None], None]
    ) -> None:
        """Call `hear` with what servers other than `server` change; with None after a gap."""
        self._url = url
        self._server = server
        self._hear = hear
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gainstage-listener")
        self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except (psycopg.Error, msgspec.MsgspecError) as error:
                log.warning("What other servers change is not heard for now: %s", error)
                self._closed.wait(_AGAIN_SECONDS)

    def _listen(self) -> None:
        with psycopg.connect(
            self._url,
            autocommit=True,
            **KEEPALIVES,
        ) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self._hear(None)
            while not self._closed.is_set():
                heard = connection.notifies(timeout=_TURN_SECONDS, stop_after=1)
                told = [_decoder.decode(one.payload) for one in heard]
                if changes := [one.change for one in told if one.server != self._server]:
                    self._hear(changes)
