"""Viewers over a real WebSocket."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gainstage import wire
from gainstage_server import live
from gainstage_server.settings import Settings

from .conftest import Running, running
from .trainer import Trainer, read, send, subscribe, wait_until


@contextmanager
def watch(server: Running, run: str | None, token: str | None = None) -> Iterator[ClientConnection]:
    with connect(f"{server.ws}/api/v1/live") as socket:
        subscribe(socket, run, token)
        yield socket


def subscribed(server: Running, count: int = 1) -> None:
    wait_until(lambda: len(server.service.hub) == count)


def test_a_viewer_is_shown_the_newest_state_then_what_follows_unchanged(server: Running) -> None:
    trainer = Trainer()
    opening = [*trainer.opening(), trainer.quiet(1)]
    send(server.ws, opening)
    with watch(server, "canonical") as viewer:
        first = [viewer.recv(timeout=10) for _ in range(2)]
        following = [trainer.quiet(2), trainer.notice(), trainer.run_end()]
        send(server.ws, following)

        assert first == opening[1:]
        assert [viewer.recv(timeout=10) for _ in range(3)] == following


def test_a_viewer_of_a_run_that_has_not_begun_is_told_when_it_does(server: Running) -> None:
    trainer = Trainer()
    messages = [*trainer.opening(), trainer.quiet(1)]
    with watch(server, "canonical") as viewer:
        subscribed(server)
        send(server.ws, messages)

        assert [viewer.recv(timeout=10) for _ in range(3)] == messages


def test_open_findings_are_told_at_once_and_new_ones_when_they_open(server: Running) -> None:
    trainer = Trainer()
    with watch(server, "canonical") as early:
        subscribed(server)
        send(server.ws, [*trainer.opening(), *(trainer.loud(10 * step) for step in range(3))])
        opened = read([early.recv(timeout=10) for _ in range(6)][-1])

    with watch(server, "canonical") as late:
        shown = read([late.recv(timeout=10) for _ in range(3)][-1])

    assert isinstance(opened, wire.FindingChanged)
    assert (opened.finding.verdict, opened.finding.layer) == ("activity", "dense_1")
    assert shown == opened


def test_frames_stored_before_are_not_sent_again_with_a_repeat(server: Running) -> None:
    trainer = Trainer()
    messages = [*trainer.opening(), trainer.quiet(1)]
    send(server.ws, messages)
    with watch(server, "canonical") as viewer:
        for _ in range(2):
            viewer.recv(timeout=10)
        newer = trainer.quiet(2)
        send(server.ws, [*messages, newer])

        assert viewer.recv(timeout=10) == newer


def test_a_viewer_may_turn_to_another_run(server: Running) -> None:
    one, two = Trainer(run="one"), Trainer(run="two")
    send(server.ws, one.opening())
    send(server.ws, two.opening())
    with watch(server, "one") as viewer:
        first = read(viewer.recv(timeout=10))
        subscribe(viewer, "two")
        second = read(viewer.recv(timeout=10))

    assert (first.run, second.run) == ("one", "two")


def test_the_list_of_runs_is_told_of_beginnings_and_ends(server: Running) -> None:
    trainer = Trainer()
    with watch(server, None) as viewer:
        subscribed(server)
        send(server.ws, [*trainer.opening(), trainer.quiet(1), trainer.run_end()])

        told = [read(viewer.recv(timeout=10)) for _ in range(2)]

    assert [type(message) for message in told] == [wire.RunStart, wire.RunEnd]


@pytest.mark.parametrize("message", ["hello", '{"type":"subscribe","run":3}', "x" * 5_000, b"\xff"])
def test_what_is_no_subscription_ends_the_connection(server: Running, message: bytes | str) -> None:
    with connect(f"{server.ws}/api/v1/live") as viewer:
        viewer.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            viewer.recv(timeout=10)

    assert closed.value.rcvd.code == 1008
    assert "Not a subscription" in closed.value.rcvd.reason


def test_a_viewer_needs_the_read_token_in_its_first_message(settings: Settings) -> None:
    with running(settings.model_copy(update={"read_token": SecretStr("eyes")})) as server:
        for token in (None, "guess"):
            with (
                watch(server, None, token=token) as viewer,
                pytest.raises(ConnectionClosed) as closed,
            ):
                viewer.recv(timeout=10)
            assert closed.value.rcvd.code == 1008

        trainer = Trainer()
        with watch(server, None, token="eyes") as viewer:
            subscribed(server)
            send(server.ws, [trainer.run_start()])
            assert read(viewer.recv(timeout=10)).run == "canonical"


def test_a_viewer_may_send_its_token_in_a_header_or_once(settings: Settings) -> None:
    guarded = settings.model_copy(update={"read_token": SecretStr("eyes")})
    header = {"Authorization": "Bearer eyes"}
    with running(guarded) as server:
        send(server.ws, Trainer(run="one").opening())
        send(server.ws, Trainer(run="two").opening())
        with connect(f"{server.ws}/api/v1/live", additional_headers=header) as viewer:
            subscribe(viewer, "one")
            assert read(viewer.recv(timeout=10)).run == "one"
        with watch(server, "one", token="eyes") as viewer:
            assert read(viewer.recv(timeout=10)).run == "one"
            subscribe(viewer, "two")
            assert read(viewer.recv(timeout=10)).run == "two"


def test_who_says_nothing_takes_no_viewers_place_and_is_sent_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SUBSCRIBE_SECONDS", 0.3)
    with (
        running(settings.model_copy(update={"viewers": 1})) as server,
        connect(f"{server.ws}/api/v1/live") as silent,
        watch(server, None) as viewer,
    ):
        subscribed(server)
        with pytest.raises(ConnectionClosed) as closed:
            silent.recv(timeout=10)
        send(server.ws, [Trainer().run_start()])

        assert closed.value.rcvd.code == 1008
        assert read(viewer.recv(timeout=10)).run == "canonical"


def test_one_viewer_more_than_the_cap_is_sent_away(settings: Settings) -> None:
    with running(settings.model_copy(update={"viewers": 1})) as server, watch(server, None):
        subscribed(server)
        with watch(server, None) as second, pytest.raises(ConnectionClosed) as closed:
            second.recv(timeout=10)

    assert closed.value.rcvd.code == 1013


def test_a_viewer_who_leaves_is_forgotten(server: Running) -> None:
    with watch(server, None):
        subscribed(server)

    wait_until(lambda: len(server.service.hub) == 0)
