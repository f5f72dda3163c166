"""What is wrong with each run, as the alerts of Prometheus name it, and who has been told of what.

Knows no socket and no clock: what a receiver is to be told is the difference between what holds now
and what it was told last. So there is no queue to overflow: while a receiver is away, what opens
and closes again is never told, and what holds when it is back is told once.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from gainstage.exposition import LAYERS_SHOWN
from gainstage.finding import Finding, severest_first
from gainstage_server.ops.alerts import FINDING_ALERTS, RUN_ALERTS, Alert
from gainstage_server.runs import LOST_SHOWN_SECONDS, Status
from gainstage_server.store.records import RunRecord

# Version of the message, which is that of Alertmanager's webhook.
VERSION = "4"
RECEIVER = "gainstage"
# For so long the rule of the same name tells of a run that has ended.
ENDED_SECONDS = 15 * 60.0
# As Alertmanager writes the end of what goes on.
NEVER = "0001-01-01T00:00:00Z"

_RUN_ALERTS = {alert.name: alert for alert in RUN_ALERTS}
STALLED = _RUN_ALERTS["GainstageRunStalled"]
ENDED = _RUN_ALERTS["GainstageRunEndedWithFindings"]
_LABEL, _VALUE = re.compile(r"{{ \$labels\.(\w+) }}"), re.compile(r"{{ \$value[^}]*}}")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fired:
    """An alert about a run.

    Attributes:
        labels: Those that it has in Prometheus, by name.
        annotations: The same, and `finding`, what the finding says in one sentence.
        since: When it was first seen here, Unix time in seconds.
    """

    labels: Labels
    annotations: Mapping[str, str]
    since: float


def _fired(alert: Alert, labels: dict[str, str], now: float, value: str = "", **more: str) -> Fired:
    filled = _LABEL.sub(lambda found: labels[found[1]], alert.description)
    labels = {**labels, "alertname": alert.name, "severity": alert.severity}
    annotations = {
        "summary": alert.summary,
        "description": _VALUE.sub(lambda _: value, filled),
        "runbook_url": alert.runbook_url,
        **more,
    }
    return Fired(tuple(sorted(labels.items())), annotations, now)


class State(NamedTuple):
    """What alerts about a run follow from; by default that there is nothing to say of it."""

    project: str = ""
    run: str = ""
    status: Status | None = None
    findings: tuple[Finding, ...] = ()
    last_frame: float = 0.0  # of a run that is lost

    @classmethod
    def of(
        cls, record: RunRecord, status: Status, findings: tuple[Finding, ...], now: float
    ) -> "State":
        """That of a run; `findings` are the open ones that are not muted."""
        run = record.project, record.run
        if record.ended is not None:
            recent = findings and now - record.ended < ENDED_SECONDS
            return cls(*run, status, findings) if recent else cls()
        if status == "lost":
            if now - record.last_seen > LOST_SHOWN_SECONDS:
                return cls()
            return cls(*run, status, findings, record.newest or record.last_seen)
        return cls(*run, status, findings)


def fired(state: State, now: float) -> list[Fired]:
    """The alerts about a run, each once."""
    run = {"project": state.project, "run": state.run}
    if state.status == "ended":
        return [_fired(ENDED, run, now, str(len(state.findings)))]
    wrong: dict[Labels, Fired] = {}
    # The receiver is told but so many: what matters most comes first.
    if state.status == "lost":
        one = _fired(STALLED, run, now, f"{now - state.last_frame:.0f} s")
        wrong[one.labels] = one
    for finding in severest_first(state.findings):
        if finding.verdict not in FINDING_ALERTS:  # of a rule that there is no more
            continue
        labels = {**run, "layer": finding.layer, "verdict": finding.verdict}
        one = _fired(FINDING_ALERTS[finding.verdict], labels, now, finding=finding.summary)
        wrong.setdefault(one.labels, one)
    return list(wrong.values())


class Ledger:
    """What the receiver has been told of each run, and still holds for all it knows."""

    def __init__(self) -> None:
        self._told: dict[str, dict[Labels, Fired]] = {}

    def news(self, run: str, wrong: Sequence[Fired], now: float) -> dict[str, Any] | None:
        """The message that brings the receiver up to date; None: it knows."""
        told = self._told.get(run, {})
        current = {one.labels: told.get(one.labels, one) for one in wrong}
        over = [one for labels, one in told.items() if labels not in current]
        if not over and current.keys() == told.keys():
            return None
        # What is over comes last, and what is beyond the cap is counted.
        alerts = [
            *(_alert(one, None) for one in list(current.values())[:LAYERS_SHOWN]),
            *(_alert(one, now) for one in over),
        ]
        project = dict((*current.values(), *over)[0].labels)["project"]
        group = {"project": project, "run": run}
        return {
            "version": VERSION,
            "groupKey": f'{{}}:{{project="{project}", run="{run}"}}',
            "truncatedAlerts": max(0, len(current) - LAYERS_SHOWN),
            "status": "firing" if current else "resolved",
            "receiver": RECEIVER,
            "groupLabels": group,
            "commonLabels": _common([one["labels"] for one in alerts]),
            "commonAnnotations": _common([one["annotations"] for one in alerts]),
            "externalURL": "",
            "alerts": alerts,
        }

    def told(self, run: str, wrong: Sequence[Fired]) -> None:
        """The receiver knows that this is wrong with the run, and nothing else."""
        before = self._told.get(run, {})
        self._told[run] = {one.labels: before.get(one.labels, one) for one in wrong}
        if not wrong:
            del self._told[run]


def _common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = maps
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}


def _alert(one: Fired, ended: float | None) -> dict[str, Any]:
    return {
        "status": "firing" if ended is None else "resolved",
        "labels": dict(one.labels),
        "annotations": dict(one.annotations),
        "startsAt": _time(one.since),
        "endsAt": NEVER if ended is None else _time(ended),
        "generatorURL": "",
        "fingerprint": hashlib.sha256(repr(one.labels).encode()).hexdigest()[:16],
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
