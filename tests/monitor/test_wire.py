import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gainstage import wire
from gainstage.finding import Evidence, Finding
from gainstage.outcome import Contestant

from . import builders

WHOLE = st.integers(0, 2**53)
REAL = st.floats(allow_nan=False)
NAME = st.text(max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | REAL | NAME,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=6,
)
TREE = st.dictionaries(NAME, PLAIN, max_size=3)
IDENTITY = {"run": NAME, "attempt": NAME, "worker": WHOLE, "seq": WHOLE, "time": REAL}
ROW = st.builds(
    wire.Row,
    id=NAME,
    path=NAME,
    kind=NAME,
    inputs=st.lists(WHOLE, max_size=3).map(tuple),
    output_shape=st.lists(st.none() | WHOLE, max_size=3).map(tuple),
    fan_in=st.none() | REAL,
    activation=st.none() | NAME,
    arguments=TREE,
)
BLOCK_SCHEMA = st.builds(
    wire.BlockSchema,
    columns=st.lists(st.builds(wire.Column, NAME, WHOLE), max_size=3).map(tuple),
    mask=st.binary(max_size=4),
    units=st.lists(WHOLE, max_size=3).map(tuple),
)
FINDING = st.builds(
    Finding,
    since_step=WHOLE,
    last_step=WHOLE,
    closed_step=st.none() | WHOLE,
    severity=st.sampled_from(["info", "warning", "critical"]),
    levels=st.dictionaries(NAME, REAL, max_size=2),
    evidence=st.dictionaries(
        NAME, st.builds(Evidence, value=REAL, limit=st.none() | REAL, unit=NAME), max_size=2
    ),
)
MESSAGES: dict[type, st.SearchStrategy[Any]] = {
    wire.RunStart: st.builds(wire.RunStart, **IDENTITY, project=NAME, config=TREE),
    wire.Schema: st.builds(
        wire.Schema,
        **IDENTITY,
        rows=st.lists(ROW, max_size=3).map(tuple),
        blocks=st.dictionaries(NAME, BLOCK_SCHEMA, max_size=2),
        training=st.builds(
            wire.Training, backend=NAME, keras=NAME, learning_rate=st.none() | REAL, momentum=REAL
        ),
    ),
    wire.Frame: st.builds(
        wire.Frame,
        **IDENTITY,
        schema=WHOLE,
        step=WHOLE,
        spooled=WHOLE,
        source=st.sampled_from(["probe", "validation"]),
        logs=st.dictionaries(NAME, REAL, max_size=3),
        blocks=st.just(()),
    ),
    wire.Notice: st.builds(
        wire.Notice,
        **IDENTITY,
        level=st.sampled_from(["info", "warning", "error"]),
        code=NAME,
        text=NAME,
    ),
    wire.TrialResult: st.builds(
        wire.TrialResult,
        **IDENTITY,
        layer=NAME,
        contestants=st.lists(
            st.builds(Contestant, arm=NAME, strength=st.none() | REAL), max_size=3
        ).map(tuple),
        seeds=st.lists(WHOLE, max_size=3).map(tuple),
        steps=st.lists(WHOLE, max_size=3).map(tuple),
        columns=st.lists(NAME, max_size=3).map(tuple),
        interrupted=st.booleans(),
        blocks=st.just(()),
    ),
    wire.RunEnd: st.builds(
        wire.RunEnd,
        **IDENTITY,
        status=st.sampled_from(["completed", "interrupted"]),
        frames=WHOLE,
        thinned=WHOLE,
    ),
    wire.Ack: st.builds(wire.Ack, run=NAME, attempt=NAME, worker=WHOLE, seq=WHOLE),
    wire.Refuse: st.builds(wire.Refuse, reason=NAME, seq=st.none() | WHOLE),
    wire.FindingChanged: st.builds(wire.FindingChanged, run=NAME, finding=FINDING),
    wire.RunDeleted: st.builds(wire.RunDeleted, run=NAME),
    wire.Subscribed: st.builds(wire.Subscribed, id=WHOLE),
    wire.Skipped: st.builds(wire.Skipped, run=NAME, frames=WHOLE),
}
BLOCKS = st.dictionaries(
    NAME,
    npst.arrays(np.float32, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)),
    max_size=4,
)
FRAME = wire.Frame(**builders.IDENTITY, schema=1, step=7)
SPOILED = {
    "layers": np.array([[np.nan, np.inf], [-np.inf, -0.0]], np.float32),
    "units": np.arange(3, dtype=np.float32),
}


def bare(header: Any, *, version: int = wire.VERSION, body: bytes = b"") -> bytes:
    """A message written by hand around any header."""
    packed = msgspec.msgpack.encode(header)
    start = wire.PREFIX.pack(wire.MAGIC, version, len(packed)) + packed
    return start + bytes(-len(start) % wire.ALIGNMENT) + body


