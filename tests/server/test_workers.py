"""A run of several workers, and one that went on from an earlier step, in the HTTP interface."""

from typing import Any

import pytest

from gainstage.workers import BESIDE

from .conftest import Running
from .trainer import Trainer, send

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
