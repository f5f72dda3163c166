"""How soon a viewer has what was sampled, while many runs go on."""

import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.delivery.trainer import PATIENCE, Milliseconds, Trainer
from benchmarks.machine import children_cpu_seconds
from gainstage import wire

PER_SECOND = 1.0  # frames of each run
SCRAPE_SECONDS = 2.0
POLL = 0.01  # seconds
VIEWERS = 20
# In the first of them, all runs open their findings at once, a dozen each; told apart.
OPENING = 5  # frames of each run


@dataclass(frozen=True)
class Viewed:
    """How soon viewers had what was sampled.

    Attributes:
        ages: From a frame's making to a viewer's having it, but for each run's first frames.
        opening: The same of these, `OPENING` of each.
        runs: That were live, each with a spool and an uplink of its own.
        scrape_ms: The longest answer of /metrics.
        server_cores: That the server used, on average.
    """

    ages: Milliseconds
    opening: Milliseconds
    runs: int
    viewers: int
    scrapes: int
    scrape_ms: float
    server_cores: float


class Viewer:
    """A WebSocket as a browser opens it, which notes how old each frame is."""

    def __init__(self, url: str, run: str) -> None:
        self._left = contextlib.ExitStack()
        address = f"{url.replace('http', 'ws', 1)}/api/v1/live"
        self._connection = self._left.enter_context(connect(address, max_size=None))
        self._connection.send(json.dumps({"type": "subscribe", "run": run}))
        self.ages: list[float] = []
        self._newest = -1  # seq
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for data in self._connection:
                now = time.time()
                message = wire.decode_header(data if isinstance(data, bytes) else data.encode())
                if isinstance(message, wire.Frame):
                    self.ages.append(now - message.time)
                    self._newest = message.seq
        except ConnectionClosed:
            pass

    def wait(self, seq: int) -> None:
        """Until the frame `seq` has come, or a newer one.

        Raises:
            RuntimeError: It does not come.
        """
        end = time.monotonic() + PATIENCE
        while self._newest < seq:
            if time.monotonic() > end:
                raise RuntimeError(f"A viewer did not receive its frame within {PATIENCE:.0f} s.")
            time.sleep(POLL)

    def close(self) -> None:
        """Leave."""
        self._left.close()
        self._thread.join()


class Scraper:
    """Reads /metrics again and again."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/metrics"
        self.seconds: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        ended = False
        while not ended:
            begun = time.monotonic()
            with urllib.request.urlopen(self._url) as answer:
                answer.read()
            self.seconds.append(time.monotonic() - begun)
            ended = self._ended.wait(SCRAPE_SECONDS)

    def close(self) -> None:
        """Stop; there was at least one scrape."""
        self._ended.set()
        self._thread.join()


def measure(url: str, folder: Path, *, runs: int, layers: int, seconds: float) -> Viewed:
    """What viewers have in `seconds` of `runs`, whose spools lie in `folder`."""
    names = [f"live-{place}" for place in range(runs)]
    with contextlib.ExitStack() as stack:
        trainers = [
            stack.enter_context(contextlib.closing(Trainer(folder, url, name, layers)))
            for name in names
        ]
        for trainer in trainers:
            trainer.wait()
        # Spread over the runs.
        watched = trainers[:: max(1, runs // VIEWERS)]
        viewers = [
            stack.enter_context(contextlib.closing(Viewer(url, trainer.messages.run)))
            for trainer in watched
        ]
        for viewer, trainer in zip(viewers, watched, strict=True):
            trainer.sample()
            viewer.wait(trainer.messages.newest)
        scraper = stack.enter_context(contextlib.closing(Scraper(url)))
        opening = _watched(trainers, viewers, watched, OPENING)
        cpu, begun = children_cpu_seconds(), time.monotonic()
        ages = _watched(trainers, viewers, watched, max(1, int(seconds * PER_SECOND)))
        cores = (children_cpu_seconds() - cpu) / (time.monotonic() - begun)
    return Viewed(
        ages=ages,
        opening=opening,
        runs=runs,
        viewers=len(viewers),
        scrapes=len(scraper.seconds),
        scrape_ms=1e3 * max(scraper.seconds),
        server_cores=cores,
    )


def _watched(
    trainers: Sequence[Trainer], viewers: Sequence[Viewer], watched: Sequence[Trainer], each: int
) -> Milliseconds:
    """Of `each` frames of every run, evenly spread; `viewers` look at the `watched` ones."""
    for viewer in viewers:
        viewer.ages.clear()
    begun = time.monotonic()
    for count in range(each * len(trainers)):
        due = begun + count / (PER_SECOND * len(trainers))
        time.sleep(max(0.0, due - time.monotonic()))
        trainers[count % len(trainers)].sample()
    for trainer in trainers:
        trainer.wait()
    for viewer, trainer in zip(viewers, watched, strict=True):
        viewer.wait(trainer.messages.newest)
    return Milliseconds.of([age for viewer in viewers for age in viewer.ages])
