"""Old frames become chunks, on either database, and each is still there bit for bit."""

import threading
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest

from gainstage import wire
from gainstage_server.compaction.chunk import FRAMES
from gainstage_server.compaction.compactor import NEWEST, QUIET_SECONDS, Compactor, pieces
from gainstage_server.settings import Settings
from gainstage_server.store import store_at
from gainstage_server.store.interface import Store, StoreError

from .committing import Commit, commit
from .compacting import ALL, STREAM, Run, compact, frames_between, raws, waiting
from .conftest import BACKENDS

__all__ = ["commit"]  # the fixture

RUNS = ("canonical", "other")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_frame_is_read_bit_for_bit_as_it_came(store: Store, commit: Commit) -> None:
    run = Run()
    sent = [*run.opening(), *frames_between(run, 0, 400)]
    commit(*sent)

    assert compact(store) == 2
    assert waiting(store) == list(range(2 * FRAMES, 400))
    assert raws(store) == sent[2:]
    newest = store.newest_frame(store.backlogs(quiet_since=0.0)[0].key)
    assert newest == sent[-1]


def test_frames_of_several_runs_that_are_read_together_are_those_of_each(
    store: Store, commit: Commit
) -> None:
    sent: list[bytes] = []
    for run in (Run(run=name) for name in RUNS):
        opening, frames = run.opening(), frames_between(run, 0, FRAMES + NEWEST)
        commit(*opening, *frames)
        sent += frames[8:]
    assert compact(store) == len(RUNS)

    found = store.frames_behind({STREAM._replace(run=name): 9 for name in RUNS})

    assert [frame.raw for frame in found] == sent


def test_the_newest_frames_of_a_training_that_goes_on_stay_as_they_came(
    store: Store, commit: Commit
) -> None:
    run = Run()
    commit(*run.opening(), *frames_between(run, 0, FRAMES + NEWEST - 1))
    assert compact(store) == 0

    commit(run.any(FRAMES + NEWEST - 1))

    assert compact(store) == 1
    assert waiting(store) == list(range(FRAMES, FRAMES + NEWEST))


@pytest.mark.parametrize("ends", [True, False])
def test_of_a_training_that_is_over_only_the_newest_frame_stays(
    store: Store, commit: Commit, ends: bool
) -> None:
    run = Run()
    commit(*run.opening(), *frames_between(run, 0, 10), *([run.run_end()] if ends else []))
    (record,) = store.runs()

    assert compact(store, clock=record.last_seen + (0 if ends else QUIET_SECONDS + 1)) == 1

    assert waiting(store) == [9]


def test_each_schema_source_and_worker_has_chunks_of_its_own(store: Store, commit: Commit) -> None:
    run, other = Run(), Run(worker=1)
    first = [*run.opening(), *frames_between(run, 0, 5), run.any(4, source="validation")]
    run.seq, before = run.seq, first
    schema = wire.decode(Run().opening()[1])[0]
    run.schema_seq = run.seq = run.seq + 1
    schema = wire.encode(msgspec.structs.replace(schema, seq=run.seq, rows=schema.rows[::-1]))
    after = [schema, *frames_between(run, 5, 10), run.any(9, source="validation")]
    commit(*before, *after, run.run_end())
    commit(*other.opening(), *frames_between(other, 0, 5), other.run_end())
    expected = raws(store), raws(store, STREAM._replace(worker=1))

    assert compact(store) == 3
    assert (raws(store), raws(store, STREAM._replace(worker=1))) == expected


# -- Meanwhile -------------------------------------------------------------------------------------


def test_what_is_stored_or_compacted_meanwhile_changes_nothing_of_what_is_read(
    store: Store, commit: Commit
) -> None:
    run = Run()
    opening = run.opening()
    frames = frames_between(run, 0, 400)
    commit(*opening, *frames)

    with store.past() as past:
        before = past.chunks(ALL)
        writing = threading.Thread(
            target=lambda: (compact(store), commit(*frames_between(run, 400, 500)))
        )
        writing.start()
        writing.join()
        assert (before, past.chunks(ALL)) == ([], [])
        assert [frame.step for frame in past.headers(ALL)] == list(range(400))

    assert len(waiting(store)) < 400


