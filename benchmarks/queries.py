"""What views of one long run take, and how large it is where it is stored.

    python -m benchmarks.queries [--every N] [--database URL] [--short] [--json]

A run of a 1,000-layer network with 40 statistics over 100,000 steps, put into an empty store of its
own, compacted as a server does it, and deleted at the end. By default every 50th step is sampled,
as a training does that may take 1 % longer: 2,000 frames. With --every 1 all 100,000 are, which
takes seven minutes and 12 GB. --database names an empty PostgreSQL in place of a file.

    first, median   milliseconds to the last byte of an answer over HTTP: of the first one that a
                    server gives after its start, and of the next ten
    bytes a value   of a chunk, with all rollups and without; of float32 as it comes; and of the
                    same values in a Parquet file, a column for each layer's statistic, with zstd
"""

import argparse
import io
import json
import shutil
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.delivery.frames import COUNT, STATISTICS
from benchmarks.grid import grid, number
from benchmarks.machine import cores, cpu
from benchmarks.network import Network
from gainstage import wire
from gainstage.served import DATABASE, served
from gainstage_server.compaction.chunk import FRAMES, Stored, encode
from gainstage_server.compaction.compactor import Compactor
from gainstage_server.settings import Settings
from gainstage_server.store import store_at
from gainstage_server.store.interface import Store
from gainstage_server.store.records import AttemptRecord, FrameRecord, MessageRecord, RunRecord

LAYERS, STEPS, EVERY = 1_000, 100_000, 50
RUN, ATTEMPT, SCHEMA = "long", "a", 1
ROUNDS = 10
# What a store takes of a frame until it is compacted, and the most that chunks leave of it.
SPARE_BYTES, VALUE_BYTES = 2 * 2**30, 3
PAGE = {"accept": "application/x-gainstage"}
SERIES = f"/series?layer={5:016x}&statistic=pre_db"
OPENING = ("", "/layers", "/findings", "/trials", "/logs")


@dataclass(frozen=True)
class Answer:
    """What one view takes."""

    view: str
    limit_ms: float
    first_ms: float
    median_ms: float

    @property
    def held(self) -> bool:
        """Whether the limit holds, at the first time too."""
        return max(self.first_ms, self.median_ms) < self.limit_ms


@dataclass(frozen=True)
class Size:
    """Bytes of a value."""

    chunks: float
    without_rollups: float
    parquet: float
    raw: float = 4.0


