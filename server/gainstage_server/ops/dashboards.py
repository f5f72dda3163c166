"""Grafana's dashboards, as tables of panels; Grafana's own SDK writes them down.

`python -m gainstage_server.ops.dashboards NAME` prints one of them as Grafana reads it.
"""

import sys
from dataclasses import dataclass
from typing import Any, Literal

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef("prometheus", "${source}")
WIDTH = 24  # columns of Grafana's grid


@dataclass(frozen=True)
class Query:
    """A question in PromQL, and what its series are called: a text, or labels in {{}}."""

    expression: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A picture of a dashboard.

    Attributes:
        kind: "number" and "table" show what is now, "lines" the course.
        unit: Grafana's name of it; of a table, of the column whose query it is.
        width: Columns of 24.
    """

    title: str
    help: str
    queries: tuple[Query, ...]
    kind: Literal["number", "table", "lines"] = "lines"
    unit: str = "short"
    width: int = 12
    height: int = 8


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A page of Grafana.

    Attributes:
        variable: What a reader chooses at its head: a label, whose values are listed.
        several: Whether more than one of them can be chosen.
    """

    name: str
    title: str
    help: str
    variable: str
    several: bool
    panels: tuple[Panel, ...]


def _number(title: str, help: str, expression: str, *, unit: str = "short") -> Panel:
    size = {"width": 6, "height": 4}
    return Panel(
        title=title, help=help, queries=(Query(expression, ""),), kind="number", unit=unit, **size
    )


# Several servers over one store tell the same of a run: each figure is taken once.
RUN = "max by (project, run)"
SEVERITY = "max by (project, run, severity)"
CHOSEN = 'project=~"$project"'

FLEET = Dashboard(
    name="fleet",
    title="Gainstage: all runs",
    help="Which trainings need someone to look at them, and whether the server keeps up.",
    variable="project",
    several=True,
    panels=(
        _number(
            "Live runs",
            "Runs that samples or signs of life come from.",
            f'count({RUN} (gainstage_run_info{{status="live", {CHOSEN}}})) or vector(0)',
        ),
        _number(
            "Lost runs",
            "Runs that fell silent without saying that they ended.",
            f'count({RUN} (gainstage_run_info{{status="lost", {CHOSEN}}})) or vector(0)',
        ),
        _number(
            "Runs with a critical finding",
            "Open findings that are not muted.",
            f'count({RUN} (gainstage_run_findings{{severity="critical", {CHOSEN}}}) > 0) '
            "or vector(0)",
        ),
        _number(
            "Samples stored a second",
            "Of all trainings, by all servers.",
            "sum(rate(gainstage_ingest_frames_total[$__rate_interval]))",
            unit="cps",
        ),
        Panel(
            title="Runs",
            help="How each run stands; its name leads to its dashboard.",
            kind="table",
            width=WIDTH,
            height=10,
            queries=(
                Query(f"{RUN} (gainstage_run_worst_excess_decibels{{{CHOSEN}}})", "loudest, dB"),
                Query(f"{RUN} (gainstage_run_worst_saturation_ratio{{{CHOSEN}}})", "saturation"),
                Query(
                    f"sum by (project, run) ({SEVERITY} (gainstage_run_findings{{{CHOSEN}}}))",
                    "open findings",
                ),
                Query(f"{RUN} (gainstage_run_step{{{CHOSEN}}})", "step"),
                Query(f"{RUN} (gainstage_run_overhead_ratio{{{CHOSEN}}})", "overhead"),
                Query(
                    f"time() - {RUN} (gainstage_run_last_frame_timestamp_seconds{{{CHOSEN}}})",
                    "seconds since a sample",
                ),
            ),
        ),
        Panel(
            title="Messages of trainers",
            help="Stored, stored before, or refused.",
            unit="cps",
            queries=(
                Query(
                    "sum by (result) (rate(gainstage_ingest_messages_total[$__rate_interval]))",
                    "{{result}}",
                ),
            ),
        ),
        Panel(
            title="Time to store a batch",
            help="Trainers are told that their messages are stored when the batch is.",
            unit="s",
            queries=tuple(
                Query(
                    f"histogram_quantile({share}, sum by (le) "
                    "(rate(gainstage_store_commit_seconds_bucket[$__rate_interval])))",
                    f"{share:.0%}",
                )
                for share in (0.5, 0.99)
            ),
        ),
        Panel(
            title="Bytes waiting to be stored",
            help="Where this stands at its bound, trainers are made to wait; spools fill.",
            unit="bytes",
            queries=(Query("gainstage_ingest_waiting_bytes", "{{instance}}"),),
        ),
        Panel(
            title="Disk",
            help="What the store takes, and what is free where it grows.",
            unit="bytes",
            queries=(
                Query("max(gainstage_store_bytes)", "store"),
                Query("min(gainstage_store_free_bytes)", "free"),
                Query("max(gainstage_store_floor_bytes)", "floor: nothing is stored below"),
            ),
        ),
    ),
)

