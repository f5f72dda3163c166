"""Whatever is asked or sent, the server answers, and what is stored stays as it is."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gainstage import wire
from gainstage_server.settings import Settings

from .conftest import Running, running
from .trainer import Trainer, read, send

CONTRACT = Path(__file__).parents[1] / "contract"
RECORDED = [
    (CONTRACT / f"{name}.v1.bin").read_bytes()
    for name in ("run_start", "schema", "frame", "notice", "run_end")
]
RUN = "recorded-run"
PATHS = ("", "/layers", "/findings", "/series", "/heatmap")
QUERY = ("layer", "statistic", "from", "to", "points", "status", "project", "unknown")

bounded = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def unpacked(data: bytes) -> tuple[dict[str, Any], bytes]:
    """A message's header as plain data, and its blocks."""
    _, _, size = wire.PREFIX.unpack_from(data)
    end = wire.PREFIX.size + size
    return msgspec.msgpack.decode(data[wire.PREFIX.size : end]), data[end + -end % 8 :]


def packed(header: object, body: bytes) -> bytes:
    """The reverse."""
    written = msgspec.msgpack.encode(header)
    start = wire.PREFIX.pack(wire.MAGIC, wire.VERSION, len(written)) + written
    return start + bytes(-len(start) % 8) + body


def of_the_chief(data: bytes) -> bytes:
    """The recorded messages are a helper's, whom the diagnosis does not listen to."""
    header, body = unpacked(data)
    if header["type"] == "frame":
        header |= {"source": "probe", "blocks": header["blocks"][:1]}
    return packed(header | {"worker": 0}, body)


MESSAGES = [*RECORDED, *map(of_the_chief, RECORDED)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = tmp_path_factory.mktemp("hostile") / "hostile.db"
    trainer = Trainer()
    with running(Settings(database=database, disk_floor=0)) as it:
        send(it.ws, RECORDED)
        send(it.ws, MESSAGES[len(RECORDED) :])
        send(it.ws, [*trainer.opening(), *(trainer.loud(10 * step) for step in range(5))])
        yield it


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as it:
        yield it


# Requests

NUMBERS = ("-1", "1e3", "NaN", "", " ", str(2**53), str(2**63), str(2**5_000))
NAMES = ("input_rms", "sequential/hidden", "1111111111111111", "live", "recorded")
STRANGE = ("\x00", "../..", "%00", "'; --", "\ud7ff", "a" * 9_000)
PAGES = ("/", "/metrics", "/healthz", "/readyz", "/assets/x.js", "/api/v1/", "/api/v1/runs")
TABLES = ("rules", "statistics", "openapi.json", "messages.json", "ingest", "live")

values = st.one_of(st.sampled_from(NAMES + NUMBERS + STRANGE), st.text(max_size=20))
queries = st.lists(st.tuples(st.sampled_from(QUERY), values), max_size=8)
paths = st.one_of(
    st.sampled_from([f"/api/v1/runs/{RUN}{path}" for path in PATHS]),
    st.sampled_from([*PAGES, *(f"/api/v1/{table}" for table in TABLES)]),
    values.map(lambda text: f"/api/v1/runs/{quote(text, safe='')}"),
    values.map(lambda text: f"/{quote(text)}"),
)
# An Origin is refused before anything is asked, so that it comes seldom.
headers = st.dictionaries(
    st.sampled_from(["Accept", "Authorization", "Range", "If-None-Match", "Origin"]),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f")),
    max_size=1,
)


@bounded
@given(path=paths, query=queries, header=headers)
def test_no_question_makes_the_server_fail(
    server: Running,
    client: httpx.Client,
    path: str,
    query: list[tuple[str, str]],
    header: dict[str, str],
) -> None:
    encoded = {name.encode(): value.encode("latin-1") for name, value in header.items()}

    answer = client.get(server.url + path, params=query, headers=encoded)

    assert answer.status_code < 500, answer.text


# Messages

WHOLE = (-1, 0, 1, 2, 5, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63))
BROKEN = (float("nan"), float("inf"), -0.0, 1e308, 5e-324)
TEXT = ("", "x", "../x", "\x00", "a" * 2_000, "layers", RUN)
OTHER = (None, True, b"", b"\xff" * 9, [], {}, [[]], [1, -1], {"": None}, {"layers": 1.5})


def hostile(value: object) -> tuple[object, ...]:
    """What may stand in place of `value`."""
    return {int: WHOLE, float: WHOLE + BROKEN, str: TEXT}.get(type(value), ()) + OTHER


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every container within `tree` and a key in it."""
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from places(tree[key])


def every_field_replaced() -> Iterator[bytes]:
    """The chief's messages with each field in turn replaced by each of the hostile values."""
    seq = itertools.count(20_000)
    for message in MESSAGES[len(RECORDED) :]:
        header, body = unpacked(message)
        for place, key in list(places(header)):
            kept = place[key]
            for value in hostile(kept):
                header["seq"] = next(seq)
                place[key] = value
                yield packed(header, body)
            place[key] = kept


