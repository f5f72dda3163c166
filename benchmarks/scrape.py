"""What a scrape costs the server where many runs have findings, and who waits for it.

    python -m benchmarks.scrape [--short] [--json]

A server in a process of its own has 1,000 runs of a 1,000-layer network in its store, all live,
with 50 open findings each: as many as have series. It is scraped as Prometheus does, in OpenMetrics
and gzip; then one trainer sends frames of 100 layers, each after the last was acknowledged, without
scrapes, with one every 15 seconds, and while one follows the other.

    series       in a scrape
    ms           processor time of the server for a scrape
    wall         from the request to the last byte, of the slowest
    library ms   of this process, to write the same runs by prometheus-client alone
    text ms      the same as the server writes them
    alone        median and 99th percentile of what a frame's acknowledgement takes, without scrapes
    every 15 s   the same with as many scrapes as `ops/prometheus.yml` asks for
    meanwhile    the same with a scrape always going on
"""

import argparse
import gzip
import json
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector
from websockets.sync.client import connect

from benchmarks.delivery.frames import SCHEMA, Messages
from benchmarks.delivery.ingest import acknowledged
from benchmarks.machine import children_cpu_seconds, cores, cpu
from gainstage.exposition import LAYERS_SHOWN, Text, families
from gainstage.finding import Finding
from gainstage.served import DATABASE, served
from gainstage_server.metrics import shown_runs
from gainstage_server.runs import Runs
from gainstage_server.store.records import RunRecord, Stream
from gainstage_server.store.sqlite import SQLiteStore

LAYERS = 1_000
HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
    "Accept-Encoding": "gzip",
}
# So that no run is lost, and loses its series, while this runs.
SEEN_FOR = 3_600.0
LATENCY_LAYERS = 100
SCRAPE_SECONDS = 15.0


@dataclass(frozen=True)
class Scrape:
    """See above; times in milliseconds, latencies as (median, 99th percentile)."""

    runs: int
    series: int
    bytes: int
    ms: float
    wall_ms: float
    library_ms: float
    text_ms: float
    alone_ms: tuple[float, float]
    every_15_s_ms: tuple[float, float]
    meanwhile_ms: tuple[float, float]


