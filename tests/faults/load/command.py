"""Loads servers, and says what came of it."""

import argparse
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from benchmarks.delivery.frames import Messages
from tests.faults.figures import tell
from tests.faults.processes import Process, Server
from tests.faults.proxy import Proxy
from tests.postgresql import cluster

from gainstage_server.store import store_at

from .servers import Clocks, Watch
from .stored import Stored
from .trainers import Burst, Ran, Sent, Steady, Told, Work

FRAMES = 30  # of a run that ends: five minutes at one in 10 s
# Of what all runs would take if they had all their frames: half of it is of those that go on.
KEEP = 1.0
# After its end a run is looked up when the server has had time to compact it, and none to delete
# it: half of what is kept is of those that ended in the time of the last FRAMES / 2.
CHECK_AFTER = 2.0  # times the seconds between two frames
RAMP = 6.0  # times the same: to begin a run costs a server as much as a dozen frames
LOOK_SECONDS = 0.2
HEADROOM = 5.0


@dataclass(frozen=True)
class Loaded:
    """What came of it.

    Attributes:
        ended: Runs that ended; `deleted` are those that retention has taken.
        kills: Servers killed and started again, one every `kill_seconds`; 0: none is.
        connections: That trainers lost.
        frames: Acknowledged, which are `bytes` long; `checked` of them were looked up in the store:
            `compacted` in chunks, and `compared` byte by byte.
        lost: Messages that were acknowledged and are missing, there twice, or other than sent.
        per_second: Frames, of `needed`.
        delay_p99: Seconds from when a frame was made to when it was acknowledged.
        cores: That servers used, on average.
        busy: Share of the time in which a server's writer worked, on average.
        burst_per_second: Frames, when all sent as fast as they could.
        memory_mib: The most that a server had.
        stored_mib: That the store takes.
    """

    servers: int
    minutes: float
    runs: int
    ended: int
    deleted: int
    kills: int
    kill_seconds: float
    connections: int
    frames: int
    bytes: int
    checked: int
    compacted: int
    compared: int
    lost: int
    needed: float
    per_second: float
    delay_p99: float
    delay_worst: float
    cores: float
    busy: float
    burst_per_second: float
    burst_cores: float
    memory_mib: float
    stored_mib: float

    @property
    def headroom(self) -> float:
        """How many times what is needed was stored in the burst."""
        return self.burst_per_second / self.needed

    @property
    def kept_up(self) -> bool:
        """Whether frames were stored as fast as they were made.

        That is before the next ones came; where a server is killed, before the next one is.
        """
        patience = self.kill_seconds or self.runs / self.needed
        return self.per_second >= 0.95 * self.needed and self.delay_p99 < patience

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, the servers kept up, and one alone could take far more."""
        enough = self.servers > 1 or self.headroom >= HEADROOM
        return not self.lost and self.kept_up and enough


class Trainers(Process):
    """The process of all trainers."""

    def __init__(self, work: Work, log: Path) -> None:
        super().__init__("tests.faults.load.trainers", msgspec.json.encode(work).decode(), log=log)
        self._lines = log.open("rb")
        self._rest = b""

    def told(self) -> Iterator[Told]:
        """What they have said since the last call."""
        *lines, self._rest = (self._rest + self._lines.read()).split(b"\n")
        for line in lines:
            yield self._read(line)

    def _read(self, line: bytes) -> Told:
        try:
            return msgspec.json.decode(line, type=Told)
        except msgspec.DecodeError:
            raise RuntimeError(f"The trainers failed.\n{self.said()[-4_000:]}") from None

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._lines.close()


class Load:
    """One load of servers over a store."""

    def __init__(self, options: argparse.Namespace, database: str, watch: Watch) -> None:
        self.ended: list[Ran] = []
        self.sent: Sent | None = None
        self.watch = watch
        self._store = store_at(database)
        self.stored = Stored(self._store, options.layers)
        self._check_after = CHECK_AFTER * options.every
        self._going_on: list[Ran] = []
        self._to_check: deque[tuple[float, Ran]] = deque()
        # When all runs went on, when the burst began, and when it ended.
        self._marks: list[Clocks] = []

    def hear(self, told: Told) -> None:
        """Take note of what trainers said."""
        match told:
            case Ran(ended=True):
                self.ended.append(told)
                self._to_check.append((time.monotonic() + self._check_after, told))
            case Ran():
                if not self._going_on:
                    self._marks.append(self.watch.clocks())
                self._going_on.append(told)
            case Steady() | Burst():
                self._marks.append(self.watch.clocks())
            case Sent():
                self.sent = told

    def turn(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        self.watch.turn(now, killing=len(self._marks) == 1)
        while self._to_check and self._to_check[0][0] <= now:
            self.stored.check(self._to_check.popleft()[1])

    def check_all(self) -> None:
        """All that has not been looked up, and every byte of what is still there."""
        there = {record.run for record in self._store.runs()}
        late = {ran.run for _, ran in self._to_check}
        for ran in [*self.ended, *self._going_on]:
            if ran.run in there or ran.run in late or not ran.ended:
                self.stored.check(ran, whole=True)

    def result(self, options: argparse.Namespace) -> Loaded:
        """All of it, once everything was looked up."""
        if self.sent is None:
            raise RuntimeError("The trainers ended before they were to.")
        there = {record.run for record in self._store.runs()}
        begun, burst, over = self._marks
        steady, at_full_speed = burst.since(begun), over.since(burst)
        return Loaded(
            servers=options.servers,
            minutes=options.minutes,
            runs=options.runs,
            ended=len(self.ended),
            deleted=sum(ran.run not in there for ran in self.ended),
            kills=self.watch.kills,
            kill_seconds=options.kill if options.servers > 1 else 0.0,
            connections=self.sent.lost,
            frames=self.sent.frames,
            bytes=frame_bytes(options.layers),
            checked=sum(self.stored.frames.values()),
            compacted=sum(self.stored.compacted.values()),
            compared=sum(self.stored.compared.values()),
            lost=self.stored.lost,
            needed=options.runs / options.every,
            per_second=self.sent.per_second,
            delay_p99=self.sent.delay_p99,
            delay_worst=self.sent.delay_worst,
            cores=steady.cpu / steady.wall,
            busy=steady.busy / steady.wall / options.servers,
            burst_per_second=self.sent.burst_per_second,
            burst_cores=at_full_speed.cpu / at_full_speed.wall,
            memory_mib=self.watch.memory_mib,
            stored_mib=self._store.size_bytes() / 2**20,
        )

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()


def frame_bytes(layers: int) -> int:
    """How long a frame is."""
    return len(Messages("load", layers).next())


def load(options: argparse.Namespace) -> Loaded:
    """Trains, kills, looks and measures for as long as it is to."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        database = str(folder / "gainstage.db")
        if options.servers > 1:
            database = stack.enter_context(stack.enter_context(cluster(durable=True)).database())
        keep = int(KEEP * FRAMES * options.runs * frame_bytes(options.layers))
        running = stack.enter_context(ExitStack())
        servers = [
            running.enter_context(
                Server(folder / f"server-{place}", database=database, keep_bytes=str(keep))
            )
            for place in range(options.servers)
        ]
        for server in servers:
            server.start()
        url = servers[0].url
        if len(servers) > 1:
            url = running.enter_context(Proxy(*(server.port for server in servers))).url
        watch = Watch(servers, options.kill if len(servers) > 1 else None)
        running.callback(watch.close)
        work = Work(
            url=url,
            runs=options.runs,
            layers=options.layers,
            frames=FRAMES,
            every=options.every,
            ramp=RAMP * options.every,
            seconds=60.0 * options.minutes,
            burst=options.burst,
            seed=options.seed,
        )
        loading = Load(options, database, watch)
        stack.callback(loading.close)
        trainers = running.enter_context(Trainers(work, folder / "trainers.log"))
        while loading.sent is None:
            for told in trainers.told():
                loading.hear(told)
            loading.turn()
            time.sleep(LOOK_SECONDS)
        # Nothing is compacted or deleted any more.
        running.close()
        loading.check_all()
        return loading.result(options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Load, then print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.load")
    parser.add_argument("--servers", type=int, choices=(1, 2), default=1)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--layers", type=int, default=1_000)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--burst", type=float, default=20.0)
    parser.add_argument("--kill", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    loaded = load(options)
    tell(asdict(loaded) | {"headroom": loaded.headroom}, as_json=options.json)
    if not loaded.holds:
        sys.exit(1)
