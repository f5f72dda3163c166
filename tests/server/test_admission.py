"""What may enter, and that everything else is refused with a reason."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainstage import wire
from gainstage.outcome import Contestant
from gainstage_server.admission import MAX_ENTRIES, MAX_TEXT, Admitted, admit
from gainstage_server.catalogue import Catalogue
from gainstage_server.commit import Committer
from gainstage_server.entrance import Outcome, Sent
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store.records import Key, Stream
from gainstage_server.store.sqlite import SQLiteStore

from .fold import NoFold
from .trainer import Trainer


@pytest.fixture
def caps() -> Settings:
    return Settings(disk_floor=0, name_length=64, rows=10)


@pytest.fixture
def committer(caps: Settings, store: SQLiteStore) -> Committer:
    return Committer(caps, store, NoFold(), Runs(store, 60.0))


Make = Callable[[Trainer], list[bytes]]


def header(message: object, **changes: object) -> bytes:
    """A message whose header is `changes` away from an honest one."""
    fields = msgspec.to_builtins(message) | changes
    return raw_header(msgspec.msgpack.encode(fields))


def raw_header(data: bytes) -> bytes:
    start = wire.PREFIX.pack(wire.MAGIC, wire.VERSION, len(data)) + data
    return start + bytes(-len(start) % wire.ALIGNMENT)


def nested(depth: int) -> dict:
    return {"x": nested(depth - 1)} if depth else {}


LONG = "n" * 65
MANY = tuple("t" for _ in range(MAX_ENTRIES + 1))


def bad_start(**changes: object) -> Make:
    return lambda trainer: [trainer.run_start(**changes)]


def bad_schema(**changes: object) -> Make:
    return lambda trainer: [trainer.run_start(), trainer.schema(**changes)]


def bad_row(**changes: object) -> Make:
    row = {"id": "r", "path": "p", "kind": "Dense"} | changes
    return bad_schema(rows=(wire.Row(**row),), blocks={})


def bad_frame(step: int = 1, **changes: object) -> Make:
    return lambda trainer: [*trainer.opening(), trainer.frame(step, **changes)]


def wrong_shape(trainer: Trainer) -> list[bytes]:
    messages = trainer.opening()
    trainer.rows += 1
    return [*messages, trainer.frame(1)]


def wrong_block(trainer: Trainer) -> list[bytes]:
    messages = trainer.opening()
    frame = wire.decode(trainer.frame(1))[0]
    return [*messages, wire.encode(frame, {"units": np.zeros((3, 1), np.float32)})]


def one_block_twice(trainer: Trainer) -> list[bytes]:
    messages = trainer.opening()
    frame, blocks = wire.decode(trainer.frame(1))
    frame = msgspec.structs.replace(frame, blocks=frame.blocks * 2)
    body = blocks["layers"].tobytes()
    return [*messages, header(frame) + body + bytes(-len(body) % 8)]


def impossible_shape(trainer: Trainer) -> list[bytes]:
    messages = trainer.opening()
    frame = wire.decode(trainer.frame(1))[0]
    block = wire.Block("layers", (0, 2**63, 2**63), 0)
    return [*messages, header(msgspec.structs.replace(frame, blocks=(block,)))]


def bad_trial(**changes: object) -> Make:
    return lambda trainer: [trainer.run_start(), trainer.trial(**changes)]


def trial_of_another_shape(trainer: Trainer) -> list[bytes]:
    message = wire.decode(trainer.trial())[0]
    outcomes = np.zeros((2, 2, 3, 1), np.float32)
    return [trainer.run_start(), wire.encode(message, {wire.OUTCOMES: outcomes})]


def trial_without_outcomes(trainer: Trainer) -> list[bytes]:
    return [trainer.run_start(), wire.encode(wire.decode(trainer.trial())[0])]


def small_mask(trainer: Trainer) -> list[bytes]:
    block = wire.BlockSchema((wire.Column("pre_db", 1),), b"")
    return [trainer.run_start(), trainer.schema(blocks={"layers": block})]


def bad_units(*units: int) -> Make:
    block = wire.BlockSchema((wire.Column("unit_00", 1),), b"\x07", units)
    return lambda trainer: [trainer.run_start(), trainer.schema(blocks={"units": block})]


BAD = {
    "text": lambda trainer: [b"hello, is this thing on?"],
    "nothing": lambda trainer: [b""],
    "another version": lambda trainer: [b"GS\x63\x00" + trainer.run_start()[4:]],
    "a header cut short": lambda trainer: [trainer.run_start()[:20]],
    "no MessagePack": lambda trainer: [raw_header(b"\xc1" * 16)],
    "deep MessagePack": lambda trainer: [raw_header(b"\x81\xa1x" * 100_000)],
    "an unknown type": lambda trainer: [header(wire.Refuse(reason=""), type="pickle")],
    "a message of the server": lambda trainer: [wire.encode(wire.Ack(run="r", attempt="a", seq=0))],
    "a run with a slash": lambda trainer: [Trainer(run="../etc/passwd").run_start()],
    "a run without a name": lambda trainer: [Trainer(run="").run_start()],
    "a long run": lambda trainer: [Trainer(run="r" * 129).run_start()],
    "a run that ends in a new line": lambda trainer: [Trainer(run="r\n").run_start()],
    "an attempt with spaces": lambda trainer: [Trainer(attempt="a 1").run_start()],
    "a negative worker": lambda trainer: [Trainer(worker=-1).run_start()],
    "a huge seq": bad_start(seq=2**63),
    "a time that is none": bad_start(time=float("nan")),
    "a time that no calendar knows": bad_start(time=1e300),
    "a long project": bad_start(project=LONG),
    "a long tag": bad_start(tags=(LONG,)),
    "too many tags": bad_start(tags=MANY),
    "a deep configuration": bad_start(config=nested(17)),
    "a large configuration": bad_start(config={"x": [0] * 10_001}),
    "bytes in the configuration": bad_start(config={"x": b"\x00"}),
    "numbers for keys": bad_start(config={"x": {1: 2}}),
    "a schema before the run_start": lambda trainer: [trainer.schema()],
    "too many rows": lambda trainer: [trainer.run_start(), Trainer(rows=11).schema(seq=1)],
    "one row twice": bad_schema(rows=(wire.Row(id="r", path="p", kind="Dense"),) * 2, blocks={}),
    "a long path": bad_row(path=LONG),
    "a long activation": bad_row(activation=LONG),
    "a long dtype": bad_row(dtype=LONG),
    "an input from nowhere": bad_row(inputs=(1,)),
    "bytes among the arguments": bad_row(arguments={"x": b"\x00"}),
    "a long block": bad_schema(blocks={LONG: wire.BlockSchema((), b"")}),
    "a long statistic": bad_schema(
        blocks={"layers": wire.BlockSchema((wire.Column(LONG, 1),), b"\x07")}
    ),
    "a mask that is too small": small_mask,
    "units of some rows": bad_units(1, 1),
    "a negative number of units": bad_units(1, 1, -1),
    "a long optimizer": bad_schema(
        training=wire.Training(backend="jax", keras="3", optimizer=LONG)
    ),
    "a frame before its schema": lambda trainer: [trainer.run_start(), trainer.frame(1, schema=7)],
    "a frame of a schema beyond all databases": bad_frame(schema=2**64 - 1),
    "a frame of a negative schema": bad_frame(schema=-(2**63)),
    "a frame of a schema that is no number": bad_frame(schema=True),
    "a frame of another shape": wrong_shape,
    "a block that the schema does not name": wrong_block,
    "one block twice": one_block_twice,
    "a shape that no array has": impossible_shape,
    "a negative step": bad_frame(step=-1),
    "a step beyond JavaScript": bad_frame(step=2**53 + 1),
    "a long log": bad_frame(logs={LONG: 0.0}),
    "too many logs": bad_frame(logs={str(index): 0.0 for index in range(MAX_ENTRIES + 1)}),
    "a long notice": lambda trainer: [trainer.run_start(), trainer.notice("n" * (MAX_TEXT + 1))],
    "a long code": lambda trainer: [trainer.run_start(), trainer.notice(code=LONG)],
    "a trial of an attempt that has not begun": lambda trainer: [trainer.trial()],
    "a trial of nothing": bad_trial(contestants=()),
    "a trial without seeds": bad_trial(seeds=()),
    "one contestant twice": bad_trial(contestants=(Contestant("nothing"),) * 2),
    "a trial without a loss": bad_trial(columns=("accuracy", "auc")),
    "a negative step of a trial": bad_trial(steps=(-1, 0, 1)),
    "too many seeds": bad_trial(seeds=tuple(range(MAX_ENTRIES + 1))),
    "a negative strength": bad_trial(contestants=(Contestant("kernel", -1.0),)),
    "a strength that is no number": bad_trial(contestants=(Contestant("kernel", float("nan")),)),
    "too many outcomes": bad_trial(seeds=tuple(range(256)), steps=tuple(range(256))),
    "a long arm": bad_trial(contestants=(Contestant(LONG),)),
    "a long layer of a trial": bad_trial(layer=LONG),
    "a long column": bad_trial(columns=("loss", LONG)),
    "a trial of another shape": trial_of_another_shape,
    "a trial without outcomes": trial_without_outcomes,
    "negative counts": lambda trainer: [trainer.run_start(), trainer.run_end(frames=-1)],
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_a_bad_message_is_refused_and_the_store_left_as_it_was(
    make: Make, committer: Committer, store: SQLiteStore
) -> None:
    *before, bad = make(Trainer())

    outcomes = committer.commit([Sent(data) for data in (*before, bad)]).outcomes

    assert not any(isinstance(outcome, wire.Refuse) for outcome in outcomes[:-1])
    assert isinstance(outcomes[-1], wire.Refuse)
    assert len(outcomes[-1].reason) > 20
    stored = [
        store.messages("canonical", type, newest=9)
        for type in ("run_start", "schema", "notice", "trial")
    ]
    assert sum(map(len, stored)) == len(before)
    assert store.sizes() == {}  # no frame either


def test_the_cap_on_a_message_is_exact(caps: Settings, store: SQLiteStore) -> None:
    message = Trainer().run_start(config={"x": "y" * 2_000})
    catalogue = Catalogue(store)

    fits = caps.model_copy(update={"message_bytes": len(message)})
    small = caps.model_copy(update={"message_bytes": len(message) - 1})

    assert isinstance(admit(message, fits, catalogue), Admitted)
    refused = admit(message, small, catalogue)
    assert isinstance(refused, wire.Refuse)
    assert (
        refused.reason
        == f"A message has at most {len(message) - 1} bytes. Received: {len(message)}."
    )


def test_a_refusal_names_the_message_where_it_could_be_read(
    caps: Settings, store: SQLiteStore
) -> None:
    trainer = Trainer()
    trainer.run_start()

    refused = admit(trainer.notice(), caps, Catalogue(store))

    assert isinstance(refused, wire.Refuse)
    assert refused.seq == 1


def test_a_refusal_names_what_it_could_not_read_as_a_whole(
    caps: Settings, store: SQLiteStore
) -> None:
    trainer = Trainer()
    trainer.opening()
    frame = trainer.frame(1)
    small = caps.model_copy(update={"message_bytes": len(frame) - 1})
    cut, of_another_version = frame[:-8], frame[:2] + b"\x02" + frame[3:]

    refused = [
        admit(frame, small, Catalogue(store)),
        admit(cut, caps, Catalogue(store)),
        admit(of_another_version, caps, Catalogue(store)),
    ]

    assert [refusal.seq for refusal in refused] == [2, 2, None]
    assert "bring trainer and server to the same release" in refused[-1].reason


def test_one_run_more_than_the_cap_is_refused_and_known_ones_go_on(
    caps: Settings, store: SQLiteStore
) -> None:
    runs = Runs(store, 60.0)
    committer = Committer(caps.model_copy(update={"runs": 2}), store, NoFold(), runs)
    starts = [Trainer(run=name).run_start() for name in ("one", "two", "two", "three")]

    committed = committer.commit([Sent(start) for start in starts])
    runs.apply(committed)
    more = [Trainer(run="one", attempt="a2").run_start(), starts[3]]
    again = committer.commit([Sent(start) for start in more])

    assert [isinstance(outcome, wire.Refuse) for outcome in committed.outcomes] == [0, 0, 0, 1]
    assert [isinstance(outcome, wire.Refuse) for outcome in again.outcomes] == [0, 1]
    assert "GAINSTAGE_RUNS" in again.outcomes[1].reason
    assert again.outcomes[1].seq == 0


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("taken", [0, 2])
def test_a_schema_in_the_place_of_another_message_is_none(
    caps: Settings, store: SQLiteStore, taken: int, together: bool
) -> None:
    runs, trainer = Runs(store, 60.0), Trainer()
    committer = Committer(caps, store, NoFold(), runs)
    before = [*trainer.opening(), trainer.frame(10)]
    trainer.seq = taken - 1
    schema = trainer.schema()
    trainer.seq = 2
    messages = [*before, schema, trainer.frame(20, schema=taken)]

    outcomes: list[Outcome] = []
    for batch in [messages] if together else [[message] for message in messages]:
        committed = committer.commit([Sent(message) for message in batch])
        runs.apply(committed)
        outcomes += committed.outcomes

    assert [getattr(one, "seq", None) for one in outcomes] == [0, 1, 2, taken, 3]
    refused = outcomes[-1]
    assert isinstance(refused, wire.Refuse)
    assert f"refers to schema {taken}, which is unknown" in refused.reason


def test_a_refusal_shows_little_of_an_endless_name(caps: Settings, store: SQLiteStore) -> None:
    refused = admit(Trainer(run="x" * 100_000).run_start(), caps, Catalogue(store))

    assert isinstance(refused, wire.Refuse)
    assert len(refused.reason) < 300


@given(data=st.binary(max_size=200))
def test_no_bytes_are_beyond_refusing(data: Any) -> None:
    refused = admit(data, Settings(disk_floor=0), NothingKnown())

    assert isinstance(refused, wire.Refuse)


@given(place=st.integers(0, 399), byte=st.integers(0, 255))
def test_a_flipped_byte_is_refused_or_read_but_never_raises(place: int, byte: int) -> None:
    data = bytearray(Trainer().run_start(config={"x": "y" * 400}))
    data[place] = byte

    assert admit(bytes(data), Settings(disk_floor=0), NothingKnown())


class NothingKnown:
    """A catalogue without attempts."""

    def attempt(self, stream: Stream) -> None:
        return None

    def layout(self, key: Key) -> None:
        return None
