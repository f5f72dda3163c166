"""The table of alerts; `python -m gainstage_server.ops.alerts` prints it as Prometheus rules."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gainstage.diagnosis import RULES, Rule
from gainstage.finding import Severity

DOCS = "https://github.com/gainstage/gainstage/blob/main/docs"


def page_url(page: str) -> str:
    """The address of a page, or of a heading on it, below `docs/`."""
    return f"{DOCS}/{page}"


def finding_page(rule: Rule) -> str:
    """The page and heading that say what to do about a finding of `rule`."""
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
        runbook: Page and heading below `DOCS`.
    """

    name: str
    expr: str
    hold: str
    severity: Severity
    summary: str
    description: str
    runbook: str


# A layer that is called twice can have one verdict in two severities. The alert's own label takes
# the place of both, and Prometheus refuses to evaluate a rule that returns one label set twice.
LAYER_FINDING = 'max without (severity) (gainstage_layer_finding{{verdict="{}"}}) == 1'

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
        runbook=finding_page(rule),
    )


SYSTEM_ALERTS = (
    Alert(
        name="GainstageRunStalled",
        # Longer than a validation pass or a checkpoint of most models; an ended run has no series.
        expr="time() - gainstage_run_last_frame_timestamp_seconds > 600",
        hold="1m",
        severity="warning",
        summary="A run that has not ended sends nothing any more.",
        description=(
            "The last frame of run {{ $labels.run }} ({{ $labels.project }}) came "
            "{{ $value | humanizeDuration }} ago."
        ),
        runbook="operations.md#gainstagerunstalled",
    ),
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
        runbook="operations.md#gainstagedown",
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
        runbook="operations.md#gainstagestorefailing",
    ),
)

ALERTS = (*map(finding_alert, RULES), *SYSTEM_ALERTS)


def render(alerts: Iterable[Alert]) -> str:
    """The rules file that Prometheus loads; strings are written as JSON, which is YAML too."""
    return "\n".join(_lines(alerts)) + "\n"


def _lines(alerts: Iterable[Alert]) -> Iterator[str]:
    yield "# Generated from alerts.py: python -m gainstage_server.ops.alerts"
    yield "groups:"
    yield "  - name: gainstage"
    yield "    rules:"
    for alert in alerts:
        yield f"      - alert: {alert.name}"
        yield f"        expr: {json.dumps(alert.expr)}"
        yield f"        for: {alert.hold}"
        yield "        labels:"
        yield f"          severity: {alert.severity}"
        yield "        annotations:"
        yield f"          summary: {json.dumps(alert.summary)}"
        yield f"          description: {json.dumps(alert.description)}"
        yield f"          runbook_url: {page_url(alert.runbook)}"


if __name__ == "__main__":
    print(render(ALERTS), end="")
