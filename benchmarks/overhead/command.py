"""The command line."""

import argparse
import json
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from benchmarks.overhead import arms, claims, measure, memory, report
from benchmarks.overhead.loop import unsampled_step_seconds
from benchmarks.overhead.workloads import BATCH, FOR_GPU, workloads
from gainstage.served import served

LAYERS = 1_000
STEPS = 50
MEMORY_STEPS = 10_000


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    given = _parser().parse_args(arguments)
    given.steps = given.steps or (MEMORY_STEPS if given.memory else STEPS)
    machine = report.Machine.this()
    if not given.json:
        print(machine)
    with tempfile.TemporaryDirectory() as name, _server(given, Path(name)) as url:
        found = (_memory if given.memory else _time)(given, url, Path(name))
    if given.json:
        settings = {name: getattr(given, name) for name in ("batch", "rounds", "steps")}
        print(json.dumps({"machine": asdict(machine), "server": bool(url), **settings, **found}))


def _parser() -> argparse.ArgumentParser:
    rivals = [arm.name for arm in arms.RIVALS]
    models = list(workloads(LAYERS))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overhead",
        description="What watching a training costs, beside what people use instead.",
    )
    usual = [name for name in models if name not in FOR_GPU]
    parser.add_argument("--models", nargs="+", choices=models, default=usual)
    parser.add_argument(
        "--arms", nargs="*", choices=rivals, default=rivals, help="beside Gainstage"
    )
    parser.add_argument("--rounds", type=int, default=40, help="blocks of each arm that count")
    parser.add_argument(
        "--samples", type=int, default=20, help="of Gainstage, else up to five times the rounds"
    )
    parser.add_argument(
        "--steps", type=int, help="of a block (default 50); with --memory of all (default 10,000)"
    )
    parser.add_argument("--batch", type=int, default=BATCH, help="examples in a step")
    parser.add_argument("--layers", type=int, default=LAYERS, help="of the model `deep`")
    parser.add_argument(
        "--no-server", action="store_true", help="leave out spool, uplink and server"
    )
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


@contextmanager
def _server(given: argparse.Namespace, folder: Path) -> Generator[str | Literal[False]]:
    if given.no_server:
        yield False
        return
    with served(folder / "server") as url:
        yield url


def _time(given: argparse.Namespace, url: str | Literal[False], folder: Path) -> dict[str, Any]:
    """What was found, which is printed as it comes unless it is wanted as JSON."""
    wanted = [arm for arm in arms.RIVALS if arm.name in given.arms]
    left_out = {arm.name: arm.missing for arm in wanted if arm.missing}
    chosen = [*arms.ALWAYS, *(arm for arm in wanted if not arm.missing)]
    if not given.json:
        about = f"batch {given.batch}; {_about_server(url)}"
        print(f"{given.rounds} rounds of {given.steps} steps, {about}")
        for name, packages in left_out.items():
            print(f"Left out: {name}, which needs {' and '.join(packages)} (group bench).")
        print(flush=True)
    costs: dict[str, measure.Costs] = {}
    for name in given.models:
        with redirect_stdout(None):  # of what is printed at the end of each `fit`
            costs[name] = measure.measure(
                workloads(given.layers, given.batch)[name],
                chosen,
                rounds=given.rounds,
                samples=given.samples,
                steps=given.steps,
                folder=folder / name,
                url=url,
            )
        if not given.json:
            print(report.table(name, costs[name]), flush=True)
    with redirect_stdout(None):
        loop_us = 1e6 * unsampled_step_seconds()
    found = claims.judge(costs, loop_us, given.batch)
    if not given.json:
        print(report.verdicts(found))
    return {
        "left_out": left_out,
        "models": {name: asdict(cost) for name, cost in costs.items()},
        "loop_us": loop_us,
        "claims": [asdict(verdict) for verdict in found],
    }


def _memory(given: argparse.Namespace, url: str | Literal[False], folder: Path) -> dict[str, Any]:
    """As `_time`."""
    with redirect_stdout(None):
        growths = memory.measure(given.steps, url, folder)
    verdict = claims.judge_memory(growths)
    if not given.json:
        print(f"A sample every {memory.EVERY} steps; {_about_server(url)}\n")
        print(report.memory(growths))
        print(f"\n{report.verdicts([verdict])}")
    return {
        "memory": {name: asdict(growth) for name, growth in growths.items()},
        "claims": [asdict(verdict)],
    }


def _about_server(url: str | Literal[False]) -> str:
    return "the server shares these cores" if url else "no server, nothing spooled"