def fill(path: Path, runs: int) -> None:
    """Store live runs of 1,000 layers, whose verdicts are several, with 50 open findings each."""
    store = SQLiteStore(path)
    store.open()
    now = time.time()
    verdicts = ("healthy", "healthy", "activity", "dead", "kernel") * (LAYERS // 5)
    with store.write() as transaction:
        for place in range(runs):
            run = f"train-{place:05}"
            record = RunRecord(
                run=run,
                project=f"project-{place % 10}",
                tags=(),
                config={},
                environment={},
                started=now,
                attempt="a",
                attempt_started=now,
                last_seen=now + SEEN_FOR,
                last_frame=now + place / 7,
                step=50 * place,
                frames=place,
                layers=LAYERS,
                verdicts=verdicts,
                worst_saturation=0.912_345,
                mean_saturation=0.123_456,
                worst_excess=12.25,
                worst_nonfinite=0.0,
                costs={"share": 0.008, "budget": 0.01},
            )
            findings = [
                Finding(
                    id=f"{layer}",
                    row=f"{layer:016x}",
                    layer=f"network/block_{layer // 10}/dense_{layer}",
                    verdict=verdicts[2 + layer % 3],
                    severity="warning",
                    since_step=0,
                    last_step=50,
                )
                for layer in range(LAYERS_SHOWN)
            ]
            transaction.put_runs([record])
            transaction.put_findings(Stream(run, "a", 0), findings)
    store.close()


def scrape(url: str) -> bytes:
    """What Prometheus gets."""
    request = urllib.request.Request(f"{url}/metrics", headers=HEADERS)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return gzip.decompress(answer.read())


def written(path: Path, rounds: int) -> tuple[float, float]:
    """Processor milliseconds to write the stored runs: by prometheus-client, and as the server."""
    store = SQLiteStore(path)
    store.open()
    runs = Runs(store, 60.0)
    runs.load()
    store.close()

    class Shown(Collector):
        def collect(self):  # noqa: ANN202
            return families(shown_runs(runs, time.time()))

    registry = CollectorRegistry()
    registry.register(Shown())
    library = _least(lambda: generate_latest(registry), rounds)
    # What follows from findings is written once: they are open for longer than between scrapes.
    text = Text()
    own = _least(lambda: "".join(text.parts(shown_runs(runs, time.time()))).encode(), rounds + 1)
    return library, own


def _least(act: Callable[[], object], rounds: int) -> float:
    taken: list[float] = []
    for _ in range(rounds):
        begun = time.thread_time()
        act()
        taken.append(1e3 * (time.thread_time() - begun))
    return min(taken)


def latencies(url: str, name: str, seconds: float) -> tuple[float, float]:
    """Median and 99th percentile of the milliseconds until a frame is acknowledged."""
    until = time.monotonic() + seconds
    messages = Messages(name, LATENCY_LAYERS)
    taken: list[float] = []
    with connect(f"{url.replace('http', 'ws', 1)}/api/v1/ingest", compression=None) as socket:
        for message in messages.opening():
            socket.send(message)
        while acknowledged(socket.recv()) < SCHEMA:
            pass
        while not taken or time.monotonic() < until:
            message, begun = messages.next(), time.perf_counter()
            socket.send(message)
            while acknowledged(socket.recv()) < messages.newest:
                pass
            taken.append(1e3 * (time.perf_counter() - begun))
    median, high = np.percentile(taken, [50, 99])
    return float(median), float(high)


def while_scraped(
    url: str, act: Callable[[], tuple[float, float]], every: float = 0.0
) -> tuple[float, float]:
    """What `act` returns, one scrape following the other meanwhile, `every` seconds or at once."""
    ended = threading.Event()

    def scraping() -> None:
        while not ended.is_set():
            scrape(url)
            ended.wait(every)

    thread = threading.Thread(target=scraping)
    thread.start()
    try:
        return act()
    finally:
        ended.set()
        thread.join()


def measure(runs: int, rounds: int, seconds: float) -> Scrape:
    """Fill a store, start a server on it, scrape it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / DATABASE
        fill(path, runs)
        library, own = written(path, rounds)
        with served(Path(folder), disk_floor="0") as url:
            page = scrape(url)
            before, times = children_cpu_seconds(), list[float]()
            for _ in range(rounds):
                begun = time.perf_counter()
                scrape(url)
                times.append(time.perf_counter() - begun)
            spent = children_cpu_seconds() - before
            alone = latencies(url, "alone", seconds)
            usual = while_scraped(url, lambda: latencies(url, "usual", seconds), SCRAPE_SECONDS)
            meanwhile = while_scraped(url, lambda: latencies(url, "meanwhile", seconds))
    return Scrape(
        runs=runs,
        series=sum(not line.startswith(b"#") for line in page.splitlines()),
        bytes=len(page),
        ms=1e3 * spent / rounds,
        wall_ms=1e3 * max(times),
        library_ms=library,
        text_ms=own,
        alone_ms=alone,
        every_15_s_ms=usual,
        meanwhile_ms=meanwhile,
    )


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scrape", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--short", action="store_true", help="50 runs, to see that it works")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    found = measure(50, 2, 1.0) if given.short else measure(1_000, 10, 40.0)
    machine = {"cpu": cpu(), "cores": cores()}
    if given.json:
        print(json.dumps({**machine, **asdict(found)}))
        return
    print(f"{machine['cpu']}, {machine['cores']} cores\n")
    print(f"{found.runs:,} runs, {found.series:,} series, {found.bytes / 1e6:.1f} MB before gzip")
    print(f"server       {found.ms:6.0f} ms of processor time a scrape")
    print(f"wall         {found.wall_ms:6.0f} ms, the slowest")
    print(f"library      {found.library_ms:6.0f} ms, for the runs' series alone")
    print(f"text         {found.text_ms:6.0f} ms")
    for name, (median, high) in (
        ("alone", found.alone_ms),
        ("every 15 s", found.every_15_s_ms),
        ("meanwhile", found.meanwhile_ms),
    ):
        print(f"{name:<12} {median:6.1f} ms until a frame is acknowledged, 99 % within {high:.1f}")


if __name__ == "__main__":
    main()
