"""The servers that are loaded: their deaths, and what they say of themselves."""

import re
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import NamedTuple

from benchmarks.machine import cpu_seconds, resident_mib
from tests.faults.processes import Server

SCRAPE_SECONDS = 15.0
COMMITS = re.compile(rb"^gainstage_store_commit_seconds_sum (\S+)", re.MULTILINE)


class Clocks(NamedTuple):
    """Seconds of wall, of all servers' cores, and in which their writers worked."""

    wall: float
    cpu: float
    busy: float

    def since(self, earlier: "Clocks") -> "Clocks":
        """What has passed."""
        return Clocks(*(late - early for late, early in zip(self, earlier, strict=True)))


class Watched:
    """One server, through all its deaths.

    Attributes:
        busy: Seconds that its writer took, as it says itself.
        memory_mib: The most that it had.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.busy = self.memory_mib = 0.0
        self._cpu = self._committing = 0.0  # of those that were killed, and at the last look

    def look(self) -> None:
        """Ask it, as Prometheus would."""
        with urllib.request.urlopen(f"{self.server.url}/metrics", timeout=60) as answer:
            found = COMMITS.search(answer.read())
        committing = float(found[1]) if found else 0.0
        self.busy += committing - self._committing
        self._committing = committing
        self.memory_mib = max(self.memory_mib, resident_mib(self.server.process.pid))

    @property
    def cpu(self) -> float:
        """Seconds of all cores."""
        return self._cpu + cpu_seconds(self.server.process.pid)

    def restart(self) -> None:
        """Kill it, and start it again; what its writer did since the last look is not counted."""
        self._cpu = self.cpu
        self._committing = 0.0
        self.server.process.kill()
        self.server.start()


class Watch:
    """All servers: read every 15 s, and where they are killed, one every so many seconds.

    In a thread of its own, as it takes long until one has started again.
    """

    def __init__(self, servers: Sequence[Server], kill_seconds: float | None) -> None:
        self.kills = 0
        self._all = [Watched(server) for server in servers]
        self._turns = cycle(self._all)
        self._kill_seconds = kill_seconds
        self._looked = self._killed = time.monotonic()
        self._thread = ThreadPoolExecutor(1, "watch")
        self._turn = self._thread.submit(lambda: None)

    def turn(self, now: float, *, killing: bool) -> None:
        """Begin what is due, unless something is being done."""
        if not self._turn.done():
            return
        self._turn.result()
        if now - self._looked >= SCRAPE_SECONDS:
            self._looked = now
            self._turn = self._thread.submit(self._look)
        elif killing and self._kill_seconds and now - self._killed >= self._kill_seconds:
            self._killed = now
            self.kills += 1
            self._turn = self._thread.submit(next(self._turns).restart)

    def clocks(self) -> Clocks:
        """As they stand when all servers are there."""
        return self._thread.submit(self._look).result()

    def close(self) -> None:
        """Return when nothing is being done."""
        self._thread.shutdown()

    def _look(self) -> Clocks:
        for watched in self._all:
            watched.look()
        return Clocks(
            time.monotonic(),
            sum(watched.cpu for watched in self._all),
            sum(watched.busy for watched in self._all),
        )

    @property
    def memory_mib(self) -> float:
        """The most that one had."""
        return max(watched.memory_mib for watched in self._all)
