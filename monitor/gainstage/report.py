"""What is printed: the table at the end of `fit`, and a finding with its evidence and patch."""

from collections.abc import Mapping, Sequence
from math import isfinite

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table as Grid
from rich.text import Text

from gainstage.finding import Finding
from gainstage.frame import Table

STYLES = {"info": "cyan", "warning": "yellow", "critical": "bold red"}
# Findings printed at the end of `fit`; the dashboard shows them all.
MOST_ROWS = 12
# Columns of that table: the terms of the level, in dB.
TERMS = ("input", "gain", "coherence", "bias")


def print_findings(
    findings: Sequence[Finding],
    table: Table | None,
    costs: Mapping[str, float],
    page: str | None,
    console: Console | None = None,
) -> None:
    """A line for each finding, or one line that says that there is none.

    `page` is the address of the run's page, where there is a server.
    """
    console = console or Console()
    if table is None:
        console.print("gainstage: no step was sampled.")
        return
    cost = f"{costs['share']:.1%} of the training time" if "share" in costs else "one sample"
    head = f"gainstage: {len(table.layers)} layers watched up to step {table.step} ({cost})"
    if not findings:
        console.print(f"{head}: nothing to report.")
        return
    console.print(f"{head}. Levels are in dB:")
    grid = Grid("verdict", "layer", "steps", box=None, padding=(0, 2, 0, 0))
    for heading in (*TERMS, "over"):
        grid.add_column(heading, justify="right")
    for finding in findings[:MOST_ROWS]:
        grid.add_row(
            Text(finding.verdict, STYLES[finding.severity]),
            Text(finding.layer, overflow="fold"),
            f"{finding.since_step}-{finding.closed_step or ''}",
            *(_decibels(finding.levels.get(term)) for term in TERMS),
            _decibels(finding.overload),
        )
    console.print(grid)
    if len(findings) > MOST_ROWS:
        console.print(f"... and {len(findings) - MOST_ROWS} more.")
    console.print(f"Why, and what to change: {page or 'monitor.findings()'}", soft_wrap=True)


def _decibels(level: float | None) -> str:
    return "" if level is None or not isfinite(level) else f"{level:+.0f}"


def print_finding(finding: Finding, console: Console) -> None:
    """One finding with its evidence, remedy and patch."""
    console.print(Text(finding.summary, STYLES[finding.severity]))
    grid = Grid("evidence", "value", "limit", box=None, padding=(0, 2, 0, 0))
    for statistic, evidence in finding.evidence.items():
        unit = f" {evidence.unit}" if evidence.unit == "dB" else ""
        limit = "" if evidence.limit is None else f"{evidence.limit:.3g}{unit}"
        grid.add_row(statistic, f"{evidence.value:.3g}{unit}", limit)
    console.print(grid)
    console.print(Text(finding.remedy))
    if finding.code:
        code = Syntax("", "python", background_color="default").highlight(finding.code)
        console.print(code, soft_wrap=True)  # not wrapped by us, so that it can be copied
