"""`gainstage demo`: the canonical case from the fault to the cure, on this machine."""

import json
import shlex
import signal
import sys
import time
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gainstage import LayerMonitor, cases, report
from gainstage.client import Client
from gainstage.places import DEFAULT_PORT, run_page
from gainstage.served import DATABASE, served

# The demo samples densely: its steps take a millisecond, and people want to see it move.
EVERY = 10


class _EpochBar(keras.callbacks.Callback):
    """A bar that is gone before the next callback of the list says something at the end."""

    def __init__(self, console: Console, title: str, epochs: int) -> None:
        super().__init__()
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), console=console)
        self._task = self._bar.add_task(title, total=epochs)

    def on_train_begin(self, logs: Any = None) -> None:
        self._bar.start()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._bar.advance(self._task)

    def on_train_end(self, logs: Any = None) -> None:
        self._bar.stop()


def run(*, folder: Path, port: int, once: bool, as_json: bool) -> dict[str, Any]:
    """Trains the canonical case, applies its finding's own code, and trains again.

    Returns:
        `layer`, `verdict`, `levels`, `accuracy_before`, `accuracy_after`, `frames_sampled`,
        `frames_stored` (both runs together) and `dashboard`, the address of the first run's page
        while the demo's server runs.
    """
    console = Console()
    signal.signal(signal.SIGTERM, _end)  # so that the server ends with the demo
    with served(folder, port=port) as url:
        console.print(f"Dashboard: [bold]{url}[/bold]")
        console.print(
            f"The demo samples every {EVERY} steps, so that there is something to see: its share "
            "of the training time is not that of the default, 1 %."
        )
        data, case = cases.load("digits"), cases.CANONICAL
        before, accuracy_before = _train(data, case, case.hidden(), url, folder, "before", console)
        finding = next(found for found in before.findings() if found.layer.endswith("hidden"))
        report.print_finding(finding, console)
        scope: dict[str, Any] = {"keras": keras}
        exec(finding.code, scope)  # noqa: S102 - the patch that was just printed
        after, accuracy_after = _train(
            data, case, scope["replacement"], url, folder, "after", console
        )
        console.print(
            f"Accuracy on held-out digits: [bold]{accuracy_before:.3f}[/bold] before, "
            f"[bold]{accuracy_after:.3f}[/bold] after."
        )
        client = Client(url, None)
        stored = sum(client.run(run.run or "")["frames"] for run in (before, after))
        result: dict[str, Any] = {
            "layer": finding.layer,
            "verdict": finding.verdict,
            # A level of no signal at all is minus infinity, which JSON has no number for.
            "levels": {
                name: round(level, 2) for name, level in finding.levels.items() if isfinite(level)
            },
            "accuracy_before": accuracy_before,
            "accuracy_after": accuracy_after,
            "frames_sampled": before.frames + after.frames,
            "frames_stored": stored,
            "dashboard": run_page(url, str(before.run)),
        }
        if once:  # the server ends with the demo, so that its address is no use
            _say_how_to_come_back(folder, port, console)
        else:
            console.print(f"Look at it: [bold]{result['dashboard']}[/bold]")
        if as_json:
            print(json.dumps(result), flush=True)
        if not once:
            _wait_for_the_user(console)
    if not once:
        _say_how_to_come_back(folder, port, console)
    return result


def _train(
    data: cases.Data,
    case: cases.Case,
    hidden: list[Any],
    url: str,
    folder: Path,
    tag: str,
    console: Console,
) -> tuple[LayerMonitor, float]:
    keras.utils.set_random_seed(0)
    monitor = LayerMonitor(
        url, project="demo", tags=["digits", tag], every=EVERY, spool=folder / "spool"
    )
    title = f"Training on digits, {tag} the patch"
    model = cases.build(data, case, hidden)
    bar = _EpochBar(console, title, data.epochs)
    return monitor, cases.train(model, data, case, [bar, monitor])


def _end(*_: Any) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def _wait_for_the_user(console: Console) -> None:
    console.print("The server runs on until Ctrl-C.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("Stopped.")


def _say_how_to_come_back(folder: Path, port: int, console: Console) -> None:
    words = ["gainstage", "serve", "--database", str(folder / DATABASE)]
    if port not in (0, DEFAULT_PORT):
        words += ["--port", str(port)]
    console.print(f"To see both runs again: {shlex.join(words)}", soft_wrap=True, highlight=False)
