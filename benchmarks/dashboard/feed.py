"""Sends a network's frames to a server, as the library does."""

import threading
import time
from types import TracebackType
from typing import Self

from websockets.sync.client import ClientConnection, connect

from benchmarks.delivery.ingest import acknowledged
from benchmarks.network import Network
from gainstage.delivery import WINDOW

PER_SECOND = 10


class Trainer:
    """What sends a network's frames, one after the other."""

    def __init__(self, url: str, network: Network) -> None:
        self._address = f"{url.replace('http', 'ws', 1)}/api/v1/ingest"
        self._network = network
        self.frames = 0

    def store(self, frames: int) -> float:
        """Sends frames as fast as they are acknowledged; the seconds that it took."""
        begun = time.monotonic()
        with connect(self._address, compression=None) as connection:
            done = -1
            if self.frames == 0:
                for message in self._network.opening():
                    connection.send(message)
            last = self.frames + frames
            while self.frames < last:
                done = self._send(connection, done)
            while done < self._seq:
                done = acknowledged(connection.recv())
        return time.monotonic() - begun

    @property
    def _seq(self) -> int:
        """Of the newest frame."""
        return self.frames + 1

    def _send(self, connection: ClientConnection, done: int) -> int:
        connection.send(self._network.message(self.frames))
        self.frames += 1
        while self._seq - done > WINDOW:
            done = acknowledged(connection.recv())
        return done

    def follow(self, ended: threading.Event) -> None:
        """Sends PER_SECOND frames a second until the end."""
        with connect(self._address, compression=None) as connection:
            begun, sent = time.monotonic(), 0
            while not ended.wait(max(0.0, begun + sent / PER_SECOND - time.monotonic())):
                self._send(connection, self._seq)
                sent += 1
                while acknowledged(connection.recv()) < self._seq:
                    pass


class Live:
    """Frames at PER_SECOND, for as long as the block lasts."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    @property
    def frames(self) -> int:
        """Sent so far, the stored ones with them."""
        return self._trainer.frames

    def _run(self) -> None:
        try:
            self._trainer.follow(self._ended)
        except BaseException as error:
            self._error = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise RuntimeError("The trainer failed.") from self._error
