"""A trial as people read it: a table for the terminal, and a picture."""

from math import isfinite
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gainstage.outcome import LOSS, Contestant, Spread, Trial
from gainstage.places import install_command
from gainstage.printable import printable
from gainstage.statistics import BY_ID

# Statistics of the layer in the printed table, and their headings.
PRINTED = {
    "pre_db": "level",
    "saturation_rate": "saturated",
    "gain_db": "gain",
    "coherence_db": "coherence",
}
# Width and height of one panel of the picture, in inches.
PANEL = (4.2, 2.8)
COLUMNS = 3


def print_trial(trial: Trial, console: Console | None = None) -> None:
    """The best strength of each arm, the best arm first, as means and ranges over seeds."""
    console = console or Console()
    scores = list(dict.fromkeys([trial.metric, LOSS]))
    grid = Table(
        "",
        *(escape(printable(score)) for score in scores),
        *PRINTED.values(),
        box=None,
        padding=(0, 1, 0, 0),
    )
    for column in grid.columns:
        column.no_wrap = True
        column.justify = "left" if column is grid.columns[0] else "right"
    for one in trial.ranking:
        cells = [_score(trial, one, score) for score in scores]
        grid.add_row(str(one), *cells, *(_level(trial, one, id) for id in PRINTED))
    head = f"after {trial.steps[-1]} steps, means and half ranges over {len(trial.seeds)} seeds:"
    console.print(Text(printable(f"{trial.layer} {head}")))
    console.print(grid)
    if trial.interrupted:
        console.print("The trial was stopped: arms and strengths are missing.")
    console.print(Text(printable(trial.summary)))


def _score(trial: Trial, one: Contestant, column: str) -> str:
    spread = Spread.of(trial.final(one, column))
    if not isfinite(spread.mean):
        return "diverged"
    return f"{spread.mean:.3f} ±{(spread.most - spread.least) / 2:.3f}"


def _level(trial: Trial, one: Contestant, id: str) -> str:
    value = Spread.of(trial.final(one, id)).mean
    if not isfinite(value):
        return ""
    return f"{value:+.0f} dB" if BY_ID[id].unit == "dB" else f"{value:.0%}"


def figure(trial: Trial) -> Any:
    """A `matplotlib.figure.Figure` with a panel for each column: means and ranges over seeds.

    Raises:
        RuntimeError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"The picture needs matplotlib, which is not installed: {install_command('plot')}"
        ) from error
    drawn = list(dict.fromkeys([trial.metric, LOSS, *PRINTED]))
    rows = -(-len(drawn) // COLUMNS)
    made = Figure((PANEL[0] * COLUMNS, PANEL[1] * rows), layout="constrained")
    panels = made.subplots(rows, COLUMNS, sharex=True, squeeze=False).ravel()
    for panel, column in zip(panels, drawn, strict=False):
        statistic = BY_ID.get(column)
        panel.set(title=statistic.title if statistic else column, xlabel="step")
        panel.set_ylabel(statistic.unit if statistic else "")
        for one in trial.ranking:
            course = trial.course(one, column)
            (line,) = panel.plot(trial.steps, course.mean(axis=0), label=str(one))
            least, most = course.min(axis=0), course.max(axis=0)
            panel.fill_between(trial.steps, least, most, color=line.get_color(), alpha=0.2)
    for panel in panels[len(drawn) :]:
        panel.set_axis_off()
    made.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    made.suptitle(f"Remedies for {trial.layer}, over {len(trial.seeds)} seeds")
    return made
