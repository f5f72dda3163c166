"""Receivers that are away, refuse or hang: they are told later, and nobody waits for them."""

import hashlib
import hmac

import pytest
from pydantic import SecretStr
from tests.receiver import Receiver, receiving

from gainstage_server.runs import Runs
from gainstage_server.settings import Settings, read_settings
from gainstage_server.webhook import post, signed

from .conftest import running
from .trainer import Trainer, send, wait_until
from .webhooks import NOW, changed, finding, messages, receiver, runs, webhook

__all__ = ["receiver", "runs"]  # fixtures


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
