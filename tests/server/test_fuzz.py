"""Whatever bytes reach the sockets: an answer or a documented close, bounded memory, no garbage."""

import os
import resource
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gainstage import wire
from gainstage_server.live import MAX_SUBSCRIPTION
from gainstage_server.settings import Settings

from .conftest import Running, running
from .test_hostile import MESSAGES, answers_up_to, batched, packed, unpacked
from .trainer import Trainer, read, send

# Of each test; more in the night, as GAINSTAGE_EXAMPLES=10000.
EXAMPLES = int(os.environ.get("GAINSTAGE_EXAMPLES", "100"))
bounded = settings(max_examples=EXAMPLES, deadline=None, database=None)

# RFC 6455, section 7.4.1: going away, no text, against the rules, too large.
CLOSED = {1001, 1007, 1008, 1009}
MAX_GROWTH = 96 * 2**20  # bytes: a few of the largest messages


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = tmp_path_factory.mktemp("fuzz") / "fuzz.db"
    with running(Settings(database=str(database), disk_floor=0)) as it:
        send(it.ws, MESSAGES)
        yield it
        assert it.service.counters.commit_failures == 0
        assert garbage(str(database)) == []


def garbage(database: str) -> list[object]:
    """What is stored and is no message, or one of another identity, type or time than it says."""
    query = "SELECT run, attempt, worker, seq, {} FROM {}"
    found: list[object] = []
    with closing(sqlite3.connect(database)) as connection:
        for table, columns in (("messages", "type, raw"), ("frames", "'frame', raw")):
            for *key, kind, raw in connection.execute(query.format(columns, table)):
                message, _ = wire.decode(raw)
                told = [message.run, message.attempt, message.worker, message.seq]
                if told != key or message.__struct_config__.tag != kind:
                    found.append((key, kind))
    return found


def peak() -> int:
    """The most memory that this process, and so the server, ever had."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def with_header(header: bytes, *, told: int | None = None) -> bytes:
    size = len(header) if told is None else told
    return wire.PREFIX.pack(wire.MAGIC, wire.VERSION, size) + header


def with_fields(index: int, **fields: bytes) -> bytes:
    """A recorded message in which these fields are what the bytes say."""
    header, body = unpacked(MESSAGES[index])
    raw = {name: msgspec.Raw(value) for name, value in fields.items()}
    return packed(header | {"seq": 10_000} | raw, body)


def with_shape(*shape: int, offset: int = 0) -> bytes:
    header, body = unpacked(MESSAGES[-3])
    block = {"name": "layers", "shape": list(shape), "offset": offset}
    return packed(header | {"seq": 10_000, "blocks": [block]}, body)


MOST = b"\xff\xff\xff\xff"
BOMBS = {
    "arrays in arrays": with_header(b"\x91" * 1_000_000),
    "maps in maps": with_header(b"\x81\xa1a" * 300_000),
    "an array of four billion": with_header(b"\xdd" + MOST),
    "a map of four billion": with_header(b"\xdf" + MOST),
    "text of 4 GiB": with_header(b"\xdb" + MOST),
    "bytes of 4 GiB": with_header(b"\xc6" + MOST),
    "an extension of 4 GiB": with_header(b"\xc9" + MOST + b"\x01"),
    "a header of 4 GiB": with_header(b"\x80", told=2**32 - 1),
    "a configuration of arrays in arrays": with_fields(0, config=b"\x81\xa1a" + b"\x91" * 500_000),
    "a configuration of four billion": with_fields(0, config=b"\xdf" + MOST),
    "four billion tags": with_fields(0, tags=b"\xdd" + MOST),
    "four billion rows": with_fields(1, rows=b"\xdd" + MOST),
    "a million empty rows": with_fields(1, rows=b"\xdd\x00\x0f\x42\x40" + b"\x80" * 1_000_000),
    "a million tags": with_fields(0, tags=b"\xdd\x00\x0f\x42\x40" + b"\xa0" * 1_000_000),
    "a shape beyond memory": with_shape(2**40, 2**20),
    "a shape that wraps round to nothing": with_shape(2**32, 2**32),
    "a shape that wraps round to little": with_shape(2**63, 2, 2**63),
    "a shape of nothing by everything": with_shape(0, 2**62, 2**62),
    "a shape of less than nothing": with_shape(-1, -1),
    "a shape of a hundred axes": with_shape(*[1] * 100),
    "a shape of a million axes": with_shape(*[1] * 1_000_000),
    "a place beyond the message": with_shape(1, 1, offset=2**62),
    "a place that wraps round": with_shape(1, 1, offset=2**64 - 8),
    "zeros": bytes(wire.MAX_MESSAGE_BYTES),
    "ones": b"\xff" * wire.MAX_MESSAGE_BYTES,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_and_takes_no_memory(server: Running, bomb: str) -> None:
    before = peak()
    with connect(f"{server.ws}/api/v1/ingest", max_size=None) as socket:
        socket.send(BOMBS[bomb])
        answer = read(socket.recv(timeout=30))

    assert isinstance(answer, wire.Refuse)
    assert len(answer.reason) <= 1_024
    assert peak() - before < MAX_GROWTH


def test_memory_that_is_taken_would_be_noticed() -> None:
    before = peak()
    filled = bytearray(before)

    assert len(filled) > MAX_GROWTH
    # Zeros that nobody has written take no memory yet.
    filled[::4096] = b"x" * len(filled[::4096])
    assert peak() - before > MAX_GROWTH // 2


def cut_or_flipped() -> Iterator[bytes]:
    """Every message cut at every place, and with every bit of its beginning flipped."""
    for message in MESSAGES:
        yield from (message[:end] for end in range(0, len(message), 1 + len(message) // 200))
        for place in range(min(len(message), 40)):
            for bit in range(8):
                flipped = bytearray(message)
                flipped[place] ^= 1 << bit
                yield bytes(flipped)


def test_a_message_that_is_cut_or_flipped_is_refused_or_is_another_message(server: Running) -> None:
    helper, refused, sent = Trainer(run="sentinels", attempt="fuzz"), 0, 0
    with connect(f"{server.ws}/api/v1/ingest") as socket:
        socket.send(helper.run_start())
        for few in batched(cut_or_flipped(), 500):
            for data in few:
                socket.send(data)
            socket.send(helper.notice())
            refused += len(answers_up_to(socket, "fuzz", helper.seq))
            sent += len(few)

    assert sent > 3_000
    assert refused > 0.8 * sent


@bounded
@given(data=st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(with_header), st.text()))
def test_random_bytes_are_refused(server: Running, data: bytes | str) -> None:
    with connect(f"{server.ws}/api/v1/ingest") as socket:
        socket.send(data)

        assert isinstance(read(socket.recv(timeout=30)), wire.Refuse)


# Viewers


def closed_with(server: Running, message: str | bytes) -> int | None:
    """The code with which the server ends a viewer's connection, at the latest at a second one."""
    with connect(f"{server.ws}/api/v1/live") as viewer:
        try:
            viewer.send(message, text=True if isinstance(message, bytes) else None)
            viewer.send("no subscription")
            while True:
                viewer.recv(timeout=30)
        except ConnectionClosed as closed:
            return closed.rcvd and closed.rcvd.code


