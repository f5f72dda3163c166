"""Viewers over a real WebSocket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
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
        send(server.ws, messages)

        assert [viewer.recv(timeout=10) for _ in range(3)] == messages


def test_viewer_goes_on_with_the_newest_attempt_when_an_older_one_arrives_late(
    server: Running,
) -> None:
    older, newer = Trainer(), Trainer(attempt="a2", time=2_000.0)
    send(server.ws, newer.opening())
    with watch(server, "canonical") as viewer:
        viewer.recv(timeout=10)
        send(server.ws, [*older.opening(), older.quiet(1)])
        send(server.ws, [frame := newer.quiet(2)])
        told = [viewer.recv(timeout=10) for _ in range(2)]

    assert [type(read(data)) for data in told] == [wire.RunStart, wire.Frame]
    assert told[1] == frame


def test_statistic_that_a_run_does_not_have_is_no_block_without_a_name(server: Running) -> None:
    trainer = Trainer()
    schema = trainer.schema_message()
    nameless = {**schema.blocks, "": wire.BlockSchema((), b"")}
    schema = msgspec.structs.replace(schema, blocks=nameless, seq=1)
    trainer.seq = 0
    send(server.ws, [trainer.run_start(seq=0), wire.encode(schema)])
    trainer.seq, trainer.schema_seq = 1, 1
    empty = wire.decode(trainer.frame(1))[0]
    with connect(f"{server.ws}/api/v1/live") as viewer:
        subscribe(viewer, "canonical", statistics=["unknown"])
        send(server.ws, [wire.encode(empty, {"": np.zeros((trainer.rows, 0), np.float32)})])

        assert send(server.ws, [trainer.frame(2)]) == []


def test_a_viewer_of_some_statistics_is_sent_their_columns(server: Running) -> None:
    trainer = Trainer()
    send(server.ws, [*trainer.opening(), trainer.quiet(1, 2)])
    with connect(f"{server.ws}/api/v1/live") as viewer:
        subscribe(viewer, "canonical", statistics=["pre_db", "unknown"], id=7)
        viewer.recv(timeout=10)
        shown = wire.decode(viewer.recv(timeout=10))
        send(server.ws, [trainer.quiet(2, 0)])
        following = wire.decode(viewer.recv(timeout=10))

    assert [(frame.step, list(blocks)) for frame, blocks in (shown, following)] == [
        (1, ["pre_db"]),
        (2, ["pre_db"]),
    ]
    assert shown[1]["pre_db"].tolist() == [-1, -1, 40]
    assert following[1]["pre_db"].tolist() == [40, -1, -1]


def test_a_viewer_who_turns_to_other_statistics_is_shown_the_newest_of_them_alone(
    server: Running,
) -> None:
    trainer = Trainer()
    send(server.ws, [*trainer.opening(), *(trainer.loud(10 * step) for step in range(3))])
    with connect(f"{server.ws}/api/v1/live") as viewer:
        subscribe(viewer, "canonical", statistics=["pre_db"], id=1)
        first = [type(read(viewer.recv(timeout=10))) for _ in range(3)]
        subscribe(viewer, "canonical", statistics=["gain_db"], id=2)
        newest, blocks = wire.decode(viewer.recv(timeout=10))
        notice = trainer.notice()
        send(server.ws, [notice])

        assert first == [wire.Schema, wire.Frame, wire.FindingChanged]
        assert (newest.step, blocks["gain_db"].tolist()) == (20, [0, 3, 0])
        assert viewer.recv(timeout=10) == notice


def test_what_was_stored_before_a_subscription_is_answered_and_what_comes_after_is_told(
    settings: Settings,
) -> None:
    trainer = Trainer()
    opening, frames = trainer.opening(), [trainer.quiet(step) for step in range(200)]
    with running(settings.model_copy(update={"viewer_frames": 200})) as server:
        send(server.ws, opening)
        sending = threading.Thread(target=send, args=(server.ws, frames))
        sending.start()
        with watch(server, "canonical") as viewer:
            told: list[int] = []
            telling = threading.Thread(target=lambda: told.extend(_steps_until(viewer, 199)))
            telling.start()
            query = "layer=dense_0&statistic=pre_db&points=1000"
            answered = server.get(f"/api/v1/runs/canonical/series?{query}").json()["steps"]
            sending.join()
            telling.join()

    assert sorted({*answered, *told}) == list(range(200))


def _steps_until(viewer: ClientConnection, last: int) -> list[int]:
    """Of the frames that a viewer is told of."""
    steps: list[int] = []
    while not steps or steps[-1] < last:
        message = read(viewer.recv(timeout=10))
        if isinstance(message, wire.Frame):
            steps.append(message.step)
    return steps


def test_open_findings_are_told_at_once_and_new_ones_when_they_open(server: Running) -> None:
    trainer = Trainer()
    with watch(server, "canonical") as early:
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
            with pytest.raises(ConnectionClosed) as closed, watch(server, None, token=token):
                pass
            assert closed.value.rcvd.code == 1008

        trainer = Trainer()
        with watch(server, None, token="eyes") as viewer:
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
        with pytest.raises(ConnectionClosed) as closed:
            silent.recv(timeout=10)
        send(server.ws, [Trainer().run_start()])

        assert closed.value.rcvd.code == 1008
        assert read(viewer.recv(timeout=10)).run == "canonical"


def test_one_viewer_more_than_the_cap_is_sent_away(settings: Settings) -> None:
    with (
        running(settings.model_copy(update={"viewers": 1})) as server,
        watch(server, None),
        pytest.raises(ConnectionClosed) as closed,
        watch(server, None),
    ):
        pass

    assert closed.value.rcvd.code == 1013


def test_a_viewer_who_leaves_is_forgotten(server: Running) -> None:
    with watch(server, None):
        assert len(server.service.hub) == 1

    wait_until(lambda: len(server.service.hub) == 0)
