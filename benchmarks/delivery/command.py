"""The command line."""

import argparse
import json
import platform
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.delivery import claims, ingest, live, others, report, trainer
from benchmarks.delivery.frames import COUNT
from benchmarks.machine import cores, cpu
from gainstage.served import served

SIZES = {
    "seconds": (60.0, 1.0),
    "trainers": (8, 2),
    "layers": (claims.LAYERS, 50),
    "runs": (claims.RUNS, 4),
}
RAW_SECONDS = 20.0  # at most


@dataclass(frozen=True)
class Machine:
    """Where it was measured."""

    cpu: str
    cores: int
    system: str

    @classmethod
    def this(cls) -> "Machine":
        """This one."""
        return cls(cpu(), cores(), platform.platform())

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, {self.system}"


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    given = _parser().parse_args(arguments)
    for name, (whole, short) in SIZES.items():
        if getattr(given, name) is None:
            setattr(given, name, short if given.short else whole)
    found = _measure(given)
    if given.json:
        print(json.dumps(found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.delivery",
        description="How fast frames are stored, how soon a viewer has them, what one costs.",
    )
    parser.add_argument("--seconds", type=float, help="of each part (default 60)")
    parser.add_argument("--trainers", type=int, help="that send at once (default 8)")
    parser.add_argument("--layers", type=int, help="of a frame (default 1,000)")
    parser.add_argument("--runs", type=int, help="that are live for the viewers (default 100)")
    parser.add_argument("--folder", type=Path, help="in which to store (default a temporary one)")
    parser.add_argument(
        "--with-others",
        nargs="?",
        type=Path,
        const=Path(sys.executable),
        metavar="PYTHON",
        help="log the same values with MLflow, trackio and W&B, of this or another interpreter",
    )
    parser.add_argument("--short", action="store_true", help="50 layers, 4 runs, seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _measure(given: argparse.Namespace) -> dict[str, Any]:
    """What was found, which is printed as it comes unless it is wanted as JSON."""

    def say(text: str) -> None:
        if not given.json:
            print(f"{text}\n", flush=True)

    machine = Machine.this()
    say(f"{machine}\nframes of {given.layers:,} layers x {COUNT} statistics")
    layers, seconds = given.layers, given.seconds
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        stored = ingest.measure(
            folder / "ingest",
            trainers=given.trainers,
            layers=layers,
            seconds=seconds,
            raw=min(seconds, RAW_SECONDS),
        )
        say(report.ingest(stored))
        with served(folder / "live", disk_floor="0") as url:
            spools = folder / "spools"
            viewed = live.measure(url, spools, runs=given.runs, layers=layers, seconds=seconds)
            say(report.viewed(viewed))
            handed = trainer.measure(url, spools, layers=layers, seconds=seconds)
            say(report.handed(handed))
        beside = None
        if given.with_others:
            beside = others.measure(
                given.with_others, folder / "others", layers=layers, seconds=seconds
            )
            say(report.beside(beside, stored))
    verdicts = claims.judge(stored, viewed, handed, layers=layers, seconds=seconds)
    say(report.verdicts(verdicts))
    return {
        "machine": asdict(machine),
        **{name: getattr(given, name) for name in SIZES},
        "statistics": COUNT,
        "ingest": asdict(stored) | {"share": stored.share},
        "viewer": asdict(viewed),
        "training": asdict(handed),
        "others": beside and {tool: asdict(one) for tool, one in beside.items()},
        "claims": [asdict(verdict) for verdict in verdicts],
    }
