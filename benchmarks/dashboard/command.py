"""The command line."""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from benchmarks.dashboard import claims, live, opening, report, size, tensorboard
from benchmarks.dashboard.chromium import browser, machine
from benchmarks.dashboard.feed import PER_SECOND, Live, Trainer
from benchmarks.network import EVERY, Network
from gainstage.served import served
from gainstage.statistics import STATISTICS
from gainstage_server.dashboard import STATIC

RUN = "watched"
SIZES = {
    "layers": (1_000, 50),
    "frames": (2_000, 20),
    "times": (5, 1),
    "seconds": (20.0, 1.0),
    "minutes": (10.0, 0.03),
}


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if not (STATIC / "index.html").is_file():
        parser.error("the dashboard has not been built. Build it first: make dashboard")
    for name, (whole, short) in SIZES.items():
        if getattr(given, name) is None:
            setattr(given, name, short if given.short else whole)
    with tempfile.TemporaryDirectory() as name, browser() as chromium:
        found = _measure(given, chromium, Path(name))
    if given.json:
        print(json.dumps(found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard",
        description="What the dashboard costs the browser that shows it.",
    )
    parser.add_argument("--layers", type=int, help="of the run (default 1,000)")
    parser.add_argument("--frames", type=int, help="that are stored first (default 2,000)")
    parser.add_argument("--times", type=int, help="that the page is opened (default 5)")
    parser.add_argument("--seconds", type=float, help="for each view of a live run (default 20)")
    parser.add_argument("--minutes", type=float, help="of measuring memory (default 10)")
    parser.add_argument("--no-tensorboard", action="store_true", help="leave it out")
    parser.add_argument(
        "--short", action="store_true", help="50 layers, a few seconds, no TensorBoard"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _measure(given: argparse.Namespace, chromium: Browser, folder: Path) -> dict[str, Any]:
    """What was found, which is printed as it comes unless it is wanted as JSON."""

    def say(text: str) -> None:
        if not given.json:
            print(f"{text}\n", flush=True)

    where = machine(chromium)
    say(str(where))
    network = Network(RUN, given.layers)
    with served(folder / "server", disk_floor="0") as url:
        trainer = Trainer(url, network)
        stored = trainer.store(given.frames)
        say(
            f"{given.layers:,} layers x {EVERY * given.frames:,} steps, all {len(STATISTICS)} "
            f"statistics of every {EVERY}th: {given.frames:,} frames, sent to a server on these "
            f"cores in {stored:.0f} s by the way a trainer sends them"
        )
        address = f"{url}/runs/{RUN}"
        worst = network.path(int(network.troubles()[0]))
        opened = opening.measure(chromium, address, worst, given.times)
        say(report.opening(opened))
        code = size.measure(opened.scripts)
        say(report.size(code))
        with Live(trainer):
            watched = live.measure(chromium, address, seconds=given.seconds, minutes=given.minutes)
        say(f"{PER_SECOND} frames a second\n{report.watched(watched)}")
    beside = None
    wanted = not (given.short or given.no_tensorboard)
    left_out = tensorboard.missing() if wanted else []
    if left_out:
        say(f"Left out: TensorBoard, which needs {' and '.join(left_out)} (group bench).")
    elif wanted:
        beside = tensorboard.measure(
            chromium, network, frames=given.frames, folder=folder, times=given.times
        )
        say(report.beside(beside, opened.curve))
    verdicts = claims.judge(opened, code, watched)
    say(report.verdicts(verdicts))
    return {
        "machine": asdict(where),
        **{name: getattr(given, name) for name in SIZES},
        "statistics": len(STATISTICS),
        "stored_s": stored,
        "opening": asdict(opened),
        "size": asdict(code),
        "live": asdict(watched),
        "left_out": left_out,
        "tensorboard": None if beside is None else asdict(beside),
        "claims": [asdict(verdict) for verdict in verdicts],
    }
