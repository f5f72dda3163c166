"""The same values in TensorBoard, as far as it can be held against the dashboard."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser

from benchmarks.dashboard.chromium import fresh_page
from benchmarks.dashboard.opening import HERE, PROBE, Times
from benchmarks.network import EVERY, Network

SCRIPT = PROBE + (HERE / "tensorboard.js").read_text()
# Of each layer; all would be 58 times as many records.
STATISTIC = "pre_db"
START_SECONDS, LOAD_SECONDS = 120.0, 600.0
APART = 0.2  # seconds, of questions whether it is there yet
NEEDS = ("tensorboard",)
# What the comparison leaves open, either way.
NOT_COMPARABLE = (
    f"TensorBoard is given one statistic of each layer ({STATISTIC}), as torch's SummaryWriter "
    "writes it; Gainstage has all of them in its store.",
    "TensorBoard draws a sample of 1,000 points, smoothed; Gainstage draws 600, the lowest and "
    "highest value of each with it, and as many lines as the layer's levels have terms.",
    "TensorBoard is told the tag in its address; Gainstage is told the run alone, and shows the "
    "layer of the first finding. Beside the curve its page draws findings, console and heatmap.",
    "TensorBoard reads its files again after each start, counted apart as `loaded`; where "
    "TensorFlow is installed, importing it is part of that. Gainstage reads its store at each "
    "question.",
)


@dataclass(frozen=True)
class Beside:
    """TensorBoard's figures.

    Attributes:
        version: Of TensorBoard.
        scalars: How many it was given.
        loaded_s: From its start until it serves the last of them.
        curve: From the begin of the navigation until the layer's line is painted, all loaded.
    """

    version: str
    scalars: int
    loaded_s: float
    curve: Times


def missing() -> list[str]:
    """Which of `NEEDS` are not installed."""
    return [package for package in NEEDS if find_spec(package) is None]


def write(network: Network, frames: int, folder: Path) -> None:
    """One statistic of each layer, in the records that torch's SummaryWriter makes of scalars."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    tags = [tag(network, layer) for layer in range(network.layers)]
    file = folder / network.run / "events.out.tfevents.0.benchmark"
    file.parent.mkdir(parents=True)
    with file.open("wb") as written:
        writer = RecordWriter(written)
        version = Event(wall_time=time.time(), file_version="brain.Event:2")
        writer.write(version.SerializeToString())
        for frame in range(frames):
            now, step = time.time(), EVERY * (frame + 1)
            values = network.values(frame)[STATISTIC].tolist()
            for name, value in zip(tags, values, strict=True):
                summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
                event = Event(wall_time=now, step=step, summary=summary)
                writer.write(event.SerializeToString())


def tag(network: Network, layer: int) -> str:
    """What a layer's values go by."""
    return f"{network.path(layer)}/{STATISTIC}"


@contextmanager
def started(folder: Path, log: Path) -> Generator[str]:
    """TensorBoard's address, at which it will answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with log.open("wb") as written:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tensorboard.main"),
                *("--logdir", str(folder), "--port", str(port), "--host", "127.0.0.1"),
                # Nothing of it changes.
                *("--reload_interval", "3600"),
            ],
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def measure(browser: Browser, network: Network, *, frames: int, folder: Path, times: int) -> Beside:
    """Writes, starts, waits and looks.

    Raises:
        TimeoutError: TensorBoard did not load what was written.
    """
    from tensorboard.version import VERSION

    events = folder / "events"
    write(network, frames, events)
    worst = tag(network, int(network.troubles()[0]))
    begun = time.monotonic()
    with started(events, folder / "tensorboard.log") as url:
        _wait_until_loaded(url, network, worst, EVERY * frames)
        loaded = time.monotonic() - begun
        address = f"{url}/?{urlencode({'tagFilter': f'^{worst}$'})}#timeseries"
        curves = []
        for _ in range(times):
            with fresh_page(browser, SCRIPT) as page:
                page.goto(address, wait_until="commit")
                curves.append(page.evaluate("page.curve()"))
    return Beside(VERSION, frames * network.layers, loaded, Times.of(curves))


def _wait_until_loaded(url: str, network: Network, worst: str, last_step: int) -> None:
    query = urlencode({"run": network.run, "tag": worst})
    deadline = time.monotonic() + START_SECONDS + LOAD_SECONDS
    while time.monotonic() < deadline:
        points = _answer(f"{url}/data/plugin/scalars/scalars?{query}")
        if points and points[-1][1] >= last_step:
            return
        time.sleep(APART)
    raise TimeoutError(f"TensorBoard did not load step {last_step} of {worst} in time.")


def _answer(address: str) -> list[list[float]]:
    """The points of a tag; none while it is not there."""
    try:
        with urllib.request.urlopen(address) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError):
        return []
