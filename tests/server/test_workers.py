"""A run of several workers, and one that went on from an earlier step, in the HTTP interface."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import connect

from gainstage import handshake
from gainstage.workers import BESIDE
from gainstage_server import models
from gainstage_server.line import abandoned, extents, line
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store.records import AttemptRecord
from gainstage_server.store.sqlite import SQLiteStore
from gainstage_server.workers import workers

from .conftest import Running, running
from .trainer import Trainer, send, wait_until

RUN = "/api/v1/runs/canonical"
SERIES = f"{RUN}/series?layer=dense_1&statistic=pre_db"


@pytest.fixture
def together(server: Running) -> Running:
    """Two workers; the chief stopped after step 30 and went on from the one before step 20."""
    chief, again = Trainer(), Trainer(attempt="a2", time=2_000.0)
    other, beside = Trainer(attempt="b1", worker=1), Trainer(attempt="trial", worker=BESIDE)
    send(server.ws, [*chief.opening(), *(chief.frame(step, 1.0) for step in (0, 10, 20, 30))])
    send(server.ws, [*other.opening(), *(other.frame(step, 5.0) for step in (0, 15))])
    send(server.ws, [*again.opening(), *(again.frame(step, 2.0) for step in (20, 40))])
    send(server.ws, [beside.run_start(), beside.trial(), beside.run_end()])
    return server


def drawn(server: Running, query: str) -> tuple[list[int], list[float]]:
    shown = server.get(SERIES + query).json()
    return shown["steps"], shown["series"]["pre_db"]["last"]


def test_series_are_the_chiefs_or_those_of_another_worker(together: Running) -> None:
    assert drawn(together, "") == ([0, 10, 20, 40], [1.0, 1.0, 2.0, 2.0])
    assert drawn(together, "&worker=0") == drawn(together, "")
    assert drawn(together, "&worker=1") == ([0, 15], [5.0, 5.0])


def test_series_of_one_attempt_hold_what_a_later_one_took_the_place_of(together: Running) -> None:
    assert drawn(together, "&attempt=a1") == ([0, 10, 20, 30], [1.0, 1.0, 1.0, 1.0])
    assert drawn(together, "&attempt=a1&from=20") == ([20, 30], [1.0, 1.0])
    assert drawn(together, "&attempt=a2") == ([20, 40], [2.0, 2.0])
    assert drawn(together, "&worker=1&attempt=b1") == ([0, 15], [5.0, 5.0])


@pytest.mark.parametrize("path", ["heatmap?statistic=pre_db", "logs?"])
def test_all_that_is_over_steps_is_asked_of_a_worker(together: Running, path: str) -> None:
    def steps(query: str) -> Any:
        return together.get(f"{RUN}/{path}{query}").json()["steps"]

    assert steps("&worker=1") == [0, 15]
    assert steps("&attempt=a1") == [0, 10, 20, 30]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("&worker=2", "There is no worker '2'. Known: 0, 1."),
        ("&attempt=b1", "There is no attempt of worker 0 'b1'. Known: a1, a2."),
        ("&worker=1&attempt=a1", "There is no attempt of worker 1 'a1'. Known: b1."),
    ],
)
def test_worker_or_attempt_that_is_not_there_is_named(
    together: Running, query: str, detail: str
) -> None:
    answer = together.get(SERIES + query)

    assert answer.status_code == 404
    assert answer.json()["detail"].startswith(detail)


def test_worker_that_can_be_none_is_refused(together: Running) -> None:
    assert together.get(f"{SERIES}&worker={BESIDE}").status_code == 422
    assert together.get(f"{SERIES}&worker=-1").status_code == 422


def test_run_says_how_far_each_worker_is_behind_the_chief(together: Running) -> None:
    shown = together.get(RUN)

    models.Run.model_validate_json(shown.content, strict=True)
    fields = ("worker", "attempt", "status", "step", "behind")
    assert [tuple(one[name] for name in fields) for one in shown.json()["workers"]] == [
        (0, "a2", "live", 40, 0),
        (1, "b1", "live", 15, 25),
    ]


def test_run_says_which_steps_were_abandoned_and_for_which_attempt(together: Running) -> None:
    attempts = together.get(RUN).json()["attempts"]

    assert {one["attempt"]: one["abandoned"] for one in attempts} == {
        "a1": {"from": 20, "to": 30, "by": "a2"},
        "a2": None,
        "b1": None,
        "trial": None,
    }
    assert [(one["first_step"], one["last_step"]) for one in attempts] == [
        (0, 30),
        (0, 15),
        (None, None),
        (20, 40),
    ]


def worker_of(server: Running, number: int) -> dict[str, Any]:
    return server.get(RUN).json()["workers"][number]


def test_worker_is_live_while_it_is_connected_and_lost_after_silence(settings: Settings) -> None:
    chief, other = Trainer(), Trainer(attempt="b1", worker=1)
    with running(settings.model_copy(update={"lost_after": 0.2})) as server:
        send(server.ws, [*chief.opening(), chief.frame(1)])
        send(server.ws, [*other.opening(), other.frame(1)])
        again = handshake.headers(0.0, None, ("canonical", "a1", 0))
        with connect(f"{server.ws}/api/v1/ingest", additional_headers=again):
            wait_until(lambda: worker_of(server, 1)["status"] == "lost")
            assert worker_of(server, 0)["status"] == "live"
            silent = worker_of(server, 1)["last_seen"]
        # When the chief left counts, not when something of it was last stored.
        assert worker_of(server, 0)["last_seen"] > silent
        wait_until(lambda: worker_of(server, 0)["status"] == "lost")
        assert server.get(RUN).json()["status"] == "lost"


def test_worker_that_ended_has_ended(server: Running) -> None:
    chief, other = Trainer(), Trainer(attempt="b1", worker=1)
    send(server.ws, [*chief.opening(), chief.frame(1)])
    send(server.ws, [*other.opening(), other.frame(1), other.run_end(frames=1)])

    assert [worker_of(server, number)["status"] for number in (0, 1)] == ["live", "ended"]


def attempt(worker: int, first: int | None, last: int | None, frames: int) -> AttemptRecord:
    return AttemptRecord(
        run="run",
        attempt=f"of{worker}",
        worker=worker,
        started=float(worker),
        frames=frames,
        first_step=first,
        last_step=last,
        last_seen=100.0,
    )


@pytest.mark.parametrize(
    ("chief", "other", "status", "behind"),
    [
        # Samples ten steps apart: up to four of them are no delay.
        ((0, 100, 11), (0, 60, 7), "live", 40),
        ((0, 100, 11), (0, 50, 6), "behind", 50),
        # It samples more seldom than the chief.
        ((0, 100, 101), (0, 50, 2), "live", 50),
        ((0, 100, 11), (0, 0, 1), "behind", 100),
        ((9, 9, 1), (0, 0, 1), "live", 9),
        ((0, 10, 2), (0, 100, 11), "live", -90),
        ((0, 10, 2), (None, None, 0), "live", None),
        ((None, None, 0), (0, 10, 2), "live", None),
    ],
)
def test_worker_is_behind_where_a_few_samples_do_not_explain_it(
    store: SQLiteStore, chief: Any, other: Any, status: str, behind: int | None
) -> None:
    found = workers([attempt(0, *chief), attempt(1, *other)], Runs(store, 60.0), 110.0)

    assert [(one.status, one.behind) for one in found[1:]] == [(status, behind)]


def test_workers_without_a_chief_are_shown_all_the_same(store: SQLiteStore) -> None:
    found = workers([attempt(1, 0, 10, 2)], Runs(store, 60.0), 200.0)

    assert [(one.status, one.behind) for one in found] == [("lost", None)]


STEPS = st.integers(0, 20)


@given(st.lists(st.tuples(STEPS, STEPS).map(sorted), max_size=6))
def test_line_and_what_was_abandoned_are_all_that_was_done(steps: list[tuple[int, int]]) -> None:
    """The slow twin: a step of an attempt counts unless a later one began at it or before."""
    attempts = [
        AttemptRecord(run="r", attempt=str(i), worker=0, started=i, first_step=low, last_step=high)
        for i, (low, high) in enumerate(steps)
    ]
    expected = {
        (str(i), step): all(step < first for first, _ in steps[i + 1 :])
        for i, (low, high) in enumerate(steps)
        for step in range(low, high + 1)
    }
    done = extents(attempts, 0)

    kept = [(span.stream.attempt, step) for span in line(done) for step in range(*span[1:])]
    gone = [
        (stream.attempt, step)
        for stream, cut in abandoned(done).items()
        for step in range(cut.first, cut.last + 1)
    ]

    assert sorted(kept) == sorted(step for step, counts in expected.items() if counts)
    assert sorted(gone) == sorted(step for step, counts in expected.items() if not counts)
    assert [step for _, step in kept] == sorted({step for _, step in kept})
    assert extents(attempts, 1) == []