@st.composite
def with_another_field(draw: st.DrawFn) -> bytes:
    """A recorded message of a new seq, in which something within the header is another thing."""
    header, body = unpacked(draw(st.sampled_from(MESSAGES)))
    header["seq"] = draw(st.integers(0, 10_000))
    header["time"] = draw(st.sampled_from([header["time"], 2e9]))
    for _ in range(draw(st.integers(0, 2))):
        place, key = draw(st.sampled_from(list(places(header))))
        place[key] = draw(st.sampled_from(hostile(place[key])))
    return packed(header, body)


@st.composite
def with_other_bytes(draw: st.DrawFn) -> bytes:
    """A recorded message with bytes overwritten, put in or taken out."""
    data = bytearray(draw(st.sampled_from(MESSAGES)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        taken = draw(st.sampled_from([0, 1, 1, 4, len(data)]))
        data[start : start + taken] = draw(st.binary(max_size=8))
    return bytes(data)


def rows(server: Running) -> set[tuple[Any, ...]]:
    """All messages as they are stored."""
    with closing(
        sqlite3.connect(server.service.settings.database.get_secret_value())
    ) as connection:
        return {
            row
            for table in ("messages", "frames")
            for row in connection.execute(f"SELECT run, attempt, worker, seq, raw FROM {table}")
        }


def batched(messages: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    while few := list(itertools.islice(messages, size)):
        yield few


def answers_up_to(socket: ClientConnection, attempt: str, seq: int) -> list[wire.Refuse]:
    """What was refused until this attempt's `seq` is acknowledged."""
    refused: list[wire.Refuse] = []
    while True:
        answer = read(socket.recv(timeout=10))
        if isinstance(answer, wire.Refuse):
            refused.append(answer)
        elif isinstance(answer, wire.Ack) and (answer.attempt, answer.seq) == (attempt, seq):
            return refused


def assert_all_is_shown(server: Running, client: httpx.Client) -> None:
    runs = client.get(f"{server.url}/api/v1/runs")
    assert runs.status_code == client.get(f"{server.url}/metrics").status_code == 200
    for run in runs.json()["runs"]:
        for path in ("", "/layers", "/findings", "/heatmap?statistic=pre_rms"):
            shown = client.get(f"{server.url}/api/v1/runs/{run['id']}{path}")
            assert shown.status_code < 500, path


def test_no_field_makes_the_server_fail_whatever_it_holds(
    server: Running, client: httpx.Client
) -> None:
    before, refused = rows(server), 0
    helper = Trainer(run=RUN, attempt="sentinels")
    with connect(f"{server.ws}/api/v1/ingest") as socket:
        socket.send(helper.run_start())
        for few in batched(every_field_replaced(), 200):
            for data in few:
                socket.send(data)
            socket.send(helper.notice())
            refused += len(answers_up_to(socket, "sentinels", helper.seq))
            assert_all_is_shown(server, client)

    assert server.service.counters.commit_failures == 0
    assert before <= rows(server)
    assert 1_000 < refused < 0.9 * len(list(every_field_replaced()))


def test_no_message_makes_the_server_fail_or_changes_what_is_stored(
    server: Running, client: httpx.Client
) -> None:
    counters = server.service.counters
    counted = dict(counters.messages)

    @bounded
    @given(data=st.one_of(with_another_field(), with_other_bytes()))
    def check(data: bytes) -> None:
        before = rows(server)
        with connect(f"{server.ws}/api/v1/ingest") as socket:
            socket.send(data)
            answer = read(socket.recv(timeout=10))

        assert isinstance(answer, wire.Ack | wire.Refuse)
        assert counters.commit_failures == 0
        assert before <= rows(server)
        if isinstance(answer, wire.Ack):
            assert_all_is_shown(server, client)

    check()

    # Were all of one kind, the check would say little.
    assert counters.messages["stored"] > counted["stored"] + 3
    assert counters.messages["refused"] > counted["refused"] + 3


@bounded
@given(data=st.one_of(st.text(max_size=100), st.binary(max_size=100)))
def test_no_subscription_makes_the_server_fail(server: Running, data: str | bytes) -> None:
    with connect(f"{server.ws}/api/v1/live") as viewer:
        viewer.send(data)
        with pytest.raises(ConnectionClosed) as closed:
            viewer.recv(timeout=10)

    assert closed.value.rcvd.code == 1008
