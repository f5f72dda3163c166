"""Chunks that follow each other become one: its rollups are theirs, what frames have stays."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from gainstage import wire
from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import (
    FACTORS,
    FRAMES,
    SECTIONS,
    Part,
    Reader,
)
from gainstage_server.compaction.compactor import Compactor, encoded
from gainstage_server.compaction.logged import Logs
from gainstage_server.compaction.merging import mergeable, merged
from gainstage_server.compaction.packing import group_cells
from gainstage_server.compaction.rollups import BANDS
from gainstage_server.history import History, Window
from gainstage_server.selection import Cell
from gainstage_server.settings import Settings
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
    plain = ChunkRecord(*STREAM, first, 1, "probe", first, last, last, 0.0, FRAMES, 1, 1, 0, b"")
    return plain._replace(**changes)


def in_a_row(count: int, first: int = 0, **changes: object) -> list[ChunkRecord]:
    return [record(first + place, **changes) for place in range(count)]


def test_as_many_as_a_chunk_has_sections_are_merged_oldest_first() -> None:
    assert mergeable(in_a_row(SECTIONS - 1)) == ()
    assert mergeable(in_a_row(SECTIONS + 3)) == in_a_row(SECTIONS)


def test_chunk_that_is_not_full_is_passed_over() -> None:
    few, more = record(3, frames=FRAMES - 1), record(5, frames=2 * FRAMES - 1)
    others = [*in_a_row(3), *in_a_row(1, 4), *in_a_row(SECTIONS, 6)]

    found = mergeable([*in_a_row(3), few, *in_a_row(1, 4), more, *in_a_row(SECTIONS, 6)])

    assert found == others[:SECTIONS]


def test_only_chunks_of_one_schema_and_detail_are_merged() -> None:
    half = SECTIONS // 2
    for change in ({"schema": 2}, {"finest": FACTORS[1]}):
        assert mergeable([*in_a_row(half), *in_a_row(half, half, **change)]) == ()


def test_of_chunks_that_lie_over_each_other_the_most_are_merged_that_do_not() -> None:
    over = [
        one._replace(
            first_step=one.first_step + 1, last_step=one.last_step + 1, seq=10**6 + one.seq
        )
        for one in in_a_row(SECTIONS)
    ]

    long = record(0, last_step=4 * FRAMES, seq=10**7)

    found = mergeable(
        sorted([long, *over, *in_a_row(SECTIONS)], key=lambda one: (one.first_step, -one.seq))
    )

    assert found == in_a_row(SECTIONS)


def test_chunks_that_would_take_too_much_memory_are_not_merged() -> None:
    large = 2**29 // SECTIONS

    assert mergeable(in_a_row(SECTIONS, size=large)) == in_a_row(SECTIONS, size=large)
    assert mergeable(in_a_row(SECTIONS, size=large + 1)) == ()


# -- What of ---------------------------------------------------------------------------------------

SCHEMA = wire.Schema(
    run=STREAM.run,
    attempt=STREAM.attempt,
    seq=1,
    time=0.0,
    rows=tuple(wire.Row(id=str(row), path=str(row), kind="Dense") for row in range(100)),
    blocks={
        name: wire.BlockSchema(
            tuple(wire.Column(f"{name}{column}", 1) for column in range(columns)),
            wire.packed(np.ones((100, columns), bool)),
        )
        for name, columns in (("layers", 40), ("gradients", 1), ("never", 2))
    },
    training=wire.Training(backend="tensorflow", keras="3"),
)


def some(rng: np.random.Generator, seq: int) -> FrameRecord:
    """Any bits; gradients now and then, and in some sections not at all."""
    bits = rng.integers(0, 2**32, (100, 41), np.uint32).view(np.float32)
    blocks = {"layers": bits[:, :40]}
    if seq % 7 == 0 and seq // FRAMES % 3 == 1:
        blocks["gradients"] = bits[:, 40:]
    logs = {"loss": float(rng.normal())} if seq // FRAMES != 2 else {"accuracy": 0.5}
    frame = wire.Frame(
        run=STREAM.run, attempt=STREAM.attempt, seq=seq, time=1.0, schema=1, step=3 * seq, logs=logs
    )
    return FrameRecord(*STREAM, seq, 1, "probe", 3 * seq, float(seq), wire.encode(frame, blocks))


def rollups(parts: Sequence[Part], axis: Axis, factor: int, block: int) -> list[np.ndarray]:
    """[entries, cells] of each band."""
    own = [part for part in parts if part[:2] == (factor, block)]
    bands = [Reader(SCHEMA, axis).bands(part) for part in own]
    return [np.concatenate(band, axis=1) for band in zip(*bands, strict=True)]


def test_its_rollups_are_those_of_its_sections_one_after_the_other() -> None:
    rng = np.random.default_rng(0)
    frames = [some(rng, seq) for seq in range(FULL)]
    read = [encoded(SCHEMA, frames[first : first + FRAMES]) for first in range(0, FULL, FRAMES)]
    parts: Sequence[tuple[int, Part]] = [
        (one.seq, part) for one, made in read for part in made.parts if part.factor > 1
    ]
    rng.shuffle(parts)  # a database tells them in any order

    whole, logs, made = merged([one for one, _ in read], [one.logs for _, one in read], parts)

    axis = Axis.load(whole.axis)
    for factor, block in product(FACTORS[1:], (0, 1)):
        own = [
            rollups(one.parts, one.axis, factor, block)
            for _, one in read
            if block in one.axis.sampled
        ]
        expected = [np.concatenate(band) for band in zip(*own, strict=True)]
        for found, band in zip(rollups(made, axis, factor, block), expected, strict=True):
            np.testing.assert_array_equal(found.view(np.uint32), band.view(np.uint32))
    for section, (_, one) in zip(axis.cut(whole.sections), read, strict=True):
        assert section.dump() == one.axis.dump()
    assert list(axis.sampled) == [0, 1]
    names, of_sections = ["loss", "accuracy"], [Logs.load(one.logs) for _, one in read]
    for found, expected in zip(
        Logs.load(logs).read(names, FULL),
        zip(*(one.read(names, FRAMES) for one in of_sections), strict=True),
        strict=True,
    ):
        np.testing.assert_array_equal(found, np.concatenate(expected))
    assert (whole.seq, whole.first_step, whole.last_step) == (0, 0, 3 * (FULL - 1))
    assert (whole.last_seq, whole.last_time) == (FULL - 1, FULL - 1.0)
    assert (whole.frames, whole.sections) == (FULL, SECTIONS)
    size = sum(len(part.data) for part in made)
    frames_own = (part for _, one in read for part in one.parts if part.factor == 1)
    assert whole.size == size + sum(len(part.data) for part in frames_own)
    for factor in FACTORS[1:]:
        # In smaller groups: of `layers`, 4,000 cells.
        cells = group_cells(FULL // factor * BANDS)
        groups = [part.group for part in made if part[:2] == (factor, 0)]
        assert groups == list(range(-(-4_000 // cells)))


# -- In a store ------------------------------------------------------------------------------------


def over(commit: Commit, **of: Any) -> list[bytes]:
    """The frames of a run that is over, of which all but the newest fit into a merged chunk."""
    run = Run(time=100 * DAY, **of)
    opening = run.opening()
    frames = frames_between(run, 0, FULL + 1)
    commit(*opening, *frames, run.run_end())
    return frames


def test_every_frame_is_read_bit_for_bit_as_it_came(store: SQLStore, commit: Commit) -> None:
    frames = over(commit)

    assert compact(store) == SECTIONS + 1

    assert chunks(store) == [FULL]
    assert raws(store) == frames
    assert store.sizes() == taken(store)


@pytest.mark.parametrize("merged_before", [True, False])
def test_of_its_old_samples_the_rollups_stay(
    store: SQLStore, commit: Commit, merged_before: bool
) -> None:
    cells = [Cell("row0", "pre_db"), Cell("row1", "gain")]
    frames = over(commit)
    before = History(store, STREAM.run).read(cells, Window(points=3_000))
    if merged_before:
        compact(store)

    compact(store, clock=200 * DAY, detail_days="7")

    assert chunks(store) == [FULL]
    assert store.sizes() == taken(store)
    assert raws(store) == frames[-1:]
    with store._reader.begin() as connection:
        factors = Counter(connection.execute(select(tables.parts.c.factor)).scalars())
    assert set(factors) == set(FACTORS[1:])
    after = History(store, STREAM.run).read(cells, Window(points=3_000))
    assert after.frames.tolist() == [FACTORS[1]] * (FULL // FACTORS[1]) + [1]
    for place, column in product(range(FULL // FACTORS[1]), range(len(cells))):
        of_entry = slice(place * FACTORS[1], (place + 1) * FACTORS[1])
        own = before.last[of_entry, column][before.present[of_entry, column]]
        found = [getattr(after, band)[place, column] for band in ("min", "max", "last")]
        np.testing.assert_array_equal(found, [own.min(), own.max(), own[-1]])
    # Of what a window cuts through, the entries that end in it.
    cut = History(store, STREAM.run).read(cells, Window(100, 1_000, 3_000))
    assert cut.steps.tolist() == list(range(111, 1_000, FACTORS[1]))
    np.testing.assert_array_equal(cut.max, after.max[6:62])


@pytest.mark.parametrize("meanwhile", ["made coarser", "deleted"])
def test_chunks_that_are_no_longer_what_was_read_are_not_merged(
    store: SQLStore, commit: Commit, meanwhile: str
) -> None:
    run = Run()
    commit(*run.opening(), *frames_between(run, 0, FULL - 1), run.run_end())
    compact(store)  # too few to be merged
    with store.past() as past:
        before = past.chunks(ALL)
        seqs = [chunk.seq for chunk in before]
        made = merged(
            before,
            list(past.logs(STREAM, seqs)),
            [it for factor in FACTORS[1:] for it in past.parts(STREAM, seqs, factor)],
        )
    with store.write() as transaction:
        if meanwhile == "deleted":
            transaction.drop_run(STREAM.run)
        else:
            transaction.coarsen(before[3], FACTORS[1])
    sizes = chunks(store)

    with store.write() as transaction:
        assert not transaction.merge(made, instead_of=before)

    assert chunks(store) == sizes
    assert store.sizes() == taken(store)


def test_what_fails_halfway_leaves_the_chunks_as_they_were(store: Store, commit: Commit) -> None:
    frames = over(commit)

    with pytest.MonkeyPatch.context() as patch:
        with store.write() as transaction:
            patch.setattr(type(transaction), "_put_chunk", _failing(type(transaction)._put_chunk))
        with pytest.raises(RuntimeError, match="merged"):
            compact(store)

    assert chunks(store) == [FRAMES] * SECTIONS
    assert raws(store) == frames


def _failing(put: Callable[..., None]) -> Callable[..., None]:
    def fail(transaction: object, chunk: ChunkRecord, *rest: object) -> None:
        if chunk.sections > 1:
            raise RuntimeError("It cannot be merged.")
        put(transaction, chunk, *rest)

    return fail


def test_streams_are_found_that_have_enough_chunks_that_are_alike(store: SQLStore) -> None:
    with store._writer.begin() as connection:
        for run, some in {
            "few": in_a_row(SECTIONS - 1),
            "enough": in_a_row(SECTIONS),
            "many": in_a_row(3 * SECTIONS),
            "validation": in_a_row(SECTIONS, source="validation"),
            "two schemas": [*in_a_row(8), *in_a_row(8, 8, schema=2)],
            "in two details": [*in_a_row(8, finest=16), *in_a_row(8, 8)],
            "not full": in_a_row(SECTIONS, frames=FRAMES + 1),
        }.items():
            rows = [one._replace(run=run)._asdict() | {"logs": b""} for one in some]
            connection.execute(tables.chunks.insert(), rows)

    found = store.full_chunks()

    assert {stream.run: count for stream, count in found.items()} == {
        "enough": SECTIONS,
        "many": 3 * SECTIONS,
    }


@pytest.mark.parametrize("broken", ["parts.data", "chunks.axis", "chunks.logs"])
def test_chunks_that_cannot_be_read_are_told_of_once_and_hold_up_no_others(
    store: SQLStore, commit: Commit, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    for name in ("bad", "good"):
        over(commit, run=name)
    compactor = Compactor(Settings(disk_floor=0), store, clock=lambda: 0.0)
    for _ in range(2 * SECTIONS):
        assert compactor.step()
    name, column = broken.split(".")
    table = tables.metadata.tables[name]
    with store._writer.begin() as connection:
        connection.execute(table.update().where(table.c.run == "bad").values({column: b"?"}))

    assert [compactor.step() for _ in range(3)] == [True, False, False]

    assert [record.message.count("cannot be merged") for record in caplog.records] == [1]
    with store.past() as past:
        held = [past.chunks(ALL._replace(stream=STREAM._replace(run=it))) for it in ("bad", "good")]
    assert [[chunk.sections for chunk in some] for some in held] == [[1] * SECTIONS, [SECTIONS]]


def test_chunks_that_lie_over_each_other_are_looked_at_once(
    store: SQLStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [one._replace(first_step=0, seq=at) for at, one in enumerate(in_a_row(SECTIONS))]
    with store._writer.begin() as connection:
        made = [one._asdict() | {"logs": b""} for one in rows]
        connection.execute(tables.chunks.insert(), made)
    compactor = Compactor(Settings(disk_floor=0), store, clock=lambda: 0.0)
    looked = list[int]()

    def look(chunks: Sequence[ChunkRecord]) -> Sequence[ChunkRecord]:
        looked.append(len(chunks))
        return mergeable(chunks)

    monkeypatch.setattr("gainstage_server.compaction.compactor.mergeable", look)

    assert [compactor.step() for _ in range(3)] == [False] * 3

    assert looked == [SECTIONS]
