"""Frames that a server stores in a second, and those that its store alone would."""

import contextlib
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from benchmarks.delivery.frames import ATTEMPT, COUNT, SCHEMA, Messages
from benchmarks.machine import children_cpu_seconds
from gainstage import wire
from gainstage.delivery import WINDOW
from gainstage.served import DATABASE, served
from gainstage_server.store.records import FrameRecord, Key
from gainstage_server.store.sqlite import SQLiteStore

WARM_UP, POLL = 1.0, 0.01  # seconds


@dataclass(frozen=True)
class Ingest:
    """What a server did, and its store alone.

    Attributes:
        frames: Acknowledged while the clock ran.
        values: In a frame, which has so many `bytes`.
        per_second: Frames.
        batch: Messages in a transaction, on average.
        server_ms: Of all cores, for a frame.
        sender_ms: The same of what sent.
        raw_per_second: Frames, into a fresh store in batches as large, with no server.
    """

    frames: int
    values: int
    bytes: int
    per_second: float
    batch: float
    server_ms: float
    sender_ms: float
    raw_per_second: float

    @property
    def share(self) -> float:
        """Of the raw speed."""
        return self.per_second / self.raw_per_second


def acknowledged(data: bytes | str) -> int:
    """The seq that an answer acknowledges."""
    answer, _ = wire.decode(data if isinstance(data, bytes) else data.encode())
    if not isinstance(answer, wire.Ack):
        raise RuntimeError(f"The server refused a message: {answer}")
    return answer.seq


class Flood:
    """Trainers that send whatever the window allows, each in a thread of its own."""

    def __init__(self, url: str, trainers: int, layers: int) -> None:
        self._address = f"{url.replace('http', 'ws', 1)}/api/v1/ingest"
        self._messages = [Messages(f"flood-{place}", layers) for place in range(trainers)]
        self._done = [0] * trainers
        self._ready = threading.Barrier(trainers + 1)
        self._ended = threading.Event()
        self._failures: list[BaseException] = []

    @property
    def frames(self) -> int:
        """Acknowledged so far."""
        return sum(self._done)

    def run(self, watch: Callable[[], None]) -> None:
        """Send until `watch` returns, which begins when all are connected."""
        threads = [
            threading.Thread(target=self._guarded, args=(place,))
            for place in range(len(self._messages))
        ]
        for thread in threads:
            thread.start()
        try:
            self._ready.wait()
            watch()
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()
        if self._failures:
            raise RuntimeError("A trainer failed.") from self._failures[0]

    def _guarded(self, place: int) -> None:
        try:
            with connect(self._address, compression=None) as connection:
                self._send(connection, place)
        except BaseException as error:
            self._failures.append(error)
            self._ready.abort()

    def _send(self, connection: ClientConnection, place: int) -> None:
        messages = self._messages[place]
        for message in messages.opening():
            connection.send(message)
        while acknowledged(connection.recv()) < SCHEMA:
            pass
        self._ready.wait()
        while not self._ended.is_set():
            while messages.frames - self._done[place] < WINDOW:
                connection.send(messages.next())
            self._done[place] = acknowledged(connection.recv()) - SCHEMA


def commits(url: str) -> int:
    """Transactions of the server so far."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("gainstage_store_commit_seconds_count"):
                return int(float(line.split()[-1]))
    raise RuntimeError(f"{url}/metrics does not count commits.")


def measure(folder: Path, *, trainers: int, layers: int, seconds: float, raw: float) -> Ingest:
    """A server for `seconds`, then its store for `raw` seconds.

    Raises:
        RuntimeError: A frame that was acknowledged is not stored.
    """
    marks: list[tuple[float, ...]] = []
    with served(folder, disk_floor="0") as url:
        flood = Flood(url, trainers, layers)

        def watch() -> None:
            for wait in (WARM_UP, seconds):
                seen = flood.frames
                time.sleep(wait)
                while flood.frames == seen:  # or there is nothing to measure
                    time.sleep(POLL)
                clocks = time.monotonic(), time.process_time(), children_cpu_seconds()
                marks.append((flood.frames, commits(url), *clocks))

        flood.run(watch)
    frames, committed, wall, sender, server = (
        late - early for early, late in zip(*marks, strict=True)
    )
    check(folder / DATABASE, flood.frames)
    batch = frames / max(committed, 1)
    for left in folder.glob(f"{DATABASE}*"):
        left.unlink()
    sent = Messages("raw", layers)
    return Ingest(
        frames=int(frames),
        values=layers * COUNT,
        bytes=len(sent.next()),
        per_second=frames / wall,
        batch=batch,
        server_ms=1e3 * server / frames,
        sender_ms=1e3 * sender / frames,
        raw_per_second=_raw_speed(folder / "raw.db", sent, max(1, round(batch)), raw),
    )


def check(path: Path, acknowledged: int) -> None:
    """Raise where fewer are stored than were acknowledged."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        stored = database.execute("SELECT count(*) FROM frames").fetchone()[0]
    if stored < acknowledged:
        raise RuntimeError(f"{acknowledged} frames were acknowledged, {stored} are stored.")


def _raw_speed(path: Path, messages: Messages, batch: int, seconds: float) -> float:
    """Frames a second that the store takes in batches of so many."""
    store = SQLiteStore(path)
    store.open()
    stored, begun = 0, time.monotonic()
    while (wall := time.monotonic() - begun) < seconds:
        records: list[FrameRecord] = []
        for _ in range(batch):
            raw = messages.next()
            seq = messages.newest
            key = Key(messages.run, ATTEMPT, 0, seq)
            records.append(FrameRecord(*key, SCHEMA, "probe", seq, time.time(), raw))
        with store.write() as transaction:
            transaction.add([], records)
        stored += batch
    store.close()
    return stored / wall
