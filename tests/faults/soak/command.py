"""Runs the soak, and says what came of it."""

import argparse
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
from benchmarks.delivery.frames import SCHEMA
from benchmarks.machine import children_cpu_seconds, resident_mib
from tests.faults.figures import tell
from tests.faults.journal import ask
from tests.faults.processes import ROOT, Server
from tests.faults.proxy import Proxy

from .trainers import Ended, Work
from .viewers import Viewers

LAYERS = 100
TRAINERS_OF_A_PROCESS = 50
CUT_SECONDS = 2.0  # between two cuts, on average
SCRAPE_SECONDS = 15.0
LOOK_SECONDS = 0.5
# Retention takes the oldest runs when all take more: minutes after they have ended.
KEEP_BYTES = 48 * 2**20
TIMES = 10  # at which the memory is reported
# The server fills its caches at first. Then what it holds may differ by this much, between the
# means of two times as long: more would be a gigabyte in a few days.
WARM, GROWTH_MIB = 0.4, 10.0


@dataclass(frozen=True)
class Soaked:
    """What came of it.

    Attributes:
        deleted: Of the runs, those that retention has deleted.
        frames: That were appended, of runs that have ended.
        lost: Messages that were appended and are not stored, or are more than once.
        cuts: Connections of trainers that were broken off.
        growth_mib: By which the server's memory grew once it was warm.
        memory_mib: Of the server, at ten times.
        store_mib: Of the server's disk, at the end.
        cores: That the server and all trainers used, on average.
    """

    minutes: float
    trainers: int
    viewers: int
    runs: int
    deleted: int
    frames: int
    lost: int
    cuts: int
    viewer_messages: int
    growth_mib: float
    memory_mib: tuple[float, ...]
    store_mib: float
    cores: float

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, and the memory flat."""
        return not self.lost and self.growth_mib <= GROWTH_MIB


def growth(memory: Sequence[float]) -> float:
    """By how much memory grew from the first to the second half of the time when it was warm."""
    warm = memory[int(len(memory) * WARM) :]
    half = len(warm) // 2
    return float(np.median(warm[half:]) - np.median(warm[:half]))


class Runs:
    """Those that trainers told have ended: compared with the store before retention takes them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.ended = self.frames = self.lost = 0

    def check(self, ended: Ended) -> None:
        """All of it is stored once."""
        end = SCHEMA + 1 + ended.frames
        for table, expected in (
            ("messages", [*range(SCHEMA + 1), end]),
            ("frames", list(range(SCHEMA + 1, end))),
        ):
            question = f"SELECT seq FROM {table} WHERE run = ? ORDER BY seq"
            stored = [seq for (seq,) in ask(self._server.database, question, ended.run)]
            self.lost += len(set(expected) ^ set(stored)) + len(stored) - len(set(stored))
        self.ended += 1
        self.frames += ended.frames

    @property
    def deleted(self) -> int:
        """How many retention has deleted."""
        ((stored,),) = ask(self._server.database, "SELECT count(*) FROM runs")
        return self.ended - stored


class Trainers:
    """The processes of all trainers; what they told is handed on."""

    def __init__(self, url: str, folder: Path, options: argparse.Namespace) -> None:
        self.told: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        for first in range(0, options.trainers, TRAINERS_OF_A_PROCESS):
            work = Work(
                url=url,
                folder=folder,
                name=str(first),
                trainers=min(TRAINERS_OF_A_PROCESS, options.trainers - first),
                layers=LAYERS,
                seconds=60.0 * options.minutes,
                seed=options.seed + first,
                busy=not first,
            )
            self._start(work)

    def _start(self, work: Work) -> None:
        line = msgspec.json.encode(work, enc_hook=str).decode()
        command = [sys.executable, "-m", "tests.faults.soak.trainers", line]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self._processes.append(process)
        self._threads.append(threading.Thread(target=self._read, args=(process.stdout,)))
        self._threads[-1].start()

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.told.put(msgspec.json.decode(line, type=Ended))

    @property
    def alive(self) -> bool:
        """Whether all are at work.

        Raises:
            RuntimeError: One has failed.
        """
        states = [process.poll() for process in self._processes]
        if any(states):
            raise RuntimeError(f"Trainers failed, as they say above: {states}.")
        return any(state is None for state in states)

    def close(self) -> None:
        """Ends those that are still there."""
        for process in self._processes:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            process.stdout.close()


def _chooser(server: Server, seed: int) -> Callable[[bool], str]:
    """Draws a run that goes on; the busiest one for a slow viewer."""
    rng = random.Random(seed)

    def choose(slow: bool) -> str:
        pattern = "busy-%" if slow else "%"
        question = "SELECT run FROM runs WHERE run LIKE ? AND ended IS NULL"
        runs = ask(server.database, question, pattern)
        return rng.choice(runs)[0] if runs else "none-yet"

    return choose


def soak(options: argparse.Namespace) -> Soaked:
    """Trains, looks, cuts and measures for as long as it is to."""
    rng = random.Random(options.seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(Server(folder / "server", keep_bytes=str(KEEP_BYTES)))
        server.start()
        proxy = stack.enter_context(Proxy(server.port))
        viewers = stack.enter_context(
            Viewers(server.url, options.viewers, _chooser(server, options.seed), options.seed)
        )
        trainers = stack.enter_context(closing(Trainers(proxy.url, folder / "spool", options)))
        runs, memory, cuts = Runs(server), [], 0
        begun, cpu = time.monotonic(), children_cpu_seconds()
        cut = scraped = begun
        while trainers.alive:
            now = time.monotonic()
            memory.append(resident_mib(server.process.pid))
            if now >= cut:
                proxy.cut_one(rng)
                cuts, cut = cuts + 1, now + rng.expovariate(1 / CUT_SECONDS)
            if now >= scraped:
                scraped = now + SCRAPE_SECONDS
                with urllib.request.urlopen(f"{server.url}/metrics") as answer:
                    answer.read()
            while not trainers.told.empty():
                runs.check(trainers.told.get())
            time.sleep(max(0.0, now + LOOK_SECONDS - time.monotonic()))
        cores = (children_cpu_seconds() - cpu) / (time.monotonic() - begun)
        trainers.close()
        while not trainers.told.empty():
            runs.check(trainers.told.get())
        return Soaked(
            minutes=options.minutes,
            trainers=options.trainers,
            viewers=options.viewers,
            runs=runs.ended,
            deleted=runs.deleted,
            frames=runs.frames,
            lost=runs.lost,
            cuts=cuts,
            viewer_messages=viewers.messages,
            growth_mib=growth(memory),
            memory_mib=tuple(memory[:: max(1, len(memory) // TIMES)][:TIMES]),
            store_mib=server.database.stat().st_size / 2**20,
            cores=cores,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Soak, then print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--trainers", type=int, default=200)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    soaked = soak(options)
    tell(asdict(soaked), as_json=options.json)
    if not soaked.holds:
        sys.exit(1)
