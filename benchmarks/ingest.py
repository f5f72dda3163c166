"""How many frames one server stores a second, and how long a frame takes to reach a viewer.

    python -m benchmarks.ingest [--seconds N] [--trainers N] [--rows N] [--json]

A server in a process of its own, on loopback and an empty store, takes frames of 1,000 rows and all
statistics: first as fast as it acknowledges them (after each commit), then ten a second, watched by
a viewer. A frame of the second part carries the time at which it was sent.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from websockets.sync.client import connect

from gainstage import wire
from gainstage.served import served
from gainstage.statistics import IDS

WINDOW = 64  # messages without an acknowledgement, as the library's uplink has them
WATCHED_PER_SECOND = 10

# Levels of a layer that nothing is wrong with; every other statistic is drawn anew.
HEALTHY = {"nonfinite_rate": 0.0, "weight_nonfinite_rate": 0.0, "pre_db": -1.0, "dead_units": 0.0}


@dataclass(frozen=True)
class Frames:
    """Makes the messages of one run."""

    run: str
    rows: int
    values: wire.FloatBlock

    @classmethod
    def drawn(cls, run: str, rows: int) -> "Frames":
        """Values of healthy layers, with noise of a fixed seed."""
        values = np.random.default_rng(0).normal(size=(rows, len(IDS))).astype(np.float32)
        for name, level in HEALTHY.items():
            values[:, IDS.index(name)] = level
        return cls(run, rows, values)

    def opening(self) -> list[bytes]:
        """What comes before the first frame: seq 0 and 1."""
        mask = np.packbits(np.ones(self.rows * len(IDS), bool), bitorder="little").tobytes()
        columns = tuple(wire.Column(name, 1) for name in IDS)
        rows = tuple(
            wire.Row(id=f"{index:016x}", path=f"model/dense_{index}", kind="Dense", fan_in=64.0)
            for index in range(self.rows)
        )
        identity = {"run": self.run, "attempt": "a", "time": time.time()}
        return [
            wire.encode(wire.RunStart(**identity, seq=0, project="benchmark")),
            wire.encode(
                wire.Schema(
                    **identity,
                    seq=1,
                    rows=rows,
                    blocks={"layers": wire.BlockSchema(columns, mask)},
                    training=wire.Training(backend="tensorflow", keras="3"),
                )
            ),
        ]

    def frame(self, seq: int) -> bytes:
        """The frame `seq`, stamped with the time at which it was made."""
        frame = wire.Frame(
            run=self.run, attempt="a", seq=seq, time=time.time(), schema=1, step=10 * seq
        )
        return wire.encode(frame, {"layers": self.values})


def acknowledged(data: bytes | str) -> int:
    """The seq that an answer acknowledges."""
    answer, _ = wire.decode(data if isinstance(data, bytes) else data.encode())
    if not isinstance(answer, wire.Ack):
        raise RuntimeError(f"The server refused a message: {answer}")
    return answer.seq


def flood(api: str, frames: Frames, seconds: float) -> int:
    """Send as the window allows; how many frames were acknowledged in `seconds`."""
    with connect(f"{api}/ingest", compression=None) as connection:
        for message in frames.opening():
            connection.send(message)
        seq, done = 1, -1
        while done < 1:
            done = acknowledged(connection.recv())
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while seq - done < WINDOW:
                seq += 1
                connection.send(frames.frame(seq))
            done = acknowledged(connection.recv())
        return done - 1


def measure_throughput(api: str, trainers: int, rows: int, seconds: float) -> float:
    """Frames a second over all trainers."""
    counts: list[int] = []
    threads = [
        threading.Thread(
            target=lambda run: counts.append(flood(api, Frames.drawn(run, rows), seconds)),
            args=(f"flood{index}",),
        )
        for index in range(trainers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < trainers:
        raise RuntimeError("A trainer failed; its traceback is above.")
    return sum(counts) / seconds


def measure_latency(api: str, rows: int, seconds: float) -> list[float]:
    """Seconds from a frame's making to a viewer's receiving it, one for each frame."""
    frames = Frames.drawn("watched", rows)
    count = max(1, int(seconds * WATCHED_PER_SECOND))
    latencies: list[float] = []
    with (
        connect(f"{api}/live", compression=None, max_size=None) as viewer,
        connect(f"{api}/ingest", compression=None) as trainer,
    ):
        viewer.send(json.dumps({"type": "subscribe", "run": "watched"}))
        for message in frames.opening():
            trainer.send(message)
        while acknowledged(trainer.recv()) < 1:
            pass
        begun = time.monotonic()
        for index in range(count):
            time.sleep(max(0.0, begun + index / WATCHED_PER_SECOND - time.monotonic()))
            trainer.send(frames.frame(2 + index))
            message = None
            while not isinstance(message, wire.Frame):
                message, _ = wire.decode(viewer.recv())
            latencies.append(time.time() - message.time)
            trainer.recv()
    return latencies


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each part")
    parser.add_argument("--trainers", type=int, default=4)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as url:
        api = f"{url.replace('http', 'ws', 1)}/api/v1"
        rate = measure_throughput(api, options.trainers, options.rows, options.seconds)
        latencies = measure_latency(api, options.rows, options.seconds)
    figures = {
        "rows": options.rows,
        "statistics": len(IDS),
        "trainers": options.trainers,
        "frames_per_second": round(rate, 1),
        "latency_median_seconds": round(statistics.median(latencies), 4),
        "latency_worst_seconds": round(max(latencies), 4),
    }
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