def frames_of(network: Network, every: int, steps: int) -> Iterator[FrameRecord]:
    """One of each `every` steps."""
    for seq in range(steps // every):
        header, blocks = wire.decode(network.message(seq))
        assert isinstance(header, wire.Frame)
        step = every * seq
        raw = wire.encode(
            wire.Frame(
                run=RUN,
                attempt=ATTEMPT,
                seq=SCHEMA + 1 + seq,
                time=header.time,
                schema=SCHEMA,
                step=step,
                logs=header.logs,
            ),
            blocks,
        )
        yield FrameRecord(
            RUN, ATTEMPT, 0, SCHEMA + 1 + seq, SCHEMA, "probe", step, header.time, raw
        )


def fill(store: Store, network: Network, every: int, steps: int) -> float:
    """Put the run into `store`; seconds of processor time that compacting took."""
    now = time.time()
    start, schema = network.opening()
    count = steps // every
    run = RunRecord(
        run=RUN,
        project="benchmark",
        tags=(),
        config={},
        environment={},
        started=now,
        attempt=ATTEMPT,
        attempt_started=now,
        last_seen=now,
        schema=SCHEMA,
        layers=network.layers,
        frames=count,
        step=steps,
        logs={"loss": 0.5, "accuracy": 0.8},
    )
    attempt = AttemptRecord(
        run=RUN,
        attempt=ATTEMPT,
        worker=0,
        started=now,
        frames=count,
        first_step=0,
        last_step=every * (count - 1),
    )
    opening = [
        MessageRecord(RUN, ATTEMPT, 0, seq, kind, now, raw)
        for seq, (kind, raw) in enumerate((("run_start", start), ("schema", schema)))
    ]
    with store.write() as transaction:
        transaction.put_runs([run])
        transaction.put_attempts([attempt])
        transaction.add(opening, [])
    compactor, compacting = Compactor(Settings(disk_floor=0), store), 0.0
    batch: list[FrameRecord] = []
    frames = frames_of(network, every, steps)
    for frame in frames:
        batch.append(frame)
        if len(batch) == FRAMES or frame.seq == SCHEMA + count:
            with store.write() as transaction:
                transaction.add([], batch)
            batch.clear()
            begun = time.process_time()
            while compactor.step():
                pass
            compacting += time.process_time() - begun
    return compacting


def size(network: Network) -> Size:
    """Of FRAMES frames, as a chunk and as Parquet."""
    schema = wire.decode(network.opening()[1])[0]
    assert isinstance(schema, wire.Schema)
    raws = [network.message(frame) for frame in range(FRAMES)]
    made = encode(schema, [Stored(seq, seq, 0.0, raw) for seq, raw in enumerate(raws)])
    blocks = [wire.decode(raw)[1] for raw in raws]
    values = np.stack(
        [np.concatenate([one[name] for name in STATISTICS], axis=1) for one in blocks]
    )
    columns = values.reshape(FRAMES, -1)
    table = pa.table({str(index): column for index, column in enumerate(columns.T)})
    written = io.BytesIO()
    pq.write_table(table, written, compression="zstd")
    of_parts = sum(len(part.data) for part in made.parts)
    exact = sum(len(part.data) for part in made.parts if part.factor == 1)
    return Size(of_parts / values.size, exact / values.size, written.tell() / values.size)


def ask(url: str, path: str) -> None:
    """Read an answer to its end."""
    request = urllib.request.Request(f"{url}/api/v1/runs/{RUN}{path}", headers=PAGE)
    with urllib.request.urlopen(request) as answer:
        answer.read()


def measure(folder: Path, settings: dict[str, str]) -> list[Answer]:
    """Every view, each of a server that has just been started."""
    heatmap = "/heatmap?statistic=pre_db"
    views = (
        ("heatmap of a statistic, whole run", 300.0, (heatmap,)),
        ("series, whole run", 50.0, (SERIES,)),
        ("opening a run", 200.0, OPENING),
    )
    answers: list[Answer] = []
    for view, limit, paths in views:
        with served(folder, **settings) as url:
            ask(url, "")  # the connection to the store, and the code
            taken = [_taken(url, paths) for _ in range(1 + ROUNDS)]
        answers.append(Answer(view, limit, taken[0], statistics.median(taken[1:])))
    return answers


def _taken(url: str, paths: Sequence[str]) -> float:
    begun = time.perf_counter()
    for path in paths:
        ask(url, path)
    return 1e3 * (time.perf_counter() - begun)


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.queries", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--every", type=int, default=EVERY, help="steps between samples")
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--database", help="an empty PostgreSQL, postgresql://...")
    parser.add_argument("--short", action="store_true", help="few layers and steps: claims nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    steps = STEPS
    if given.short:
        given.layers, given.every, steps = 10, 50, 20_000
    network = Network(RUN, given.layers, STATISTICS)
    with tempfile.TemporaryDirectory(prefix="gainstage-queries-") as name:
        folder = Path(name)
        needed = SPARE_BYTES + VALUE_BYTES * given.layers * COUNT * (steps // given.every)
        if not given.database and shutil.disk_usage(folder).free < needed:
            parser.error(
                f"{folder} needs {needed / 2**30:.0f} GiB free. Set TMPDIR to a larger disk."
            )
        database = given.database or str(folder / DATABASE)
        store = store_at(database)
        store.open()
        try:
            compacting = fill(store, network, given.every, steps)
            held = store.size_bytes()
            answers = measure(folder, {"database": database, "disk_floor": "0"})
        finally:
            with store.write() as transaction:
                transaction.drop_run(RUN)
            store.close()
    frames = steps // given.every
    values = frames * given.layers * COUNT
    found = {
        "cpu": cpu(),
        "cores": cores(),
        "database": "PostgreSQL" if given.database else "SQLite",
        "layers": given.layers,
        "statistics": COUNT,
        "steps": steps,
        "frames": frames,
        "compacting_ms": 1e3 * compacting / frames,
        "stored_bytes": held,
        "stored_bytes_a_value": held / values,
    }
    sizes = size(network)
    if given.json:
        told = [asdict(one) | {"held": one.held} for one in answers]
        print(json.dumps(found | {"answers": told, "bytes_a_value": asdict(sizes)}))
        return
    print(
        f"{found['cpu']}, {found['cores']} cores; {found['database']}\n"
        f"{given.layers:,} layers, {COUNT} statistics, {steps:,} steps, {frames:,} frames; "
        f"compacting took {found['compacting_ms']:.2f} ms of processor time a frame\n"
    )
    print(grid([("view", "first ms", "median ms", "wanted", ""), *map(_row, answers)]), "\n")
    print(
        grid(
            [
                ("bytes a value", ""),
                ("in the store, with all that is beside it", number(held / values, 2)),
                ("in a chunk", number(sizes.chunks, 2)),
                ("in a chunk without rollups", number(sizes.without_rollups, 2)),
                ("Parquet with zstd", number(sizes.parquet, 2)),
                ("float32", number(sizes.raw, 2)),
            ]
        )
    )


def _row(answer: Answer) -> tuple[str, ...]:
    held = "holds" if answer.held else "does not hold"
    first, median = number(answer.first_ms, 0), number(answer.median_ms, 0)
    return (answer.view, first, median, f"< {answer.limit_ms:.0f}", held)


if __name__ == "__main__":
    main()
