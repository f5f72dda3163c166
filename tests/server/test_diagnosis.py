"""The fold over stored frames: the same findings whatever the batches, restarts and repeats."""

from typing import Any

import msgspec
import pytest

from gainstage import diagnosis, wire
from gainstage.finding import Finding
from gainstage_server.admission import Blocks
from gainstage_server.commit import Committed, Committer
from gainstage_server.diagnosis import FRAMES_BETWEEN_CHECKPOINTS
from gainstage_server.entrance import Sent
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store.records import Stream
from gainstage_server.store.sqlite import SQLiteStore

from .trainer import Trainer


class Rules:
    """The real rules, with a version and a fault that a test can set."""

    def __init__(self) -> None:
        self.version = 1
        self.fault = None
        self.folded = []

    def begin(self, schema: wire.Schema, like: Any = None) -> Any:
        return diagnosis.begin(schema, like)

    def advance(self, state: Any, frame: wire.Frame, blocks: Blocks) -> tuple[Any, list[Finding]]:
        if self.fault:
            raise self.fault
        self.folded.append(frame.step)
        return diagnosis.advance(state, frame, blocks)

    def dump_state(self, state: Any) -> bytes:
        return bytes([self.version]) + diagnosis.dump_state(state)

    def load_state(self, data: Any, schema: wire.Schema, like: Any) -> Any:
        if data[0] != self.version:
            raise ValueError("other rules")
        return diagnosis.load_state(data[1:], schema, like)


class Process:
    """What one server process knows, over a store that outlives it."""

    def __init__(self, store: SQLiteStore, rules: Rules | None = None) -> None:
        self.store = store
        self.rules = rules or Rules()
        self.runs = Runs(store, 60.0)
        self.runs.load()
        self.committer = Committer(
            Settings(disk_floor=0),
            store,
            self.rules,
            self.runs,
        )

    def commit(self, *messages: bytes) -> Committed:
        committed = self.committer.commit([Sent(message) for message in messages])
        assert not any(isinstance(outcome, wire.Refuse) for outcome in committed.outcomes)
        self.runs.apply(committed)
        return committed

    def findings(self) -> list[tuple[Any, ...]]:
        found = self.store.findings("canonical")
        return sorted((f.verdict, f.layer, f.since_step, f.closed_step) for f in found)


def loud_run(trainer: Trainer, count: int) -> list[bytes]:
    return [*trainer.opening(), *(trainer.loud(10 * index) for index in range(count))]


EXPECTED = [("activity", "dense_1", 0, None)]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_findings_do_not_depend_on_how_frames_are_batched(store: SQLiteStore, size: int) -> None:
    process = Process(store)
    messages = loud_run(Trainer(), 9)

    for start in range(0, len(messages), size):
        process.commit(*messages[start : start + size])

    assert process.findings() == EXPECTED
    assert process.runs.get("canonical").verdicts == ("healthy", "activity", "healthy")
    assert [found.layer for found in process.runs.open_findings("canonical")] == ["dense_1"]


@pytest.mark.parametrize("restart_after", range(3, 9))
def test_another_process_continues_where_the_last_one_stopped(
    store: SQLiteStore, restart_after: int
) -> None:
    messages = loud_run(Trainer(), 6)
    Process(store).commit(*messages[:restart_after])

    second = Process(store)
    for message in messages[restart_after:]:
        second.commit(message)

    assert second.findings() == EXPECTED


@pytest.mark.parametrize("restarted", [False, True])
def test_runs_of_the_same_layers_share_what_is_made_of_them(
    store: SQLiteStore, *, restarted: bool
) -> None:
    process, trainers = Process(store), [Trainer("one"), Trainer("other")]
    process.commit(*(one for trainer in trainers for one in loud_run(trainer, 4)))
    if restarted:
        process = Process(store)
    seen = list[Any]()
    process.rules.advance = lambda state, *given: (
        seen.append(state) or diagnosis.advance(state, *given)
    )

    process.commit(*(trainer.loud(50) for trainer in trainers))

    one, other = (state.layout for state in seen)
    assert one is not other
    assert one.wholes is other.wholes


def test_what_comes_after_the_end_is_diagnosed_as_before_it(store: SQLiteStore) -> None:
    process, trainer = Process(store), Trainer()
    opening, late, rest = trainer.opening(), trainer.loud(0), [trainer.loud(10), trainer.loud(20)]

    process.commit(*opening, *rest, trainer.run_end(3))
    process.commit(late)

    assert process.findings() == EXPECTED


@pytest.mark.parametrize("restart_after", [0, 2, 7, 13, 30])
def test_the_findings_are_those_of_the_callback_on_the_same_frames(
    store: SQLiteStore, restart_after: int
) -> None:
    trainer = Trainer()
    opening = trainer.opening()
    # Opens, closes, opens on another row, and stays open.
    frames = [trainer.loud(10 * step) for step in range(5)]
    frames += [trainer.quiet(10 * step) for step in range(5, 15)]
    frames += [trainer.quiet(10 * step, 0, 2) for step in range(15, 35)]
    state = diagnosis.begin(wire.decode(opening[1])[0])
    for raw in frames:
        state, _ = diagnosis.advance(state, *wire.decode(raw))

    Process(store).commit(*opening, *frames[:restart_after])
    second = Process(store)
    for raw in frames[restart_after:]:
        second.commit(raw)

    assert sorted(store.findings("canonical"), key=str) == sorted(state.findings, key=str)
    assert len(state.findings) == 3
    assert second.runs.get("canonical").verdicts == state.verdicts


