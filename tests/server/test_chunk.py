"""Chunks: every frame comes back bit for bit, and every rollup agrees with its obvious twin."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gainstage import wire
from gainstage.units import UNITS
from gainstage_server.compaction import chunk
from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import FACTORS, Chunk, Reader, Stored
from gainstage_server.compaction.logged import Logs
from gainstage_server.compaction.packing import Packer, Unpacker, group_cells

COLUMNS = {"layers": 5, "gradients": 2, UNITS: 3}
ROWS = 4


def schema(rows: int = ROWS) -> wire.Schema:
    return wire.Schema(
        run="run",
        attempt="a1",
        seq=1,
        time=0.0,
        rows=tuple(wire.Row(id=str(row), path=str(row), kind="Dense") for row in range(rows)),
        blocks={
            name: wire.BlockSchema(
                tuple(wire.Column(str(column), 1) for column in range(columns)),
                wire.packed(np.ones((rows, columns), bool)),
            )
            for name, columns in COLUMNS.items()
        },
        training=wire.Training(backend="tensorflow", keras="3"),
    )


def stored(seq: int, blocks: dict[str, Any], **fields: object) -> Stored:
    header = wire.Frame(
        run="run", attempt="a1", seq=seq, time=seq / 2, schema=1, step=10 * seq, **fields
    )
    return Stored(seq, header.step, header.time, wire.encode(header, blocks))


def drawn(seed: int, count: int) -> list[Stored]:
    """Frames of any bits, of which some are an infinity or 0, each with some of the blocks."""
    rng = np.random.default_rng(seed)
    found: list[Stored] = []
    for seq in range(count):
        blocks: dict[str, Any] = {}
        for name, columns in COLUMNS.items():
            if rng.random() < 0.6:
                bits = rng.integers(0, 2**32, (ROWS, columns), np.uint32)
                special = rng.choice(SPECIAL, bits.shape)
                blocks[name] = np.where(rng.random(bits.shape) < 0.2, special, bits.view("<f4"))
        found.append(stored(seq, blocks))
    return found


SPECIAL = np.float32([0, np.inf, -np.inf])
# Of finer bits, such as the payload of a NaN, random ones find more than a search does.
some_frames = st.builds(drawn, st.integers(0, 2**32 - 1), st.integers(1, 150))


def back(made: Chunk, rows: int = ROWS) -> list[bytes]:
    axis = Axis.load(made.axis.dump())
    parts = [part for part in made.parts if part.factor == 1]
    return list(Reader(schema(rows), axis).frames(parts, made.left))


@settings(max_examples=40, deadline=None)
@given(frames=some_frames)
def test_every_frame_comes_back_bit_for_bit(frames: list[Stored]) -> None:
    made = chunk.encode(schema(), frames)

    assert back(made) == [frame.raw for frame in frames]


@settings(max_examples=40, deadline=None)
@given(frames=some_frames)
def test_of_a_frame_with_blocks_only_the_header_is_left(frames: list[Stored]) -> None:
    made = chunk.encode(schema(), frames)

    for frame, left in zip(frames, made.left, strict=True):
        blocks = wire.decode(frame.raw)[1]
        assert left == (frame.raw[: wire.header_end(frame.raw)] if blocks else frame.raw)


@pytest.mark.parametrize("blocks", [{}, {"layers": np.ones((ROWS, 5), np.float32)}])
@pytest.mark.parametrize("end", [b"", b"\0" * 8, b"more"])
def test_a_frame_that_another_library_laid_out_is_kept_whole(
    blocks: dict[str, Any], end: bytes
) -> None:
    plain = stored(7, blocks)
    # Without the padding where no block follows the header.
    raw = plain.raw[: None if blocks else wire.header_end(plain.raw)] + end
    made = chunk.encode(schema(), [plain._replace(raw=raw)])

    assert back(made) == [raw]


def twin(frames: Sequence[Stored], factor: int, name: str, row: int, column: int) -> list[Any]:
    """Smallest, largest, mean and last value of each entry that has the block."""
    found = []
    for first in range(0, len(frames), factor):
        blocks = [wire.decode(frame.raw)[1] for frame in frames[first : first + factor]]
        values = [float(of_frame[name][row, column]) for of_frame in blocks if name in of_frame]
        if not values:
            continue
        nan = any(np.isnan(value) for value in values)
        with np.errstate(invalid="ignore"):
            mean = np.mean(values, dtype=np.float64)
        found.append(
            (np.nan if nan else min(values), np.nan if nan else max(values), mean, values[-1])
        )
    return found


def bands_of(made: Chunk, factor: int, name: str, row: int, column: int) -> list[Any]:
    reader, block = Reader(schema(), made.axis), list(COLUMNS).index(name)
    if not made.axis.depth(block, factor):
        return []
    cell = chunk.cell(name, reader.shape(block), np.array(row), np.array(column))
    group, place = divmod(int(cell), group_cells(made.axis.depth(block, factor)))
    (part,) = (part for part in made.parts if part[:3] == (factor, block, group))
    bands = reader.bands(part)
    return list(zip(*(band[:, place].tolist() for band in bands), strict=True))


@settings(max_examples=40, deadline=None)
@given(frames=some_frames, data=st.data())
def test_rollups_agree_with_the_slow_reference(frames: list[Stored], data: Any) -> None:
    made = chunk.encode(schema(), frames)
    factor, name = data.draw(st.sampled_from(FACTORS)), data.draw(st.sampled_from([*COLUMNS]))
    row, column = data.draw(st.integers(0, ROWS - 1)), data.draw(st.integers(0, COLUMNS[name] - 1))

    expected = twin(frames, factor, name, row, column)

    found = bands_of(made, factor, name, row, column)
    assert len(found) == len(expected)
    for (low, high, mean, last), entry in zip(found, expected, strict=True):
        np.testing.assert_array_equal((low, high, last), (entry[0], entry[1], entry[3]))
        # Sums of float64 in another order, rounded to float32 at each resolution.
        scale = 1 + max(abs(entry[0]), abs(entry[1]))
        if np.isfinite(scale):
            assert abs(mean - entry[2]) <= 1e-6 * scale
        else:
            np.testing.assert_array_equal(mean, entry[2])


@pytest.mark.parametrize("spike", [2.0**99, -(2.0**99), np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("factor", FACTORS)
def test_a_spike_of_one_step_is_in_every_resolution(spike: float, factor: int) -> None:
    values = np.zeros((chunk.FRAMES, ROWS, 5), np.float32)
    values[77, 2, 3] = spike
    made = chunk.encode(
        schema(), [stored(seq, {"layers": block}) for seq, block in enumerate(values)]
    )

    extremes = [
        band for low, high, _, _ in bands_of(made, factor, "layers", 2, 3) for band in (low, high)
    ]

    loud = {str(band) for band in extremes if band != 0}
    assert loud == {str(float(spike))}


@given(
    depth=st.integers(1, 300),
    cells=st.integers(1, 300),
    seed=st.integers(0, 2**32 - 1),
)
def test_groups_hold_all_cells_in_order(depth: int, cells: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2**32, (depth, cells), np.uint32)
    groups = Packer().pack(bits.view(np.float32))

    unpacked = [Unpacker().unpack(group, depth) for group in groups]

    assert all(one.shape[1] == group_cells(depth) for one, _ in pairwise(unpacked))
    found = np.ascontiguousarray(np.concatenate(unpacked, axis=1)).view(np.uint32)
    np.testing.assert_array_equal(found, bits)


@settings(max_examples=40, deadline=None)
@given(frames=some_frames, factor=st.sampled_from(FACTORS))
def test_entries_are_those_of_the_frames_that_they_hold(frames: list[Stored], factor: int) -> None:
    axis = Axis.load(chunk.encode(schema(), frames).axis.dump())
    entries = axis.entries(factor)

    held = [frames[first : first + factor] for first in range(0, len(frames), factor)]

    assert entries.frames.tolist() == [len(own) for own in held]
    assert entries.seqs.tolist() == [own[-1].seq for own in held]
    assert entries.steps.tolist() == [own[-1].step for own in held]
    assert entries.times.tolist() == [own[-1].time for own in held]


def test_logs_are_kept_by_name_and_absent_where_a_frame_had_none() -> None:
    logs = [{"loss": 0.5}, {"loss": np.nan, "accuracy": 1.0}, {}, {"accuracy": 1e300}]
    made = chunk.encode(schema(), [stored(seq, {}, logs=one) for seq, one in enumerate(logs)])

    values, present = Logs.load(made.logs).read(["accuracy", "loss", "unknown"], 4)

    np.testing.assert_array_equal(values[:, 0], np.float32([np.nan, 1.0, np.nan, np.inf]))
    np.testing.assert_array_equal(values[:, 1], np.float32([0.5, np.nan, np.nan, np.nan]))
    assert present.T.tolist() == [
        [False, True, False, True],
        [True, True, False, False],
        [False] * 4,
    ]
