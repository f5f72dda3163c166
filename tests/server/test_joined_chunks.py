"""Chunks that follow each other become one: its coarsest parts are theirs, the finer ones stay."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import select

from gainstage import wire
from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import (
    COARSEST,
    FACTORS,
    FRAMES,
    SECTIONS,
    Chunk,
    Part,
    Reader,
    sections,
)
from gainstage_server.compaction.compactor import encoded
from gainstage_server.compaction.joined import joinable, joined
from gainstage_server.history import History, Window
from gainstage_server.selection import Cell
from gainstage_server.store import tables
from gainstage_server.store.interface import Store
from gainstage_server.store.records import ChunkRecord, FrameRecord
from gainstage_server.store.sql import SQLStore

from .committing import Commit, commit
from .compacting import ALL, STREAM, Run, chunks, compact, frames_between, raws
from .conftest import BACKENDS
from .stored import taken

__all__ = ["commit"]  # the fixture

FULL = SECTIONS * FRAMES
DAY = 86_400.0


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


# -- Which -----------------------------------------------------------------------------------------


def record(place: int, **changes: object) -> ChunkRecord:
    """The chunk of the frames at `place` times FRAMES, and so on."""
    first, last = place * FRAMES, (place + 1) * FRAMES - 1
    plain = ChunkRecord(*STREAM, first, 1, "probe", first, last, last, 0.0, FRAMES, 1, 0, b"")
    return plain._replace(**changes)


def in_a_row(count: int, first: int = 0, **changes: object) -> list[ChunkRecord]:
    return [record(first + place, **changes) for place in range(count)]


def test_as_many_as_a_chunk_has_sections_are_joined_oldest_first() -> None:
    assert joinable(in_a_row(SECTIONS - 1)) == ()
    assert joinable(in_a_row(SECTIONS + 3)) == in_a_row(SECTIONS)


def test_chunk_that_is_not_full_is_passed_over() -> None:
    few, more = record(3, frames=FRAMES - 1), record(5, frames=2 * FRAMES - 1)
    others = [*in_a_row(3), *in_a_row(1, 4), *in_a_row(SECTIONS, 6)]

    found = joinable([*in_a_row(3), few, *in_a_row(1, 4), more, *in_a_row(SECTIONS, 6)])

    assert found == others[:SECTIONS]


def test_only_chunks_of_one_schema_and_detail_are_joined() -> None:
    half = SECTIONS // 2
    for change in ({"schema": 2}, {"finest": FACTORS[1]}):
        assert joinable([*in_a_row(half), *in_a_row(half, half, **change)]) == ()


def test_chunk_that_begins_within_the_one_before_begins_anew() -> None:
    within = record(4, first_step=3 * FRAMES + 1, seq=10**6)

    found = joinable([*in_a_row(4), within, *in_a_row(SECTIONS, 5)])

    assert found == [within, *in_a_row(SECTIONS - 1, 5)]


# -- What of ---------------------------------------------------------------------------------------

SCHEMA = wire.Schema(
    run=STREAM.run,
    attempt=STREAM.attempt,
    seq=1,
    time=0.0,
    rows=tuple(wire.Row(id=str(row), path=str(row), kind="Dense") for row in range(50)),
    blocks={
        name: wire.BlockSchema(
            tuple(wire.Column(f"{name}{column}", 1) for column in range(columns)),
            wire.packed(np.ones((50, columns), bool)),
        )
        for name, columns in (("layers", 40), ("gradients", 1), ("never", 2))
    },
    training=wire.Training(backend="tensorflow", keras="3"),
)


def some(rng: np.random.Generator, seq: int) -> FrameRecord:
    """Any bits; gradients now and then, and in some sections not at all."""
    bits = rng.integers(0, 2**32, (50, 41), np.uint32).view(np.float32)
    blocks = {"layers": bits[:, :40]}
    if seq % 7 == 0 and seq // FRAMES % 3 == 1:
        blocks["gradients"] = bits[:, 40:]
    logs = {"loss": float(rng.normal())} if seq // FRAMES != 2 else {"accuracy": 0.5}
    frame = wire.Frame(
        run=STREAM.run, attempt=STREAM.attempt, seq=seq, time=1.0, schema=1, step=3 * seq, logs=logs
    )
    return FrameRecord(*STREAM, seq, 1, "probe", 3 * seq, float(seq), wire.encode(frame, blocks))


def coarsest(made: Chunk, axis: Axis, block: int) -> list[np.ndarray]:
    """[entries, cells] of each band."""
    parts = [part for part in made.parts if part[:2] == (COARSEST, block)]
    bands = [Reader(SCHEMA, axis).bands(part) for part in parts]
    return [np.concatenate(band, axis=1) for band in zip(*bands, strict=True)]


def test_its_coarsest_parts_are_those_of_its_sections_one_after_the_other() -> None:
    rng = np.random.default_rng(0)
    frames = [some(rng, seq) for seq in range(FULL)]
    read = [encoded(SCHEMA, frames[first : first + FRAMES]) for first in range(0, FULL, FRAMES)]
    parts: Sequence[tuple[int, Part]] = [
        (one.seq, part) for one, made in read for part in made.parts if part.factor == COARSEST
    ]
    rng.shuffle(parts)  # a database tells them in any order

    whole, made = joined([one for one, _ in read], [made.logs for _, made in read], parts)

    axis = Axis.load(whole.axis)
    for block in (0, 1):
        own = [
            coarsest(of_one, of_one.axis, block)
            for _, of_one in read
            if block in of_one.axis.sampled
        ]
        expected = [np.concatenate(band) for band in zip(*own, strict=True)]
        for found, band in zip(coarsest(made, axis, block), expected, strict=True):
            np.testing.assert_array_equal(found.view(np.uint32), band.view(np.uint32))
    for section, (_, of_one) in zip(sections(axis), read, strict=True):
        assert section.dump() == of_one.axis.dump()
    assert list(axis.sampled) == [0, 1]
    assert (whole.seq, whole.first_step, whole.last_step) == (0, 0, 3 * (FULL - 1))
    assert (whole.last_seq, whole.last_time, whole.frames) == (FULL - 1, FULL - 1.0, FULL)
    finer = sum(len(part.data) for _, one in read for part in one.parts if part.factor < COARSEST)
    assert whole.size == finer + made.size
    # In groups of a sixteenth of the cells.
    assert len(made.parts) == -(-50 * 40 // FRAMES) + 1


# -- In a store ------------------------------------------------------------------------------------


@pytest.fixture
def long(store: SQLStore, commit: Commit) -> list[bytes]:
    """The frames of a run that is over, of which all but the newest are in one chunk."""
    run = Run(time=100 * DAY)
    opening = run.opening()
    frames = frames_between(run, 0, FULL + 1)
    commit(*opening, *frames, run.run_end())
    compact(store)
    assert chunks(store) == [FULL]
    return frames


def test_every_frame_is_read_bit_for_bit_as_it_came(store: SQLStore, long: list[bytes]) -> None:
    assert raws(store) == long
    assert store.sizes() == taken(store)
    assert compact(store) == 0


def test_its_old_samples_are_left_out_in_all_sections(store: SQLStore, long: list[bytes]) -> None:
    cells = [Cell("row0", "pre_db"), Cell("row1", "gain")]
    window = Window(points=3_000)
    before = History(store, STREAM.run).read(cells, window)

    assert compact(store, clock=200 * DAY, detail_days="7") == 1

    assert store.sizes() == taken(store)
    assert raws(store) == long[-1:]
    with store._reader.begin() as connection:
        factors = Counter(connection.execute(select(tables.parts.c.factor)).scalars())
    assert set(factors) == set(FACTORS[1:])
    after = History(store, STREAM.run).read(cells, window)
    assert len(after.steps) == FULL // FACTORS[1] + 1
    for band in ("min", "max"):
        reduce = getattr(np, f"nan{band}")
        assert reduce(getattr(after, band)) == reduce(getattr(before, band))


def test_chunks_that_are_no_longer_what_was_read_are_not_joined(
    store: SQLStore, commit: Commit
) -> None:
    run = Run()
    commit(*run.opening(), *frames_between(run, 0, FULL - 1), run.run_end())
    compact(store)  # too few to be joined
    with store.past() as past:
        before = past.chunks(ALL)
        seqs = [chunk.seq for chunk in before]
        logs, parts = list(past.logs(STREAM, seqs)), list(past.parts(STREAM, seqs, COARSEST))
    made = joined(before, logs, parts)
    with store.write() as transaction:
        transaction.coarsen(before[3], FACTORS[1])

    with store.write() as transaction:
        assert not transaction.join(made, instead_of=before)

    assert len(chunks(store)) == len(before)
    assert store.sizes() == taken(store)


def test_what_fails_halfway_leaves_the_chunks_as_they_were(store: Store, commit: Commit) -> None:
    run = Run()
    opening = run.opening()
    frames = frames_between(run, 0, FULL + 1)
    commit(*opening, *frames, run.run_end())

    with pytest.MonkeyPatch.context() as patch:
        with store.write() as transaction:
            patch.setattr(type(transaction), "_put_chunk", _failing(type(transaction)._put_chunk))
        with pytest.raises(RuntimeError, match="joined"):
            compact(store)

    assert chunks(store) == [FRAMES] * SECTIONS
    assert raws(store) == frames


def _failing(put: object) -> object:
    def fail(transaction: object, chunk: ChunkRecord, made: Chunk) -> None:
        if chunk.frames == FULL:
            raise RuntimeError("It cannot be joined.")
        put(transaction, chunk, made)

    return fail
