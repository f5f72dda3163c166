"""How long runs are kept: by age and by size, for each project, and in what detail."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from gainstage import wire
from gainstage_server import retention
from gainstage_server.compaction.compactor import DAY, encoded
from gainstage_server.history import History, Window
from gainstage_server.retention import outdated
from gainstage_server.selection import Cell
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store
from gainstage_server.store.records import Key, RunRecord, Span, Stream
from gainstage_server.store.sql import SQLStore

from .committing import Commit, commit
from .compacting import compact
from .conftest import BACKENDS, running
from .stored import taken
from .trainer import Trainer, send, wait_until

__all__ = ["commit"]  # the fixture

NOW = 1_000 * DAY
CELL = [Cell("row1", "pre_db")]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def record(run: str, days_ago: float, project: str = "digits") -> RunRecord:
    ended = NOW - days_ago * DAY
    return RunRecord(
        run=run,
        project=project,
        tags=(),
        config={},
        environment={},
        started=0.0,
        attempt="a1",
        attempt_started=0.0,
        ended=ended,
        last_seen=ended,
    )


def due(records: list[RunRecord], sizes: dict[str, int] | None = None, **given: Any) -> list[str]:
    settings = Settings(**given)
    live = {"live"}
    return outdated(
        records,
        lambda one: None if one.run in live else one.ended,
        sizes or {},
        settings,
        NOW,
    )


def test_runs_are_kept_for_ever_unless_something_else_is_said() -> None:
    assert due([record("old", 900)], {"old": 10**15}) == []


def test_runs_that_ended_too_long_ago_go_oldest_first() -> None:
    records = [record("new", 6), record("old", 8), record("older", 9)]

    assert due(records, keep_days="7") == ["older", "old"]


def test_project_has_the_limit_that_names_it_and_others_the_one_for_all() -> None:
    records = [record("a", 8), record("b", 8, "demo"), record("c", 3, "demo")]

    assert due(records, keep_days="7,demo=2") == ["a", "b", "c"]
    assert due(records, keep_days="demo=5") == ["b"]


def test_of_a_project_that_takes_too_much_the_oldest_go_until_it_does_not() -> None:
    records = [record("new", 1), record("old", 3), record("older", 4), record("other", 9, "demo")]
    sizes = {"new": 60, "old": 30, "older": 30, "other": 500}

    assert due(records, sizes, keep_bytes="100,demo=1000") == ["older"]
    assert due(records, sizes, keep_bytes="89") == ["other", "older", "old"]


def test_run_that_goes_on_stays_however_large_and_counts() -> None:
    records = [record("live", 0), record("old", 1)]

    assert due(records, {"live": 1_000, "old": 1}, keep_bytes="100") == ["old"]
    assert due([record("live", 99)], keep_days="1") == []


@pytest.mark.parametrize("wrong", ["a week", "7,demo=", "-1", "demo=inf"])
def test_limit_that_is_no_number_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match="must be numbers"):
        Settings(keep_days=wrong)


def test_sizes_are_those_of_frames_and_chunks_whatever_is_done_with_them(
    store: SQLStore, commit: Commit
) -> None:
    trainer, other = Trainer(time=100 * DAY), Trainer(run="other")
    commit(*other.opening(), other.frame(0))
    opening = trainer.opening()
    frames = [trainer.frame(step, step) for step in range(300)]
    commit(*opening, *frames[:200], *frames[210:])
    late = sum(map(len, frames[200:210]))
    assert store.sizes() == taken(store)
    assert store.sizes()["canonical"] == sum(map(len, frames)) - late

    compact(store, clock=101 * DAY)
    chunked = store.sizes()
    assert chunked == taken(store)
    assert 0 < chunked["canonical"] < sum(map(len, frames)) / 2

    commit(*frames[200:210], trainer.run_end(frames=300))
    assert store.sizes() == taken(store)
    compact(store, clock=101 * DAY)  # the late ones into the chunk that is there
    assert store.sizes() == taken(store)

    compact(store, clock=120 * DAY, detail_days="7")
    assert store.sizes() == taken(store)
    assert store.sizes()["canonical"] < chunked["canonical"]

    with store.write() as transaction:
        transaction.drop_run("canonical")
    assert store.sizes() == taken(store)
    assert store.sizes().keys() == {"other"}


def test_of_old_samples_the_extremes_stay_and_the_rest_goes(store: Store, commit: Commit) -> None:
    trainer = Trainer(time=100 * DAY)
    opening = trainer.opening()
    commit(*opening, *(trainer.frame(step, 99.0 if step == 70 else 1.0) for step in range(256)))
    commit(trainer.run_end(frames=256))
    compact(store, clock=101 * DAY, detail_days="7,other=0.1")
    detailed = store.sizes()["canonical"]

    compact(store, clock=108 * DAY, detail_days="7,other=0.1")

    assert store.sizes()["canonical"] < detailed
    assert store.detailed({}, 1e12) is None
    shown = History(store, "canonical").read(CELL, Window(points=1_000))
    assert len(shown.steps) < 256 / 8
    assert float(shown.max.max()) == 99.0
    assert float(shown.min.min()) == 1.0
    # What is in no chunk is there as it came.
    assert [frame.step for frame in store.frames_after(Stream("canonical", "a1", 0), -1)] == [255]


def test_server_deletes_what_is_outdated_and_nothing_else(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PERIOD_SECONDS", 0.05)
    chosen = settings.model_copy(update={"keep_days": Settings(keep_days="1").keep_days})
    # Lost, by this server's clock: its trainer may come again.
    monkeypatch.setattr(retention, "LOST_SECONDS", 3_600.0)
    chosen = chosen.model_copy(update={"lost_after": 0.05})
    old = Trainer(run="old", time=time.time() - 3 * DAY)
    new = Trainer(run="new", time=time.time())
    lost = Trainer(run="lost", time=time.time() - 3 * DAY)
    with running(chosen) as server:
        for trainer in (old, new):
            send(server.ws, [*trainer.opening(), trainer.loud(1), trainer.run_end(frames=1)])
        send(server.ws, [*lost.opening(), lost.loud(1)])

        wait_until(lambda: "old" not in {run["id"] for run in runs(server)})
        time.sleep(0.2)  # several turns

        assert {run["id"] for run in runs(server)} == {"new", "lost"}
        assert server.get("/api/v1/runs/old").status_code == 404


def test_chunk_that_another_server_has_made_coarser_is_left_alone(
    store: Store, commit: Commit
) -> None:
    trainer = Trainer(time=100 * DAY)
    commit(*trainer.opening(), *(trainer.frame(step, step) for step in range(256)))
    commit(trainer.run_end(frames=256))
    compact(store, clock=101 * DAY)
    detailed = store.detailed({}, 1e12)
    assert detailed is not None
    made = encoded(schema_of(store), store.frames_of(detailed))

    with store.write() as transaction:
        transaction.coarsen(detailed, 16)
    with store.write() as transaction:
        done = transaction.compact([made], instead_of=detailed)

    assert not done
    with store.past() as past:
        chunks = past.chunks(Span(Stream("canonical", "a1", 0), 0, 10**6))
    assert sorted(chunk.finest for chunk in chunks) == [1, 16]


def schema_of(store: Store) -> wire.Schema:
    raw = store.message(Key("canonical", "a1", 0, 1))
    message = wire.decode(raw or b"")[0]
    assert isinstance(message, wire.Schema)
    return message


def runs(server: Any) -> list[dict[str, Any]]:
    return server.get("/api/v1/runs").json()["runs"]
