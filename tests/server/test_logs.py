"""The logs of a training over steps: what the interface answers, and what is read for it."""

import math
from collections.abc import Mapping

import pytest

from gainstage_server import models
from gainstage_server.admission import MAX_ENTRIES
from gainstage_server.buckets import Buckets
from gainstage_server.history import History, Window
from gainstage_server.store.interface import Store

from .committing import Commit, commit
from .conftest import Running
from .trainer import Trainer, send

__all__ = ["commit"]  # the fixture

LOGS = "/api/v1/runs/canonical/logs"


def run_of(*logs: Mapping[str, float]) -> list[bytes]:
    """A run that logs these, every ten steps."""
    trainer = Trainer()
    opening = trainer.opening()
    return opening + [trainer.frame(10 * index, logs=dict(one)) for index, one in enumerate(logs)]


def test_answer_holds_every_log_over_the_steps(server: Running) -> None:
    send(server.ws, run_of({"loss": 2.0, "accuracy": 0.25}, {"loss": 1.0, "accuracy": 0.5}))

    answer = server.get(LOGS)

    models.Logs.model_validate_json(answer.content, strict=True)
    assert answer.json() == {
        "run": "canonical",
        "steps": [0, 10],
        "times": [1002.0, 1003.0],
        "frames": [1, 1],
        "downsampled": False,
        "series": {
            "loss": {band: [2.0, 1.0] for band in ("min", "max", "mean", "last")},
            "accuracy": {band: [0.25, 0.5] for band in ("min", "max", "mean", "last")},
        },
    }


def test_of_many_frames_no_spike_is_lost(server: Running) -> None:
    send(server.ws, run_of(*({"loss": 9.0 if step == 37 else 0.5} for step in range(90))))

    shown = server.get(f"{LOGS}?points=3").json()

    assert (shown["steps"], shown["frames"]) == ([290, 590, 890], [30, 30, 30])
    assert shown["downsampled"]
    assert shown["series"]["loss"] == {
        "min": [0.5, 0.5, 0.5],
        "max": [0.5, 9.0, 0.5],
        "mean": [0.5, pytest.approx(0.5 + 8.5 / 30), 0.5],
        "last": [0.5, 0.5, 0.5],
    }


def test_window_holds_its_ends(server: Running) -> None:
    send(server.ws, run_of(*({"loss": 0.5} for _ in range(6))))

    assert server.get(f"{LOGS}?from=20&to=40").json()["steps"] == [20, 30, 40]


def test_loss_that_is_not_a_number_is_shown_as_one(server: Running) -> None:
    send(server.ws, run_of(*({"loss": loss} for loss in (1.0, math.nan, math.inf, 1e300))))

    shown = server.get(LOGS)

    models.Logs.model_validate_json(shown.content, strict=True)
    assert shown.json()["series"]["loss"]["last"] == [1.0, "NaN", "Infinity", "Infinity"]


def test_every_log_is_shown_whichever_frame_has_it(server: Running) -> None:
    send(server.ws, run_of({"loss": 2.0}, {"loss": 1.0, "error": 0.5}, {"loss": 0.5}))

    shown = server.get(LOGS).json()

    assert {name: bands["last"] for name, bands in shown["series"].items()} == {
        "loss": [2.0, 1.0, 0.5],
        "error": [None, 0.5, None],
    }
    assert server.get("/api/v1/runs/canonical").json()["logs"] == {"loss": 0.5, "error": 0.5}


def test_logs_that_are_named_anew_each_time_are_not_gathered_for_ever(server: Running) -> None:
    names = [f"log-{number}" for number in range(MAX_ENTRIES + 1)]
    send(server.ws, run_of(*({name: 1.0} for name in names)))

    assert list(server.get(LOGS).json()["series"]) == names[-1:]


def test_run_that_never_logged_has_no_steps_here(server: Running) -> None:
    send(server.ws, run_of({}, {}))

    shown = server.get(LOGS).json()

    assert (shown["steps"], shown["series"]) == ([], {})


@pytest.mark.parametrize("query", ["?points=0", "?from=-1"])
def test_query_that_makes_no_sense_is_refused(server: Running, query: str) -> None:
    send(server.ws, run_of({"loss": 1.0}))

    assert server.get(LOGS + query).status_code == 422


def test_unknown_run_is_answered_with_those_that_are_known(server: Running) -> None:
    send(server.ws, run_of({"loss": 1.0}))

    answer = server.get("/api/v1/runs/other/logs")

    assert (answer.status_code, "canonical" in answer.json()["detail"]) == (404, True)


# -- History ---------------------------------------------------------------------------------------


def read(store: Store, *names: str, **window: int) -> Buckets:
    return History(store, "canonical").logs(names, Window(**window))


def test_run_that_goes_on_from_a_checkpoint_shows_only_what_counts(
    store: Store, commit: Commit
) -> None:
    first, second = Trainer(), Trainer(attempt="a2", time=2_000.0)
    commit(*first.opening(), *(first.frame(step, logs={"loss": 1.0}) for step in (0, 10, 20, 30)))
    commit(*second.opening(), *(second.frame(step, logs={"loss": 2.0}) for step in (20, 40)))

    buckets = read(store, "loss")

    assert buckets.steps.tolist() == [0, 10, 20, 40]
    assert buckets.last[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0]


def test_validation_frames_and_other_workers_are_left_out(store: Store, commit: Commit) -> None:
    chief, other = Trainer(), Trainer(worker=1)
    commit(*chief.opening(), chief.frame(0), chief.frame(5, source="validation"))
    commit(*other.opening(), other.frame(10))

    assert read(store, "loss").steps.tolist() == [0]
