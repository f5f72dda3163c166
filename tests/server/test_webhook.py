"""What the server's webhook tells: findings that open and close, runs that are lost or end."""

import re

import pytest
from tests.receiver import Receiver

from gainstage_server.firing import State, fired
from gainstage_server.ops.alerts import FINDING_ALERTS
from gainstage_server.runs import LOST_SHOWN_SECONDS, Runs
from gainstage_server.store.records import Mark

from .webhooks import LOST_AFTER, NOW, changed, finding, messages, receiver, runs, webhook

__all__ = ["receiver", "runs"]  # fixtures


def test_finding_that_opens_is_told_as_alertmanager_would_and_that_it_closes(
    runs: Runs, receiver: Receiver
) -> None:
    hook = webhook(runs, receiver)
    changed(runs, finding())

    assert hook.look(NOW)
    assert hook.look(NOW + 2)
    changed(runs, finding(closed_step=20))
    assert hook.look(NOW + 4)

    opened, closed = receiver.told.get().message, receiver.told.get().message
    assert receiver.told.empty()
    alert = FINDING_ALERTS["dead"]
    labels = {
        "alertname": "GainstageDeadFinding",
        "project": "p",
        "run": "r",
        "layer": "hidden",
        "verdict": "dead",
        "severity": "warning",
    }
    annotations = {
        "summary": alert.summary,
        "description": "Dead units: layer hidden of run r (p).",
        "runbook_url": alert.runbook_url,
        "finding": "hidden has it.",
    }
    assert opened == {
        "version": "4",
        "groupKey": '{}:{project="p", run="r"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "gainstage",
        "groupLabels": {"project": "p", "run": "r"},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [
            {
                "status": "firing",
                "labels": labels,
                "annotations": annotations,
                "startsAt": "1970-01-01T00:16:40.000+00:00",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": opened["alerts"][0]["fingerprint"],
            }
        ],
    }
    assert closed["status"] == "resolved"
    assert closed["alerts"] == [
        opened["alerts"][0] | {"status": "resolved", "endsAt": "1970-01-01T00:16:44.000+00:00"}
    ]


@pytest.mark.parametrize("verdict", FINDING_ALERTS)
def test_labels_are_those_that_the_rule_of_the_same_name_keeps_and_sets(verdict: str) -> None:
    """So that one receiver can serve both."""
    kept = re.search(r"by \(([^)]*)\)", FINDING_ALERTS[verdict].expr)
    assert kept is not None

    (one,) = fired(State("p", "r", "live", (finding(verdict=verdict),)), NOW)

    assert {name for name, _ in one.labels} == {*kept[1].split(", "), "alertname", "severity"}


def test_all_that_is_wrong_with_a_run_is_one_message_and_two_calls_of_a_layer_one_alert(
    runs: Runs, receiver: Receiver
) -> None:
    hook = webhook(runs, receiver)
    changed(runs, finding("one"), finding("two"), finding("two", severity="critical"))

    hook.look(NOW)

    assert messages(receiver) == [{"one": "firing", "two": "firing"}]


def test_layers_beyond_the_cap_are_counted(runs: Runs, receiver: Receiver) -> None:
    changed(runs, *(finding(f"layer{place}") for place in range(57)))

    webhook(runs, receiver).look(NOW)

    message = receiver.told.get().message
    assert (len(message["alerts"]), message["truncatedAlerts"]) == (50, 7)


def test_finding_that_is_muted_is_over(runs: Runs, receiver: Receiver) -> None:
    hook = webhook(runs, receiver)
    changed(runs, finding())
    hook.look(NOW)

    runs.mark(Mark(run="r", finding="hidden/dead", state="muted", time=NOW))
    hook.look(NOW)

    assert messages(receiver) == [{"hidden": "firing"}, {"hidden": "resolved"}]


def test_run_that_is_lost_is_told_and_that_it_came_back(runs: Runs, receiver: Receiver) -> None:
    hook = webhook(runs, receiver)
    changed(runs)

    hook.look(NOW + LOST_AFTER)
    assert messages(receiver) == []
    hook.look(NOW + LOST_AFTER + 1)
    told = receiver.told.get().message["alerts"][0]
    changed(runs, last_seen=NOW + 70)
    hook.look(NOW + 70)

    assert told["labels"]["alertname"] == "GainstageRunStalled"
    assert told["annotations"]["description"] == "The last frame of run r (p) came 71 s ago."
    assert messages(receiver) == [{"GainstageRunStalled": "resolved"}]


