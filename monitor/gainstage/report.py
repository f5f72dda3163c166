"""What is printed: the table at the end of `fit`, and a finding with its evidence and patch."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table as Grid
from rich.text import Text

from gainstage.finding import Finding
from gainstage.frame import Table

STYLES = {"info": "cyan", "warning": "yellow", "critical": "bold red"}
# Layers printed at the end of `fit`; the dashboard shows them all.
MOST_ROWS = 12


def print_findings(
    findings: Sequence[Finding],
    table: Table | None,
    costs: Mapping[str, float],
    console: Console | None = None,
) -> None:
    """A line for each finding, or one line that says that there is none."""
    console = console or Console()
    if table is None:
        console.print("gainstage: no step was sampled.")
        return
    cost = f"{costs['share']:.1%} of the training time" if "share" in costs else "one sample"
    head = f"gainstage: {len(table.layers)} layers watched up to step {table.step} ({cost})"
    if not findings:
        console.print(f"{head}: nothing to report.")
        return
    console.print(f"{head}:")
    grid = Grid("layer", "verdict", "since step", "over at step", "what", show_lines=True)
    for finding in findings[:MOST_ROWS]:
        grid.add_row(
            Text(finding.layer),
            Text(finding.verdict, STYLES[finding.severity]),
            str(finding.since_step),
            "" if finding.closed_step is None else str(finding.closed_step),
            Text(finding.summary),
        )
    console.print(grid)
    if len(findings) > MOST_ROWS:
        console.print(f"... and {len(findings) - MOST_ROWS} more: monitor.findings()")


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
        console.print(Syntax(finding.code, "python", background_color="default", word_wrap=True))
