"""What a person changes: marks of findings and deleted runs, over a real server."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from gainstage import wire
from gainstage_server import models
from gainstage_server.settings import Settings
from gainstage_server.store.interface import StoreError, Transaction
from gainstage_server.store.records import Stream
from gainstage_server.store.sqlite import SQLiteStore

from .conftest import Running, running
from .test_live import watch
from .test_metrics import samples
from .trainer import Trainer, acknowledged, read, send

RUNS = "/api/v1/runs"
RUN = f"{RUNS}/canonical"


def finding_of(server: Running) -> dict[str, Any]:
    (found,) = server.get(f"{RUN}/findings").json()["findings"]
    return found


def mark(server: Running, state: str | None) -> httpx.Response:
    url = f"{server.url}{RUN}/findings/{finding_of(server)['id']}/mark"
    return httpx.delete(url) if state is None else httpx.put(url, json={"state": state})


def begin(server: Running) -> Trainer:
    """A live run with an open finding."""
    trainer = Trainer()
    assert send(server.ws, [*trainer.opening(), *map(trainer.loud, (0, 10, 20, 30))]) == []
    return trainer


def end(server: Running, trainer: Trainer) -> None:
    assert send(server.ws, [trainer.run_end(frames=4)]) == []


def delete(server: Running, run: str = "canonical") -> httpx.Response:
    return httpx.delete(f"{server.url}{RUNS}/{run}")


def test_a_finding_without_a_mark_says_so(server: Running) -> None:
    begin(server)

    assert finding_of(server)["mark"] is None


@pytest.mark.parametrize("state", ["acknowledged", "muted"])
def test_a_mark_is_answered_with_its_finding_and_taken_away_again(
    server: Running, state: str
) -> None:
    begin(server)

    marked = mark(server, state)
    shown = finding_of(server)
    unmarked = mark(server, None)

    models.FindingModel.model_validate_json(marked.content, strict=True)
    assert marked.json()["mark"]["state"] == state
    assert marked.json() == shown
    assert unmarked.json() == finding_of(server) == shown | {"mark": None}


def test_a_muted_finding_counts_nowhere_and_an_acknowledged_one_does(server: Running) -> None:
    begin(server)
    finding, count = "gainstage_layer_finding", "gainstage_run_findings"

    def counted() -> tuple[int, int, float]:
        shown = samples(server, severity="warning")
        named = [name for name, *_ in shown]
        (total,) = (value for (name, *_), value in shown.items() if name == count)
        return server.get(RUN).json()["findings_open"], named.count(finding), total

    assert counted() == (1, 1, 1)
    mark(server, "acknowledged")
    assert counted() == (1, 1, 1)
    mark(server, "muted")
    assert counted() == (0, 0, 0)
    mark(server, None)
    assert counted() == (1, 1, 1)


def test_a_mark_outlives_what_becomes_of_the_finding_and_the_server(settings: Settings) -> None:
    with running(settings) as first:
        trainer = begin(first)
        given = mark(first, "muted").json()["mark"]
        calm = [trainer.quiet(40 + 10 * index) for index in range(6)]
        assert send(first.ws, calm) == []
        assert finding_of(first)["closed_step"] is not None
        assert finding_of(first)["mark"] == given

    with running(settings) as second:
        assert finding_of(second)["mark"] == given
        assert second.get(RUN).json()["findings_open"] == 0


def test_a_muted_finding_stays_muted_across_a_restart(settings: Settings) -> None:
    with running(settings) as first:
        begin(first)
        mark(first, "muted")

    with running(settings) as second:
        assert second.get(RUN).json()["findings_open"] == 0
        assert finding_of(second)["closed_step"] is None


def test_viewers_of_the_run_and_of_the_list_are_told_of_a_mark(server: Running) -> None:
    begin(server)
    with watch(server, "canonical") as page, watch(server, None) as listed:
        opened = [read(page.recv(timeout=10)) for _ in range(3)][-1]
        mark(server, "muted")

        assert read(page.recv(timeout=10)) == read(listed.recv(timeout=10)) == opened


@pytest.mark.parametrize("body", [{}, {"state": "gone"}, {"state": "muted", "by": "me"}, [], "x"])
def test_a_mark_of_another_kind_is_refused(server: Running, body: object) -> None:
    begin(server)
    url = f"{server.url}{RUN}/findings/{finding_of(server)['id']}/mark"

    assert httpx.put(url, json=body).status_code == 422
    assert finding_of(server)["mark"] is None


@pytest.mark.parametrize("run", ["canonical", "nobody"])
def test_what_is_not_there_cannot_be_marked(server: Running, run: str) -> None:
    begin(server)
    url = f"{server.url}{RUNS}/{run}/findings/f/mark"

    answers = [httpx.put(url, json={"state": "muted"}), httpx.delete(url)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "Known: " in answers[0].json()["detail"]


def test_a_run_that_is_over_leaves_nothing_behind(server: Running, settings: Settings) -> None:
    trainer = begin(server)
    mark(server, "muted")
    end(server, trainer)

    answer = delete(server)

    assert (answer.status_code, answer.content) == (204, b"")
    assert server.get(RUNS).json() == {"runs": []}
    assert server.get(f"{RUN}/findings").status_code == 404
    assert samples(server, run="canonical") == {}
    store = server.service.store
    assert (store.runs(), store.marks(), store.findings("canonical")) == ([], [], [])
    assert list(store.frames_after(Stream("canonical", "a1", 0), -1)) == []
    with running(settings.model_copy(update={"port": 0})) as again:
        assert again.get(RUNS).json() == {"runs": []}


def test_a_live_run_is_not_deleted_and_the_way_out_is_named(server: Running) -> None:
    begin(server)

    answer = delete(server)

    assert answer.status_code == 409
    assert "End its training, or wait: 60 s" in answer.json()["detail"]
    assert server.get(RUN).json()["frames"] == 4


def test_a_lost_run_can_be_deleted(settings: Settings) -> None:
    with running(settings.model_copy(update={"lost_after": 1e-6})) as server:
        begin(server)
        assert server.get(RUN).json()["status"] == "lost"

        assert delete(server).status_code == 204


def test_what_is_not_there_cannot_be_deleted(server: Running) -> None:
    end(server, begin(server))

    assert delete(server, "nobody").status_code == 404
    assert [delete(server).status_code for _ in range(2)] == [204, 404]


def test_viewers_of_the_run_and_of_the_list_are_told_of_its_end(server: Running) -> None:
    end(server, begin(server))
    with watch(server, "canonical") as page, watch(server, None) as listed:
        for _ in range(3):
            page.recv(timeout=10)
        delete(server)

        told = wire.RunDeleted(run="canonical")
        assert (read(page.recv(timeout=10)), read(listed.recv(timeout=10))) == (told, told)


def test_what_its_trainer_sends_afterwards_is_of_no_attempt_that_has_begun(
    server: Running,
) -> None:
    trainer = Trainer()
    with connect(f"{server.ws}/api/v1/ingest") as socket:
        for message in (*trainer.opening(), trainer.loud(0), trainer.run_end(frames=1)):
            socket.send(message)
        acknowledged(socket, trainer.seq)
        assert delete(server).status_code == 204

        for late in (trainer.loud(10), trainer.schema(), trainer.notice()):
            socket.send(late)
            refused = read(socket.recv(timeout=10))
            assert isinstance(refused, wire.Refuse)
            assert "attempt that has not begun" in refused.reason

    assert server.get(RUNS).json() == {"runs": []}


def test_a_run_that_begins_again_under_its_name_begins_with_nothing(server: Running) -> None:
    end(server, begin(server))
    delete(server)

    fresh = Trainer()
    assert send(server.ws, [*fresh.opening(), fresh.quiet(7)]) == []

    run = server.get(RUN).json()
    assert (run["frames"], run["step"], run["findings_open"]) == (1, 7, 0)
    assert server.get(f"{RUN}/findings").json() == {"findings": []}
    assert [attempt["frames"] for attempt in run["attempts"]] == [1]


def test_the_diagnosis_of_another_run_goes_on(server: Running) -> None:
    other = Trainer(run="other")
    send(server.ws, [*other.opening(), other.loud(0), other.loud(10)])
    end(server, begin(server))
    delete(server)

    assert send(server.ws, [other.loud(20)]) == []

    assert server.get(f"{RUNS}/other").json()["findings_open"] == 1


class BurningStore(SQLiteStore):
    """Stores nothing more once it burns."""

    burns = False

    def write(self) -> AbstractContextManager[Transaction]:
        if self.burns:
            raise StoreError("The disk is on fire.")
        return super().write()


@pytest.mark.parametrize("change", [delete, lambda server: mark(server, "muted")])
def test_what_could_not_be_stored_is_not_shown_as_done(
    settings: Settings, tmp_path: Path, change: Callable[[Running], httpx.Response]
) -> None:
    store = BurningStore(tmp_path / "burning.db")
    with running(settings, store=store) as server:
        end(server, begin(server))
        store.burns = True

        answer = change(server)

        assert (answer.status_code, answer.json()["detail"]) == (503, "The disk is on fire.")
        assert server.get(RUN).json()["frames"] == 4
        assert finding_of(server)["mark"] is None
