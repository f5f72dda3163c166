"""A trainer as the server sees it: makes messages and talks over a real WebSocket."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np
from websockets.sync.client import ClientConnection, connect

from gainstage import wire
from gainstage.outcome import Contestant
from gainstage.statistics import IDS

ROWS = 3
# Statistic -> its value in a healthy layer and in the canonical case.
LEVELS = {
    "input_db": (-3.0, -5.0),
    "gain_db": (0.0, 3.0),
    "coherence_db": (2.0, 32.0),
    "pre_db": (-1.0, 40.0),
    "bias_db": (-40.0, -40.0),
    "saturation_rate": (0.0, 1.0),
    "saturated_units": (0.0, 1.0),
    "dead_units": (0.0, 0.0),
    "zero_rate": (0.0, 0.0),
    "nonfinite_rate": (0.0, 0.0),
}


@dataclass
class Trainer:
    """Counts its messages, as the library does."""

    run: str = "canonical"
    attempt: str = "a1"
    worker: int = 0
    project: str = "digits"
    statistics: tuple[str, ...] = IDS
    rows: int = ROWS
    time: float = 1_000.0
    seq: int = field(default=-1, init=False)
    schema_seq: int = field(default=-1, init=False)

    def _identity(self) -> dict[str, object]:
        self.seq += 1
        return {
            "run": self.run,
            "attempt": self.attempt,
            "worker": self.worker,
            "seq": self.seq,
            "time": self.time + self.seq,
        }

    def run_start(self, **changes: object) -> bytes:
        fields = {"project": self.project, "tags": ("t",), "config": {"lr": 0.1}} | changes
        return wire.encode(wire.RunStart(**self._identity() | fields))

    def schema_message(self, **changes: object) -> wire.Schema:
        identity = self._identity()
        self.schema_seq = identity["seq"]
        count = self.rows * len(self.statistics)
        mask = np.packbits(np.ones(count, bool), bitorder="little").tobytes()
        columns = tuple(wire.Column(name, 1) for name in self.statistics)
        fields = {
            "rows": tuple(
                wire.Row(
                    id=f"row{index}",
                    path=f"dense_{index}",
                    kind="Dense",
                    kernel_shape=(64, 64),
                    fan_in=64.0,
                    activation="sigmoid",
                    fused=True,
                )
                for index in range(self.rows)
            ),
            "blocks": {"layers": wire.BlockSchema(columns, mask)},
            "training": wire.Training(backend="tensorflow", keras="3.15.1", optimizer="SGD"),
        }
        return wire.Schema(**identity | fields | changes)

    def schema(self, **changes: object) -> bytes:
        return wire.encode(self.schema_message(**changes))

    def frame(self, step: int, values: object = 0.25, **changes: object) -> bytes:
        shape = self.rows, len(self.statistics)
        block = np.broadcast_to(np.asarray(values, np.float32), shape)
        fields = {"schema": self.schema_seq, "step": step, "logs": {"loss": 0.5}} | changes
        return wire.encode(wire.Frame(**self._identity() | fields), {"layers": block})

    def quiet(self, step: int, *loud: int, **changes: object) -> bytes:
        """A frame of healthy layers, but for the rows `loud`: coherence overloads those."""
        values = np.full((self.rows, len(self.statistics)), np.nan, np.float32)
        place = {name: index for index, name in enumerate(self.statistics)}
        for name, (healthy, overloaded) in LEVELS.items():
            values[:, place[name]] = healthy
            values[list(loud), place[name]] = overloaded
        return self.frame(step, values, **changes)

    def loud(self, step: int, **changes: object) -> bytes:
        """A frame in which the second row is the canonical case."""
        return self.quiet(step, 1, **changes)

    def notice(self, text: str = "Probe failed once.", **changes: object) -> bytes:
        fields = {"level": "warning", "code": "probe-failed", "text": text} | changes
        return wire.encode(wire.Notice(**self._identity() | fields))

    def trial(self, outcomes: object = 0.5, **changes: object) -> bytes:
        fields = {
            "layer": "dense_1",
            "contestants": (Contestant("nothing"), Contestant("activity", 0.01)),
            "seeds": (0, 1),
            "steps": (0, 20, 40),
            "columns": ("accuracy", "loss"),
        } | changes
        shape = [len(fields[axis]) for axis in ("contestants", "seeds", "steps", "columns")]
        block = np.broadcast_to(np.asarray(outcomes, np.float32), shape)
        message = wire.TrialResult(**self._identity() | fields)
        return wire.encode(message, {wire.OUTCOMES: block})

    def run_end(self, frames: int = 0, **changes: object) -> bytes:
        fields = {"status": "completed", "frames": frames} | changes
        return wire.encode(wire.RunEnd(**self._identity() | fields))

    def opening(self) -> list[bytes]:
        return [self.run_start(), self.schema()]


def read(data: bytes | str) -> object:
    """A message of the server."""
    assert isinstance(data, bytes)
    return wire.decode(data)[0]


def acknowledged(socket: ClientConnection, seq: int) -> list[wire.Refuse]:
    """Wait until everything up to `seq` is acknowledged; what was refused until then."""
    refused = []
    while True:
        message = read(socket.recv(timeout=10))
        if isinstance(message, wire.Refuse):
            refused.append(message)
        elif message.seq >= seq:
            return refused


def send(url: str, messages: list[bytes], **options: object) -> list[wire.Refuse]:
    """Send `messages` over a connection of their own, and wait for the last one's answer."""
    last = wire.decode(messages[-1])[0].seq
    with connect(f"{url}/api/v1/ingest", **options) as socket:
        for message in messages:
            socket.send(message)
        return acknowledged(socket, last)


def subscribe(
    socket: ClientConnection, run: str | None, token: str | None = None, **wanted: object
) -> None:
    """As the dashboard does; from here on the viewer is told what comes."""
    message = {"type": "subscribe", "run": run, "token": token} | wanted
    socket.send(msgspec.json.encode(message).decode())
    assert read(socket.recv(timeout=10)) == wire.Subscribed(id=wanted.get("id", 0))


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """For what another process or thread does in its own time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It never came to be."
        time.sleep(0.01)