DEEP = MAX_SUBSCRIPTION - 100
SUBSCRIPTIONS = {
    "arrays in arrays": "[" * DEEP,
    "objects in objects": '{"a":' * (DEEP // 5),
    "arrays in what is not known": '{"type":"subscribe","x":' + "[" * DEEP,
    "whole arrays in what is not known": f'{{"type":"subscribe","x":{"[" * 8_000}{"]" * 8_000}}}',
    "arrays for a run": '{"type":"subscribe","run":' + "[" * DEEP,
    "a number too large": '{"type":"subscribe","id":' + "9" * 5_000 + "}",
    "half a pair of surrogates": '{"type":"subscribe","run":"\\ud800"}',
    "no UTF-8": b'{"type":"subscribe","run":"\xff"}',
    "statistics beyond count": '{"type":"subscribe","statistics":["' + "x" * MAX_SUBSCRIPTION,
}


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
def test_what_is_no_subscription_ends_the_connection_with_a_reason(
    server: Running, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert closed_with(server, SUBSCRIPTIONS[name]) in CLOSED
    # uvicorn tells of what is no text, whichever application it serves.
    assert [it for it in caplog.records if "ASGI" in it.getMessage()] == []


def test_a_subscription_of_a_character_too_many_ends_the_connection(server: Running) -> None:
    whole = '{"type":"subscribe","x":"%s"}'
    room = MAX_SUBSCRIPTION - len(whole % "")

    with connect(f"{server.ws}/api/v1/live") as viewer:
        viewer.send(whole % ("x" * room))
        assert read(viewer.recv(timeout=30)) == wire.Subscribed(id=0)
    assert closed_with(server, whole % ("x" * (room + 1))) == 1008


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
FIELDS = st.sampled_from(["run", "token", "statistics", "id", "x"])


@bounded
@given(fields=st.dictionaries(FIELDS, VALUES), kind=st.sampled_from(["subscribe", "ack", "", 1]))
def test_a_subscription_of_anything_is_answered_or_ends_the_connection(
    server: Running, fields: dict[str, object], kind: object
) -> None:
    message = msgspec.json.encode(fields | {"type": kind}).decode()
    with connect(f"{server.ws}/api/v1/live") as viewer:
        viewer.send(message)
        try:
            answer, code = read(viewer.recv(timeout=30)), None
        except ConnectionClosed as closed:
            answer, code = None, closed.rcvd and closed.rcvd.code

    assert code in CLOSED or (isinstance(answer, wire.Subscribed) and kind == "subscribe")