def test_run_that_is_lost_for_a_day_is_told_of_no_more(runs: Runs, receiver: Receiver) -> None:
    hook = webhook(runs, receiver)
    changed(runs, finding())
    hook.look(NOW + LOST_AFTER + 1)
    hook.look(NOW + LOST_SHOWN_SECONDS + 1)
    hook.look(NOW + LOST_SHOWN_SECONDS + 2)

    assert messages(receiver) == [
        {"hidden": "firing", "GainstageRunStalled": "firing"},
        {"hidden": "resolved", "GainstageRunStalled": "resolved"},
    ]


def test_run_that_ends_with_open_findings_is_told_for_a_quarter_of_an_hour(
    runs: Runs, receiver: Receiver
) -> None:
    hook = webhook(runs, receiver)
    changed(runs, finding())
    hook.look(NOW)
    changed(runs, ended=NOW + 1)
    for later in (2, 600, 902, 2_000):
        hook.look(NOW + later)

    ended = "GainstageRunEndedWithFindings"
    assert messages(receiver) == [
        {"hidden": "firing"},
        {ended: "firing", "hidden": "resolved"},
        {ended: "resolved"},
    ]


def test_run_that_ends_without_or_is_deleted_is_just_over(runs: Runs, receiver: Receiver) -> None:
    hook = webhook(runs, receiver)
    changed(runs, finding())
    hook.look(NOW)
    runs.forget("r")
    hook.look(NOW + 1)
    changed(runs)
    hook.look(NOW + 2)
    changed(runs, ended=NOW + 3)
    hook.look(NOW + 4)

    assert messages(receiver) == [{"hidden": "firing"}, {"hidden": "resolved"}]


def test_what_was_wrong_when_the_server_started_counts_as_told(
    runs: Runs, receiver: Receiver
) -> None:
    hook = webhook(runs, receiver)
    changed(runs, finding("old"))
    hook.start(NOW)
    hook.stop()
    changed(runs, finding("new"))

    hook.look(NOW + 2)

    assert messages(receiver) == [{"old": "firing", "new": "firing"}]


def test_run_that_fell_silent_while_the_server_was_down_is_told_once_it_had_time_to_come_back(
    runs: Runs, receiver: Receiver
) -> None:
    hook = webhook(runs, receiver, lost_after=LOST_AFTER)
    changed(runs, finding("old"))
    started = NOW + 3_600
    hook.start(started)
    hook.stop()

    hook.look(started + LOST_AFTER)
    assert messages(receiver) == []
    hook.look(started + LOST_AFTER + 1)

    assert messages(receiver) == [{"old": "firing", "GainstageRunStalled": "firing"}]


def test_run_that_comes_back_after_the_server_is_not_told(runs: Runs, receiver: Receiver) -> None:
    hook = webhook(runs, receiver, lost_after=LOST_AFTER)
    changed(runs)
    started = NOW + 3_600
    hook.start(started)
    hook.stop()

    hook.look(started + 2)
    changed(runs, last_seen=started + 20)
    hook.look(started + LOST_AFTER + 1)

    assert messages(receiver) == []


def test_run_that_was_lost_before_the_server_stopped_is_not_told_again(
    runs: Runs, receiver: Receiver
) -> None:
    hook = webhook(runs, receiver, lost_after=LOST_AFTER)
    heard = NOW + 2 * LOST_AFTER
    changed(runs)
    changed(runs, run="other", last_seen=heard, ended=heard)
    started = NOW + 3_600
    hook.start(started)
    hook.stop()

    hook.look(started + LOST_AFTER + 1)
    assert messages(receiver) == []
    changed(runs, last_seen=started + 100)
    hook.look(started + 100)

    assert messages(receiver) == [{"GainstageRunStalled": "resolved"}]


def test_what_matters_most_is_told_first() -> None:
    quiet = tuple(finding(f"layer{index}") for index in range(60))
    worst = finding("last", "nonfinite", severity="critical")

    first, second, *_ = fired(State("p", "r", "lost", (*quiet, worst), NOW - 90), NOW)

    assert dict(first.labels)["alertname"] == "GainstageRunStalled"
    assert dict(second.labels)["layer"] == "last"
