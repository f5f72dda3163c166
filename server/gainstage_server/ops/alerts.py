"""The table of alerts; `python -m gainstage_server.ops.alerts` prints Prometheus's rules."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from gainstage.diagnosis import RULES, Rule
from gainstage.exposition import RUN_METRICS
from gainstage.finding import Severity

DOCS = "https://github.com/gainstage/gainstage/blob/main/docs"


def page_url(page: str) -> str:
    """The address of a page, or of a heading on it, below `docs/`."""
    return f"{DOCS}/{page}"


def finding_page(rule: Rule) -> str:
    """The page and heading that say all about findings of `rule`."""
    return f"findings.md#{rule.verdict}"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alerting rule.

    Attributes:
        name: In CamelCase, with the prefix `Gainstage`.
        expr: PromQL; each series that it returns is an alert.
        hold: How long it must hold before anyone is told, as a Prometheus duration.
        severity: Says who is told, and how; replaces a label of that name on the series.
        summary: A sentence without values, so that alerts of one kind can be grouped.
        description: A Go template over `$labels` and `$value`.
    """

    name: str
    expr: str
    hold: str
    severity: Severity
    summary: str
    description: str

    @property
    def page(self) -> str:
        """Its runbook, below `docs/`."""
        return f"runbooks/{self.name}.md"

    @property
    def runbook_url(self) -> str:
        """Where its runbook is read."""
        return page_url(self.page)


# Several servers over one store show the same runs, and a layer that is called twice can have one
# verdict in two severities: of all these an alert is one series.
LAYER_FINDING = (
    'max by (project, run, layer, verdict) (gainstage_layer_finding{{verdict="{}"}}) == 1'
)

# The diagnosis itself waits before it opens a finding; this only rides out a flapping one.
FINDING_HOLD = "1m"


def finding_alert(rule: Rule) -> Alert:
    """The alert about layers that have an open finding of `rule`."""
    return Alert(
        name=f"Gainstage{rule.verdict.title().replace('_', '')}Finding",
        expr=LAYER_FINDING.format(rule.verdict),
        # What a rule says after one sample does not go away by itself, and every step is wasted.
        hold=FINDING_HOLD if rule.opens_after > 1 else "0s",
        severity=rule.severity,
        summary=rule.meaning,
        description=(
            f"{rule.title}: layer {{{{ $labels.layer }}}} of run {{{{ $labels.run }}}} "
            "({{ $labels.project }})."
        ),
    )


FINDING_ALERTS = {rule.verdict: finding_alert(rule) for rule in RULES}

RUN_ALERTS = (
    Alert(
        name="GainstageRunStalled",
        # Longer than a validation pass or a checkpoint of most models; an ended run has no series.
        # A server that cannot store frames is not asked when the last one came.
        expr="time() - max by (project, run) (gainstage_run_last_frame_timestamp_seconds "
        "unless on (instance) increase(gainstage_store_commit_failures_total[5m]) > 0) > 600",
        # After a restart of the server, trainers are back within half a minute.
        hold="1m",
        severity="warning",
        summary="A run that has not ended sends nothing any more.",
        description=(
            "The last frame of run {{ $labels.run }} ({{ $labels.project }}) came "
            "{{ $value | humanizeDuration }} ago."
        ),
    ),
    Alert(
        name="GainstageRunEndedWithFindings",
        # An ended run has no series: what it last had is looked for in the quarter of an hour
        # before, and only while some server can be scraped, or all runs would seem to have ended.
        expr="(last_over_time(project_run:gainstage_run_findings:sum[15m]) > 0 "
        "unless on (project, run) project_run:gainstage_run_info:max) "
        'and on () count(up{job="gainstage"} == 1)',
        hold="0s",
        severity="warning",
        summary="A run has ended, and what was wrong with it still was.",
        description=(
            "Run {{ $labels.run }} ({{ $labels.project }}) ended with {{ $value }} open findings."
        ),
    ),
    Alert(
        name="GainstageFramesThinned",
        # The count stays; what matters is whether it has grown.
        expr="delta(project_run:gainstage_run_thinned_frames:max[30m]) > 0",
        hold="0s",
        severity="info",
        summary="A trainer drops frames, because its spool is full.",
        description=(
            "In half an hour {{ $value | humanize }} frames of run {{ $labels.run }} "
            "({{ $labels.project }}) were dropped."
        ),
    ),
    Alert(
        name="GainstageOverheadExceeded",
        # The cadence keeps within its budget over the training as a whole, not over its opening.
        expr="project_run:gainstage_run_overhead_ratio:max "
        "> 1.5 * project_run:gainstage_run_overhead_budget_ratio:max",
        hold="30m",
        severity="info",
        summary="The monitor takes more of the training time than it was allowed to.",
        description=(
            "Samples take {{ $value | humanizePercentage }} of the time of run "
            "{{ $labels.run }} ({{ $labels.project }})."
        ),
    ),
)