def test_what_fails_halfway_leaves_every_frame_as_it_came(store: Store, commit: Commit) -> None:
    run = Run()
    opening = run.opening()
    frames = frames_between(run, 0, 200)
    commit(*opening, *frames)

    with pytest.MonkeyPatch.context() as patch:

        def fail(*_: object) -> None:
            raise StoreError("The disk is gone.")

        with store.write() as transaction:
            patch.setattr(type(transaction), "_put_frames", fail)
        with pytest.raises(StoreError, match="The disk is gone"):
            compact(store)

    with store.past() as past:
        assert past.chunks(ALL) == []
    assert waiting(store) == list(range(200))
    assert compact(store) == 1
    assert raws(store) == frames


@pytest.mark.parametrize("meanwhile", ["deleted", "compacted"])
def test_frames_that_are_gone_meanwhile_become_no_chunk(
    store: Store, commit: Commit, meanwhile: str
) -> None:
    run = Run()
    commit(*run.opening(), *frames_between(run, 0, 200))
    read = store.message

    def interrupt(key: Any) -> bytes | None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "message", read)
            # A server that lost its connection is alone no longer, and does not know it.
            patch.setattr(store, "alone", lambda _: nullcontext(True))
            if meanwhile == "compacted":
                assert compact(store) == 1
            else:
                with store.write() as transaction:
                    transaction.drop_run("canonical")
        return run.schema_sent

    run.schema_sent = read(store.backlogs(quiet_since=0.0)[0].key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "message", interrupt)
        assert not Compactor(Settings(disk_floor=0), store, clock=lambda: 0.0).step()

    with store.past() as past:
        assert len(past.chunks(ALL)) == (1 if meanwhile == "compacted" else 0)


def test_what_another_server_has_compacted_since_is_left_until_there_is_enough_again(
    store: Store, commit: Commit
) -> None:
    for run in (Run(run=name) for name in RUNS):
        commit(*run.opening(), *frames_between(run, 0, FRAMES + NEWEST + 20))
    compactor = Compactor(Settings(disk_floor=0), store, clock=lambda: 0.0)
    assert compactor.step()

    assert compact(store) == 1
    assert not compactor.step()

    with store.past() as past:
        chunks = [past.chunks(ALL._replace(stream=STREAM._replace(run=run))) for run in RUNS]
    assert [[chunk.frames for chunk in of_run] for of_run in chunks] == [[FRAMES], [FRAMES]]


def test_run_that_another_server_puts_in_order_is_left_to_it(
    store: Store, commit: Commit, backend: str, database: str
) -> None:
    if backend == "sqlite":
        with store.alone("canonical") as alone:
            assert alone  # there are no other servers
        return
    for run in (Run(run=name) for name in RUNS):
        commit(*run.opening(), *frames_between(run, 0, FRAMES + NEWEST))
    other = store_at(database)

    with other.alone("canonical") as alone:
        assert alone
        assert compact(store) == 1
        left = {backlog.run: backlog.frames for backlog in store.backlogs(quiet_since=0.0)}
        assert left == {"canonical": FRAMES + NEWEST, "other": NEWEST}
    assert compact(store) == 1

    other.close()


def test_nothing_is_compacted_where_the_disk_has_no_room(store: Store, commit: Commit) -> None:
    run = Run()
    commit(*run.opening(), *frames_between(run, 0, 200))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "free_bytes", lambda: 99)
        assert compact(store, floor=100) == 0

    assert compact(store, floor=0) == 1


def test_frames_that_cannot_be_read_are_told_of_once_and_hold_up_no_others(
    store: Store, commit: Commit, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Run(run="bad"), Run()
    commit(*bad.opening(), *frames_between(bad, 0, 200))
    commit(*good.opening(), *frames_between(good, 0, 200))
    with store._writer.begin() as connection:
        connection.exec_driver_sql("UPDATE frames SET schema = 77 WHERE run = 'bad'")
    compactor = Compactor(Settings(disk_floor=0), store, clock=lambda: 0.0)

    assert [compactor.step() for _ in range(3)] == [True, False, False]
    assert [record.message.count("cannot be compacted") for record in caplog.records] == [1]


@pytest.mark.parametrize(("frames", "sizes"), [(1, [1]), (255, [255]), (300, [128, 172])])
def test_pieces_are_of_as_many_frames_as_a_chunk_has_and_the_last_takes_the_rest(
    frames: int, sizes: list[int]
) -> None:
    assert list(map(len, pieces(list(range(frames))))) == sizes
