"""What is printed: the table at the end of `fit`, and a finding with its evidence and patch."""

from collections.abc import Mapping
from math import isfinite

import numpy as np
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table as Grid
from rich.text import Text

from gainstage.cadence import OPENING_SAMPLES
from gainstage.diagnosis import State
from gainstage.finding import Finding, prospect
from gainstage.frame import Table
from gainstage.printable import printable
from gainstage.windows import WINDOW

STYLES = {"info": "cyan", "warning": "yellow", "critical": "bold red"}
OVER = "dim"
# Findings printed at the end of `fit`; the dashboard shows them all.
MOST_ROWS = 12
# Columns of that table: the terms of the level, in dB.
TERMS = ("input", "gain", "coherence", "bias")


def print_findings(
    state: State | None,
    table: Table | None,
    costs: Mapping[str, float],
    page: str | None,
    console: Console | None = None,
    *,
    over_budget: bool = False,
) -> None:
    """How much was judged, and a line for each finding, or one that says that there is none.

    Args:
        state: What the diagnosis knows.
        table: The newest statistics.
        costs: Those of `Cadence`.
        page: Address of the run's page, where there is a server.
        console: Where to print.
        over_budget: Whether samples took more of the time than they may.
    """
    console = console or Console()
    if state is None or table is None:
        console.print("gainstage: no step was sampled.")
        return
    bound = f"; the first {OPENING_SAMPLES} samples come whatever they cost" if over_budget else ""
    cost = f" ({costs['share']:.1%} of the training time{bound})" if "share" in costs else ""
    head = f"gainstage: {_judged(state)}, up to step {table.step}{cost}"
    findings = state.findings
    if not findings:
        where = f" {page}" if page else ""
        console.print(f"{head}: {_nothing(state)}.{where}", soft_wrap=True)
        return
    console.print(f"{head}. Levels in dB, the last one beyond the headroom:")
    grid = Grid("verdict", "layer", "steps", box=None, padding=(0, 1, 0, 0))
    for heading in (*TERMS, "beyond"):
        grid.add_column(heading, justify="right")
    for finding in findings[:MOST_ROWS]:
        grid.add_row(
            Text(finding.verdict, STYLES[finding.severity] if finding.open else ""),
            Text(printable(finding.layer), overflow="fold"),
            _steps(finding),
            *(_decibels(finding.levels.get(term)) for term in TERMS),
            _decibels(finding.overload),
            style=None if finding.open else OVER,
        )
    console.print(grid)
    if len(findings) > MOST_ROWS:
        console.print(f"... and {len(findings) - MOST_ROWS} more.")
    console.print(f"Why, and what to change: {page or 'monitor.findings()'}", soft_wrap=True)


def print_interrupted(
    run: str, frames: int, page: str | None, console: Console | None = None
) -> None:
    """Where a run is whose training broke off.

    Args:
        run: Its name.
        frames: How many it has.
        page: Address of its page, where there is a server.
        console: Where to print.
    """
    where = f": {page}" if page else "."
    (console or Console()).print(
        f"gainstage: run {run} was interrupted after {frames} frames{where}", soft_wrap=True
    )


def _judged(state: State) -> str:
    """How many layers have a verdict, and of how many of them that means their range."""
    judged = [place for place, verdict in enumerate(state.verdicts) if verdict]
    in_range = int(np.count_nonzero(np.isfinite(state.layout.headroom_db[judged])))
    count = len(state.layout.rows)
    return f"{len(judged)} of {count} layers are judged, {in_range} for range"


def _nothing(state: State) -> str:
    """What it means that there is no finding."""
    judged = state.layout.judged
    if not judged.any():
        reasons = sorted({row.unjudged for row in state.layout.rows})
        return f"none can be judged, since each is one of these: {'; '.join(reasons)}"
    suspected = int(np.count_nonzero(judged & state.suspected))
    if suspected:
        return (
            f"nothing to report yet, but {suspected} with a symptom that is reported if it lasts "
            f"(samples so far: {state.samples})"
        )
    if state.samples < WINDOW:
        return (
            f"nothing to report (samples so far: {state.samples}; dead units show after {WINDOW})"
        )
    return "nothing to report"


def _steps(finding: Finding) -> str:
    if finding.closed_step is None:
        return f"{finding.since_step}-"
    return f"{finding.since_step}-{finding.closed_step} over"


def _decibels(level: float | None) -> str:
    return "" if level is None or not isfinite(level) else f"{level:+.0f}"


def print_finding(finding: Finding, console: Console) -> None:
    """One finding with its evidence, remedy and patch."""
    console.print(Text(printable(finding.summary), STYLES[finding.severity]))
    grid = Grid("evidence", "value", "limit", box=None, padding=(0, 2, 0, 0))
    for statistic, evidence in finding.evidence.items():
        unit = f" {evidence.unit}" if evidence.unit == "dB" else ""
        limit = "" if evidence.limit is None else f"{evidence.limit:.3g}{unit}"
        grid.add_row(statistic, f"{evidence.value:.3g}{unit}", limit)
    console.print(grid)
    console.print(Text(printable(finding.remedy)))
    if text := prospect(finding.effects, finding.alternatives):
        console.print(Text(printable(text)))
    if finding.code:
        code = Syntax("", "python", background_color="default").highlight(
            printable(finding.code, lines=True)
        )
        console.print(code, soft_wrap=True)  # not wrapped by us, so that it can be copied