SERVER_ALERTS = (
    Alert(
        name="GainstageDown",
        expr='up{job="gainstage"} == 0',
        # A restart takes seconds, and trainers keep their frames until the server is back.
        hold="2m",
        severity="critical",
        summary="A Gainstage server cannot be scraped.",
        description=(
            "Prometheus gets no metrics from {{ $labels.instance }}: none of the other alerts can "
            "fire for it."
        ),
    ),
    Alert(
        name="GainstageNoFrames",
        # A window as long as a run may be silent before it counts as stalled.
        expr="gainstage_trainers > 0 unless increase(gainstage_ingest_frames_total[10m]) > 0",
        hold="5m",
        severity="warning",
        summary="Trainers are connected, and no frame is stored.",
        description=(
            "{{ $value }} trainers are connected to {{ $labels.instance }}, and it has stored no "
            "frame for ten minutes."
        ),
    ),
    Alert(
        name="GainstageStoreFailing",
        expr="increase(gainstage_store_commit_failures_total[5m]) > 0",
        # The window already holds the alert for five minutes after a single failure.
        hold="0s",
        severity="critical",
        summary="A Gainstage server cannot store what trainers send.",
        description=(
            "{{ $labels.instance }} failed to commit {{ $value | humanize }} times in five "
            "minutes. Trainers keep their frames on disk until their spools are full."
        ),
    ),
    Alert(
        name="GainstageDiskLow",
        # At the floor nothing is stored any more; by default this is said at 1 GiB.
        expr="gainstage_store_free_bytes < 4 * gainstage_store_floor_bytes",
        hold="5m",
        severity="warning",
        summary="The disk of a Gainstage server is almost full.",
        description=(
            "{{ $labels.instance }} has {{ $value | humanize1024 }}B left where its store grows."
        ),
    ),
    Alert(
        name="GainstageWebhookFailing",
        # A receiver that is away is tried again within minutes; what it rejects, never, and there
        # may be but a few messages in an hour.
        expr="sum by (instance) "
        '(increase(gainstage_webhook_messages_total{result="failed"}[15m]) > 0 or '
        'increase(gainstage_webhook_messages_total{result="rejected"}[45m]) > 0)',
        hold="15m",
        severity="warning",
        summary="Whoever the server's webhook is to tell is not told.",
        description=(
            "{{ $labels.instance }} could not deliver {{ $value | humanize }} messages of late."
        ),
    ),
    Alert(
        name="GainstageFramesRefused",
        expr="sum by (instance, reason) (increase(gainstage_ingest_refused_total[10m])) > 0",
        # As above: one refusal is told, for ten minutes.
        hold="0s",
        severity="warning",
        summary="A Gainstage server refuses messages of trainers.",
        description=(
            "{{ $labels.instance }} refused {{ $value | humanize }} messages in ten minutes "
            "({{ $labels.reason }})."
        ),
    ),
)

ALERTS = (*FINDING_ALERTS.values(), *RUN_ALERTS, *SERVER_ALERTS)


@dataclass(frozen=True)
class Recording:
    """A rule whose result is stored: `record`, as `level:metric:operation`, and what it is."""

    record: str
    expr: str


# Several servers over one store export the same of a run.
OF_RUNS = tuple(
    Recording(f"project_run:{metric.name}:max", f"max by (project, run) ({metric.name})")
    for metric in RUN_METRICS
    if metric.kind == "gauge" and metric.labels in ((), ("status",))
)
RECORDINGS = (
    *OF_RUNS,
    Recording(
        "project_run:gainstage_run_findings:sum",
        "sum by (project, run) (max by (project, run, severity) (gainstage_run_findings))",
    ),
    Recording(
        "project_run:gainstage_run_frames:rate5m",
        "max by (project, run) (rate(gainstage_run_frames_total[5m]))",
    ),
    Recording(
        "project_verdict:gainstage_run_layers:sum",
        "sum by (project, verdict) (max by (project, run, verdict) (gainstage_run_layers))",
    ),
    Recording(
        "instance_result:gainstage_ingest_messages:rate5m",
        "sum by (instance, result) (rate(gainstage_ingest_messages_total[5m]))",
    ),
    Recording(
        "instance:gainstage_store_commit_seconds:p99_5m",
        "histogram_quantile(0.99, "
        "sum by (instance, le) (rate(gainstage_store_commit_seconds_bucket[5m])))",
    ),
)


def render(*, at_once: bool = False) -> str:
    """The file of rules that Prometheus loads; strings are written as JSON, which is YAML too.

    With `at_once` alerts fire without having held for a while first.
    """
    return "\n".join(_lines(at_once=at_once)) + "\n"


def _lines(*, at_once: bool) -> Iterator[str]:
    yield "# Generated: python -m gainstage_server.ops.alerts"
    yield "groups:"
    yield "  - name: gainstage"
    yield "    rules:"
    # Rules of a group are evaluated in order: alerts see what was recorded at the same instant.
    for recording in RECORDINGS:
        yield f"      - record: {recording.record}"
        yield f"        expr: {json.dumps(recording.expr)}"
    for alert in ALERTS:
        yield f"      - alert: {alert.name}"
        yield f"        expr: {json.dumps(alert.expr)}"
        yield f"        for: {'0s' if at_once else alert.hold}"
        yield "        labels:"
        yield f"          severity: {alert.severity}"
        yield "        annotations:"
        yield f"          summary: {json.dumps(alert.summary)}"
        yield f"          description: {json.dumps(alert.description)}"
        yield f"          runbook_url: {alert.runbook_url}"


if __name__ == "__main__":
    print(render(), end="")