def with_block(**place: Any) -> bytes:
    """A frame of 16 bytes of blocks, of which the one block lies at `place`."""
    block = {"name": "layers", "shape": [2], "offset": 0, **place}
    header = {**msgspec.to_builtins(FRAME), "blocks": [block]}
    return bare(header, body=bytes(16))


def test_every_message_has_a_round_trip() -> None:
    assert set(MESSAGES) == set(wire.AnyMessage.__args__)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_what_is_decoded_equals_what_was_encoded(kind: type, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[kind])

    decoded, blocks = wire.decode(wire.encode(message))

    assert decoded == message
    assert type(decoded) is kind
    assert blocks == {}


@given(BLOCKS)
@example(SPOILED)
def test_blocks_come_back_bit_for_bit(blocks: dict[str, wire.FloatBlock]) -> None:
    _, decoded = wire.decode(wire.encode(FRAME, blocks))

    assert {name: array.shape for name, array in decoded.items()} == {
        name: array.shape for name, array in blocks.items()
    }
    assert {name: array.tobytes() for name, array in decoded.items()} == {
        name: array.tobytes() for name, array in blocks.items()
    }


@given(BLOCKS)
def test_every_block_begins_at_a_multiple_of_8(blocks: dict[str, wire.FloatBlock]) -> None:
    data = wire.encode(FRAME, blocks)

    message, _ = wire.decode(data)

    header_size = wire.PREFIX.unpack_from(data)[2]
    start = -(-(wire.PREFIX.size + header_size) // 8) * 8
    assert isinstance(message, wire.Frame)
    assert [(start + place.offset) % 8 for place in message.blocks] == [0] * len(blocks)
    assert len(data) % 8 == 0


def test_blocks_are_views_of_the_message_and_not_copies() -> None:
    data = wire.encode(FRAME, SPOILED)

    _, blocks = wire.decode(data)

    whole = np.frombuffer(data, np.uint8)
    assert all(np.shares_memory(block, whole) for block in blocks.values())
    assert not np.shares_memory(blocks["units"].copy(), whole)


def test_blocks_of_other_layouts_are_written_as_little_endian_float32() -> None:
    wide = np.arange(6, dtype=">f8").reshape(2, 3).T

    _, blocks = wire.decode(wire.encode(FRAME, {"layers": wide}))  # type: ignore[dict-item]

    assert blocks["layers"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_frame_written_again_without_blocks_names_none() -> None:
    frame, _ = wire.decode(wire.encode(FRAME, SPOILED))

    again, blocks = wire.decode(wire.encode(frame))

    assert (again, blocks) == (FRAME, {})


def test_blocks_of_a_message_that_carries_none_are_an_error() -> None:
    message = wire.Ack(run="r", attempt="a", seq=1)

    with pytest.raises(TypeError, match="Received: Ack"):
        wire.encode(message, SPOILED)


def test_fields_of_later_releases_are_ignored() -> None:
    header = {**msgspec.to_builtins(FRAME), "mood": ["fine"], "type": "frame"}

    assert wire.decode(bare(header)) == (FRAME, {})


def test_a_type_of_a_later_release_is_told_from_what_is_broken() -> None:
    with pytest.raises(wire.UnknownTypeError, match="'gossip', of a later one"):
        wire.decode(bare({"type": "gossip", "step": 1}))


@given(st.integers(0, 2**16 - 1).filter(lambda version: version != wire.VERSION))
def test_message_of_another_version_is_refused_with_what_to_do(version: int) -> None:
    data = bare(msgspec.to_builtins(FRAME), version=version)

    with pytest.raises(wire.WireError, match=f"Received version {version}: bring trainer and"):
        wire.decode(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "at least 8 bytes"),
        (b"GS\x01\x00", "at least 8 bytes"),
        (b"PK\x03\x04" + bytes(12), "begins with b'GS'"),
        (wire.PREFIX.pack(b"GS", 1, 2**32 - 1), "header ends at byte 4294967303"),
        (bare({"type": 7}), "header cannot be read"),
        (bare({"type": "frame"}), "header cannot be read"),
        (bare({**msgspec.to_builtins(FRAME), "source": "dream"}), "'dream' - at `\\$.source`"),
        (bare(b"\xff"), "header cannot be read"),
        (wire.PREFIX.pack(b"GS", 1, 5_000) + b"\x91" * 5_000, "header cannot be read"),
        (bytes(wire.MAX_MESSAGE_BYTES + 1), "at most 16777216 bytes"),
    ],
)
def test_unreadable_message_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(wire.WireError, match=reason):
        wire.decode(data)


@pytest.mark.parametrize(
    "place",
    [
        {"offset": -8},
        {"offset": 4},
        {"offset": 16},
        {"offset": 2**60},
        {"shape": [-1]},
        {"shape": [-2, -1]},
        {"shape": [5]},
        {"shape": [2**40, 2**40]},
        {"shape": [0, 2**62]},
        {"shape": [2**64 - 1, 0]},
        {"shape": [1] * 100},
        {"shape": [0], "offset": 24},
    ],
)
def test_block_that_lies_outside_the_message_is_refused(place: dict[str, Any]) -> None:
    with pytest.raises(wire.WireError, match="Block 'layers'"):
        wire.decode(with_block(**place))


