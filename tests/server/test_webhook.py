"""What the server's webhook tells whom, and that nobody waits for who is told."""

import hashlib
import hmac
import re
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from tests.receiver import Receiver, receiving

from gainstage.finding import Finding
from gainstage_server.commit import Committed
from gainstage_server.counters import Counters
from gainstage_server.firing import State, fired
from gainstage_server.ops.alerts import FINDING_ALERTS
from gainstage_server.runs import LOST_SHOWN_SECONDS, Runs
from gainstage_server.settings import Settings, read_settings
from gainstage_server.store.records import Mark, RunRecord
from gainstage_server.store.sqlite import SQLiteStore
from gainstage_server.webhook import Webhook, post, signed

from .conftest import running
from .trainer import Trainer, send, wait_until

NOW, LOST_AFTER = 1_000.0, 60.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as it:
        yield it


@pytest.fixture
def runs(store: SQLiteStore) -> Runs:
    return Runs(store, LOST_AFTER)


def webhook(runs: Runs, receiver: Receiver, **settings: object) -> Webhook:
    """One that looks when it is told to."""
    return Webhook(Settings(webhook_url=receiver.url, **settings), runs, Counters())


def finding(layer: str = "hidden", verdict: str = "dead", **changes: object) -> Finding:
    fields = {"severity": "warning", "since_step": 0, "last_step": 1, "summary": f"{layer} has it."}
    return Finding(
        id=f"{layer}/{verdict}", row=layer, layer=layer, verdict=verdict, **fields | changes
    )


def changed(runs: Runs, *findings: Finding, **changes: object) -> None:
    """The run "r" after a batch in which these findings changed."""
    fields = {"project": "p", "started": 0.0, "attempt": "a", "attempt_started": 0.0}
    of_run = {"tags": (), "config": {}, "environment": {}, "last_seen": NOW, "last_frame": NOW - 10}
    record = RunRecord(run="r", **fields | of_run | changes)
    runs.apply(Committed((), (), {"r": record}, {"r": findings}))


def messages(receiver: Receiver) -> list[dict[str, str]]:
    """Alert or layer -> status, of each message so far."""
    found = []
    while not receiver.told.empty():
        message = receiver.told.get().message
        found.append(
            {
                one["labels"].get("layer", one["labels"]["alertname"]): one["status"]
                for one in message["alerts"]
            }
        )
    return found


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


def test_receiver_that_was_away_is_told_what_holds_when_it_is_back(
    runs: Runs, receiver: Receiver
) -> None:
    hook = webhook(runs, receiver)
    receiver.status = 503
    changed(runs, finding("first"), finding("second"))
    assert not hook.look(NOW)
    changed(runs, finding("second", closed_step=9), finding("third"))
    assert not hook.look(NOW + 5)
    messages(receiver)

    receiver.status = 200
    assert hook.look(NOW + 15)

    assert messages(receiver) == [{"first": "firing", "third": "firing"}]
    assert hook._counters.webhook == {"sent": 1, "failed": 2, "rejected": 0}


def test_run_that_ends_while_the_receiver_is_away_is_not_forgotten(
    runs: Runs, receiver: Receiver
) -> None:
    hook = webhook(runs, receiver)
    receiver.status = 503
    changed(runs, finding())
    hook.start(NOW)  # knows of the run, and looks no more before this test is over
    hook.stop()
    changed(runs, ended=NOW + 1)
    assert not hook.look(NOW + 2)
    messages(receiver)

    receiver.status = 200
    hook.look(NOW + 3)

    assert messages(receiver) == [{"GainstageRunEndedWithFindings": "firing", "hidden": "resolved"}]


def test_message_that_is_rejected_is_not_sent_again(runs: Runs, receiver: Receiver) -> None:
    hook = webhook(runs, receiver)
    receiver.status = 400
    changed(runs, finding())

    assert hook.look(NOW)
    assert hook.look(NOW + 2)

    assert len(messages(receiver)) == 1
    assert hook._counters.webhook["rejected"] == 1


def test_redirect_is_not_followed(receiver: Receiver) -> None:
    with receiving() as other:
        receiver.status, receiver.location = 307, other.url

        assert post(receiver.url, b"{}", signed(b"{}", None)) == "rejected"
        assert other.told.empty()


@pytest.mark.parametrize(
    ("status", "result"),
    [(204, "sent"), (404, "rejected"), (408, "failed"), (429, "failed"), (500, "failed")],
)
def test_answer_says_whether_to_try_again(receiver: Receiver, status: int, result: str) -> None:
    receiver.status = status

    assert post(receiver.url, b"{}", signed(b"{}", None)) == result


def test_receiver_that_is_not_there_is_tried_again() -> None:
    with receiving() as gone:
        url = gone.url

    assert post(url, b"{}", {}) == "failed"


def test_receiver_knows_by_the_signature_who_has_sent_a_message(
    runs: Runs, receiver: Receiver
) -> None:
    changed(runs, finding())
    webhook(runs, receiver, webhook_secret="known to both").look(NOW)

    told = receiver.told.get()

    expected = hmac.new(b"known to both", told.body, hashlib.sha256).hexdigest()
    assert told.headers["X-Gainstage-Signature"] == f"sha256={expected}"
    assert "X-Gainstage-Signature" not in signed(b"", None)


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
    other = RunRecord(
        run="other",
        project="p",
        tags=(),
        config={},
        environment={},
        started=0.0,
        attempt="a",
        attempt_started=0.0,
        last_seen=NOW + 2 * LOST_AFTER,
        ended=NOW + 2 * LOST_AFTER,
    )
    changed(runs)
    runs.apply(Committed((), (), {"other": other}, {}))
    started = NOW + 3_600
    hook.start(started)
    hook.stop()

    hook.look(started + LOST_AFTER + 1)
    assert messages(receiver) == []
    changed(runs, last_seen=started + 100)
    hook.look(started + 100)

    assert messages(receiver) == [{"GainstageRunStalled": "resolved"}]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "hooks.example.com", "ftp://example.com/"])
def test_address_of_another_kind_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match="begins with http:// or https://") as refused:
        read_settings({"webhook_url": SecretStr(url)})

    assert url not in str(refused.value)


def test_frames_are_acknowledged_while_the_receiver_hangs(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gainstage_server.webhook.LOOK_SECONDS", 0.01)
    receiver.held.clear()
    trainer = Trainer()
    with running(settings.model_copy(update={"webhook_url": SecretStr(receiver.url)})) as server:
        opening, frames = trainer.opening(), [trainer.loud(10 * place) for place in range(4)]
        send(server.ws, [*opening, *frames])
        told = receiver.told.get(timeout=20).message

        assert send(server.ws, [trainer.loud(50)]) == []
        assert server.service.counters.webhook["sent"] == 0
        receiver.held.set()
        wait_until(lambda: server.service.counters.webhook["sent"])

    assert told["alerts"][0]["labels"]["alertname"] == "GainstageActivityFinding"