RUN_PAGE = Dashboard(
    name="run",
    title="Gainstage: a run",
    help="How the levels of one training stand, and what is wrong with which layer.",
    variable="run",
    several=False,
    panels=(
        Panel(
            title="Loudest layer above its headroom",
            help="Above 0 dB a layer's outputs are out of the range of its activation.",
            unit="dB",
            queries=(Query('max(gainstage_run_worst_excess_decibels{run="$run"})', "loudest"),),
        ),
        Panel(
            title="Saturation",
            help="Share of values whose gradient is all but gone.",
            unit="percentunit",
            queries=(
                Query('max(gainstage_run_worst_saturation_ratio{run="$run"})', "worst layer"),
                Query('max(gainstage_run_mean_saturation_ratio{run="$run"})', "mean of layers"),
            ),
        ),
        Panel(
            title="Open findings",
            help="By severity, without those that are muted.",
            queries=(
                Query('max by (severity) (gainstage_run_findings{run="$run"})', "{{severity}}"),
            ),
        ),
        Panel(
            title="Layers by verdict",
            help="How many layers have which verdict.",
            queries=(Query('max by (verdict) (gainstage_run_layers{run="$run"})', "{{verdict}}"),),
        ),
        Panel(
            title="Layers with an open finding",
            help="At most 50 of a run; the dashboard of Gainstage has them all, with what to do.",
            kind="table",
            queries=(
                Query(
                    'max by (layer, verdict, severity) (gainstage_layer_finding{run="$run"})',
                    "open",
                ),
            ),
        ),
        Panel(
            title="NaN and infinity",
            help="Share of values that are no numbers, of the layer where that is most.",
            unit="percentunit",
            queries=(Query('max(gainstage_run_worst_nonfinite_ratio{run="$run"})', "worst layer"),),
        ),
        Panel(
            title="Step",
            help="Of the newest sample; a line that is level is a training that does not go on.",
            queries=(Query('max(gainstage_run_step{run="$run"})', "step"),),
        ),
        Panel(
            title="What the monitor costs",
            help="Share of the training time that samples have taken, and may take.",
            unit="percentunit",
            queries=(
                Query('max(gainstage_run_overhead_ratio{run="$run"})', "taken"),
                Query('max(gainstage_run_overhead_budget_ratio{run="$run"})', "budget"),
            ),
        ),
    ),
)

DASHBOARDS = {page.name: page for page in (FLEET, RUN_PAGE)}

_BUILDERS: dict[str, Any] = {
    "number": stat.Panel,
    "table": table.Panel,
    "lines": timeseries.Panel,
}
# Grafana fills in what the reader points at.
_TO_RUN = {
    "title": "Its dashboard",
    "url": "/d/gainstage-run?var-run=${__value.text:percentencode}",
}


def render(page: Dashboard) -> str:
    """The dashboard as JSON, as Grafana provisions it."""
    built = (
        dashboard.Dashboard(page.title)
        .uid(f"gainstage-{page.name}")
        .description(page.help)
        .tags(["gainstage"])
        .readonly()
        .refresh("30s")
        .time("now-3h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus")
        )
        .with_variable(_variable(page))
    )
    for panel in page.panels:
        built.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _variable(page: Dashboard) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(page.variable)
        .label(page.variable.capitalize())
        .datasource(SOURCE)
        .query(f"label_values(gainstage_run_info, {page.variable})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(page.several)
        .include_all(page.several)
    )


def _panel(panel: Panel) -> Any:
    built = (
        _BUILDERS[panel.kind]()
        .title(panel.title)
        .description(panel.help)
        .datasource(SOURCE)
        .span(panel.width)
        .height(panel.height)
        .unit(panel.unit)
    )
    for place, query in enumerate(panel.queries):
        target = (
            prometheus.Dataquery()
            .expr(query.expression)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + place))
        )
        if panel.kind == "lines":
            target.range()
        else:
            target.instant()
        if panel.kind == "table":
            target.format(PromQueryFormat.TABLE)
        built.with_target(target)
    return _as_one_table(built, panel) if panel.kind == "table" else built


def _as_one_table(built: Any, panel: Panel) -> Any:
    """Each query gives a table of its own: they are joined by their labels into one."""
    heads = {
        ("Value" if len(panel.queries) == 1 else f"Value #{chr(ord('A') + place)}"): query.legend
        for place, query in enumerate(panel.queries)
    }
    organized = {"excludeByName": {"Time": True}, "renameByName": heads}
    for id, options in (("merge", {}), ("organize", organized)):
        built.with_transformation(DataTransformerConfig(id_val=id, options=options))
    return built.override_by_name("run", [DynamicConfigValue("links", [_TO_RUN])])


if __name__ == "__main__":
    sys.stdout.write(render(DASHBOARDS[sys.argv[1]]))