def test_block_that_is_cut_off_is_refused_with_where_it_would_end() -> None:
    data = with_block(shape=[5])

    with pytest.raises(wire.WireError, match=f"ends at byte {len(data) + 4}, the message at"):
        wire.decode(data)


def test_header_is_read_where_the_blocks_are_cut_off() -> None:
    frame = wire.Frame(run="r", attempt="a", seq=2, time=0.0, schema=1, step=8, logs={"loss": 0.5})
    data = wire.encode(frame, {"layers": np.ones((3, 2), np.float32)})
    end = wire.header_end(data[: wire.PREFIX.size])

    header = wire.decode_header(data[:end])

    assert header == wire.decode(data)[0]
    with pytest.raises(wire.WireError, match=f"ends at byte {end}"):
        wire.decode_header(data[: end - 1])


def test_block_at_the_very_end_of_the_message_is_read() -> None:
    _, blocks = wire.decode(with_block(offset=8))

    assert blocks["layers"].tolist() == [0, 0]


@given(st.data())
def test_truncated_message_is_refused_or_misses_only_padding(data: st.DataObject) -> None:
    whole = wire.encode(FRAME, SPOILED)
    length = data.draw(st.integers(0, len(whole) - 1))

    try:
        _, blocks = wire.decode(whole[:length])
    except wire.WireError:
        return

    assert length >= len(whole) - 4  # three floats fill 12 of 16 bytes
    assert blocks["units"].tolist() == [0, 1, 2]


def corrupted(data: st.DataObject, whole: bytes) -> bytes:
    spoiled = bytearray(whole)
    places = st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=6)):
        spoiled[place] = value
    return bytes(spoiled)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_corrupted_message_is_read_or_refused_and_raises_nothing_else(
    kind: type, data: st.DataObject
) -> None:
    message = data.draw(MESSAGES[kind])
    blocks = data.draw(BLOCKS) if kind is wire.Frame else {}

    spoiled = corrupted(data, wire.encode(message, blocks))

    _only_wire_errors(spoiled)


@given(PLAIN, st.binary(max_size=64))
def test_any_header_is_read_or_refused_and_raises_nothing_else(header: Any, body: bytes) -> None:
    _only_wire_errors(bare(header, body=body))


@given(
    st.lists(st.integers(-(2**63), 2**64 - 1) | st.integers(-1, 4), max_size=5),
    st.integers(-(2**63), 2**64 - 1) | st.integers(-1, 20),
)
def test_any_place_of_a_block_is_read_or_refused_and_raises_nothing_else(
    shape: list[int], offset: int
) -> None:
    _only_wire_errors(with_block(shape=shape, offset=offset))


@given(st.binary(max_size=80))
def test_any_bytes_are_refused_and_raise_nothing_else(body: bytes) -> None:
    _only_wire_errors(body)
    _only_wire_errors(struct.pack("<2sHI", b"GS", 1, len(body)) + body)


def _only_wire_errors(data: bytes) -> None:
    try:
        wire.decode(data)
    except wire.WireError:
        return


@given(npst.arrays(bool, npst.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9)))
def test_mask_tells_which_values_exist(exists: Any) -> None:
    columns = tuple(wire.Column(str(place), 1) for place in range(exists.shape[1]))
    packed = np.packbits(exists.ravel(), bitorder="little").tobytes()

    mask = wire.mask_of(wire.BlockSchema(columns, packed), len(exists))

    assert mask.dtype == bool
    assert mask.tolist() == exists.tolist()


@pytest.mark.parametrize("size", [0, 1, 3])
def test_mask_of_another_size_is_refused(size: int) -> None:
    schema = wire.BlockSchema((wire.Column("a", 1), wire.Column("b", 1)), bytes(size))

    with pytest.raises(wire.WireError, match=f"5 rows and 2 columns has 2 bytes. Received: {size}"):
        wire.mask_of(schema, 5)


def test_the_rows_of_a_block_are_found_by_the_header_alone() -> None:
    blocks = {
        "gradients": np.arange(5, dtype=np.float32).reshape(5, 1),
        "layers": np.arange(20, dtype=np.float32).reshape(5, 4),
    }
    data = wire.encode(FRAME, blocks)
    header = data[: wire.header_end(data)]
    places = wire.decode_header(header).blocks

    at = {place.name: wire.rows_at(header, place, 1, 3) for place in places}

    cut = {name: np.frombuffer(data[one.start : one.stop], "<f4") for name, one in at.items()}
    assert cut["gradients"].tolist() == [1, 2]
    assert cut["layers"].tolist() == list(range(4, 12))
