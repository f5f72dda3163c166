"""A spool that fills up while there is no server, and is sent once there is one.

python -m benchmarks.delivery.spool [--bytes N]
"""

import argparse
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from websockets.sync.server import ServerConnection, serve

from benchmarks.delivery.frames import Messages
from benchmarks.grid import grid, number
from gainstage import wire
from gainstage.spool import MAX_BYTES, Spool
from gainstage.uplink import Uplink

LAYERS = 1_000
# Frames that are appended once the spool is full.
BEYOND = 4_000
PATIENCE = 600.0


def acknowledge(connection: ServerConnection) -> None:
    """Takes everything, and keeps nothing."""
    for body in connection:
        assert isinstance(body, bytes)
        message = wire.decode_header(body)
        assert isinstance(message, wire.Message)
        ack = wire.Ack(
            run=message.run, attempt=message.attempt, worker=message.worker, seq=message.seq
        )
        connection.send(wire.encode(ack))


def append(spool: Spool, seq: int, body: bytes) -> float:
    """Milliseconds that it takes; then settles, as an uplink's thread would."""
    begun = time.perf_counter()
    spool.append(seq, body, frame=True)
    taken = time.perf_counter() - begun
    spool.settle()
    return 1e3 * taken


def megabytes() -> float:
    """The most memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def drained(spool: Spool) -> float:
    """Seconds in which all is sent to a server in this process."""
    with serve(acknowledge, "127.0.0.1", 0, max_size=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        begun = time.perf_counter()
        uplink = Uplink(spool, f"http://127.0.0.1:{server.socket.getsockname()[1]}", None)
        uplink.drain(PATIENCE)
        taken = time.perf_counter() - begun
        uplink.close()
        server.shutdown()
    if len(spool):
        raise SystemExit(f"{len(spool)} messages were not sent within {PATIENCE:.0f} s.")
    return taken


def measure(path: Path, max_bytes: int, beyond: int = BEYOND) -> str:
    """Fills, thins, opens and drains a spool at `path`."""
    messages = Messages("spool", LAYERS)
    spool = Spool(path, max_bytes=max_bytes)
    seq = 0
    for message in messages.opening():
        spool.append(seq, message, frame=False)
        seq += 1
    filling: list[float] = []
    thinning: list[float] = []
    while not spool.thinned or len(thinning) < beyond:
        times = thinning if spool.thinned else filling
        times.append(append(spool, seq, messages.next()))
        seq += 1
    size, waiting, thinned = path.stat().st_size, len(spool), spool.thinned
    spool.close()
    begun = time.perf_counter()
    spool = Spool(path, max_bytes=max_bytes)
    opened, before = time.perf_counter() - begun, megabytes()
    sent = drained(spool)
    after = megabytes()
    spool.close()

    def row(name: str, times: list[float]) -> tuple[str, ...]:
        return name, *(number(float(np.percentile(times, share)), 2) for share in (50, 99, 100))

    rows = [
        ("ms of an append", "median", "99th percentile", "worst"),
        row("until it is full", filling),
        row("once it is, thinning", thinning),
    ]
    return (
        f"{grid(rows)}\n"
        f"{waiting:,} messages in {size / 2**30:.2f} GiB, {thinned:,} frames thinned\n"
        f"opened in {1e3 * opened:.0f} ms, sent in {sent:.1f} s; "
        f"the most memory was {before:.0f} MB before that and {after:.0f} MB after it"
    )


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delivery.spool")
    parser.add_argument("--bytes", type=int, default=MAX_BYTES, help="the bound (%(default)s)")
    with tempfile.TemporaryDirectory() as folder:
        print(measure(Path(folder) / "run.spool", parser.parse_args().bytes))


if __name__ == "__main__":
    main()