def test_a_restart_replays_only_what_came_after_the_checkpoint(store: SQLiteStore) -> None:
    trainer = Trainer()
    frames = FRAMES_BETWEEN_CHECKPOINTS + 4
    first = Process(store)
    first.commit(*trainer.opening())
    for step in range(frames):
        first.commit(trainer.quiet(step))

    second = Process(store)
    second.commit(trainer.quiet(frames))

    assert first.rules.folded == list(range(frames))
    assert second.rules.folded == list(range(FRAMES_BETWEEN_CHECKPOINTS, frames + 1))


def test_other_rules_judge_all_stored_frames_anew(store: SQLiteStore) -> None:
    trainer = Trainer()
    Process(store).commit(*loud_run(trainer, 6))
    newer = Rules()
    newer.version = 2

    second = Process(store, newer)
    second.commit(trainer.loud(60))

    assert newer.folded == [0, 10, 20, 30, 40, 50, 60]
    assert second.findings() == EXPECTED


def test_a_frame_that_comes_late_is_folded_in_its_place(store: SQLiteStore) -> None:
    trainer = Trainer()
    messages = loud_run(trainer, 6)
    process = Process(store)
    process.commit(*messages[:4], *messages[5:])

    process.commit(messages[4])

    assert process.rules.folded[-6:] == [0, 10, 20, 30, 40, 50]
    assert process.findings() == EXPECTED


def test_a_repeated_frame_is_not_folded_again(store: SQLiteStore) -> None:
    process = Process(store)
    messages = loud_run(Trainer(), 2)

    for _ in range(5):
        process.commit(*messages)

    assert process.rules.folded == [0, 10]
    assert process.findings() == []


def test_frames_that_could_not_be_committed_are_not_remembered(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process(store)
    messages = loud_run(Trainer(), 3)
    process.commit(*messages[:4])
    monkeypatch.setattr(process.committer, "_clock", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        process.commit(messages[4])
    monkeypatch.undo()

    process.commit(messages[4])

    assert len(list(store.frames_after(Stream("canonical", "a1", 0), -1))) == 3
    assert process.findings() == EXPECTED


def test_a_new_attempt_closes_what_the_last_one_left_open(store: SQLiteStore) -> None:
    process = Process(store)
    process.commit(*loud_run(Trainer(), 3))
    second = Trainer(attempt="a2", time=2_000.0)

    process.commit(*second.opening(), second.quiet(15))

    assert process.findings() == [("activity", "dense_1", 0, 15)]
    assert process.runs.open_findings("canonical") == []


def test_new_rows_begin_the_diagnosis_anew(store: SQLiteStore) -> None:
    trainer = Trainer()
    process = Process(store)
    process.commit(*loud_run(trainer, 3))

    process.commit(trainer.schema(), trainer.loud(30))
    assert process.findings() == [("activity", "dense_1", 0, 30)]

    process.commit(trainer.loud(40), trainer.loud(50))
    assert process.findings()[1:] == [("activity", "dense_1", 30, None)]


def test_a_run_shows_the_rows_of_its_newest_schema_only(store: SQLiteStore) -> None:
    old, process = Trainer(), Process(store)
    messages = loud_run(old, 3)
    new = Trainer(rows=2)
    new.seq = old.seq
    schema = new.schema()
    late = msgspec.structs.replace(wire.decode(messages[-1])[0], seq=new.seq + 1, step=99)
    blocks = wire.decode(messages[-1])[1]

    for batch in ([*messages, schema], [wire.encode(late, blocks)]):
        process.commit(*batch)

        run, newest = process.runs.get("canonical"), process.runs.newest("canonical")
        assert (run.layers, run.verdicts) == (2, ())
        assert (newest.encoded_schema(), newest.frame) == (schema, None)
        stored = Process(store).runs.newest("canonical")
        assert (stored.encoded_schema(), stored.frame) == (schema, None)

    new.seq += 1
    frame = new.quiet(100)
    process.commit(frame)

    assert process.runs.get("canonical").verdicts == ("healthy", "healthy")
    assert process.runs.newest("canonical").frame == frame


def test_a_fault_in_the_rules_is_told_once_and_frames_are_stored_all_the_same(
    store: SQLiteStore,
) -> None:
    trainer = Trainer()
    process = Process(store)
    process.rules.fault = ZeroDivisionError("a rule is wrong")
    process.commit(*trainer.opening(), trainer.frame(0))
    process.commit(trainer.frame(1))

    (raw,) = store.messages("canonical", "notice", newest=9)
    assert process.runs.get("canonical").frames == 2
    assert "a rule is wrong" in wire.decode(raw)[0].text


def test_only_the_chiefs_frames_are_judged(store: SQLiteStore) -> None:
    helper = Trainer(worker=1)
    process = Process(store)
    process.commit(Trainer().run_start(), *loud_run(helper, 6))

    assert process.rules.folded == []
    assert [*store.checkpoints([Stream("canonical", "a1", 1)])] == []
