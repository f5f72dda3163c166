"""The store on either database: one row a message, all of a transaction or nothing of it."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from gainstage import wire
from gainstage.finding import Evidence, Finding
from gainstage_server.compaction.axis import Axis
from gainstage_server.compaction.chunk import Chunk, Part
from gainstage_server.store import tables
from gainstage_server.store.interface import Store, StoreError
from gainstage_server.store.past import FETCH
from gainstage_server.store.records import (
    AttemptRecord,
    Checkpoint,
    ChunkRecord,
    FrameRecord,
    Key,
    Mark,
    MessageRecord,
    RefusedRecord,
    RunRecord,
    Span,
    Stream,
)

from .conftest import BACKENDS
from .stored import add, frame, framed

STREAM = Stream("run", "a1", 0)
LATER = Stream("run", "a2", 0)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def message(seq: int, type: str = "schema") -> MessageRecord:
    return MessageRecord("run", "a1", 0, seq, type, float(seq), b"raw%d" % seq)


def run(**changes: object) -> RunRecord:
    fields = {
        "run": "run",
        "project": "p",
        "tags": ("t",),
        "config": {"lr": math.inf},
        "environment": {},
        "started": 1.0,
        "attempt": "a1",
        "attempt_started": 1.0,
        "last_seen": 2.0,
        "logs": {"loss": 1.5},
    }
    return RunRecord(**fields | changes)


def finding(id: str = "f", **changes: object) -> Finding:
    fields = {"row": "r", "layer": "l", "verdict": "activity", "severity": "warning"}
    return Finding(id=id, since_step=1, last_step=2, **fields | changes)


def test_newest_seq_of_a_stream_is_that_of_a_frame_or_of_another_message(store: Store) -> None:
    newest = [store.newest([STREAM])]
    for messages, frames in (([], [frame(5), frame(3)]), ([message(7)], []), ([], [frame(6)])):
        with store.write() as transaction:
            transaction.hold({"run": None})
            transaction.add(messages, frames)
        newest.append(store.newest([LATER, STREAM]))

    assert newest == [{STREAM: -1}, *({LATER: -1, STREAM: seq} for seq in (5, 7, 7))]


def test_what_is_asked_of_no_stream_is_nothing(store: Store) -> None:
    with store.write() as transaction:
        transaction.add([message(1)], [frame(2)])

    assert store.newest([]) == {}
    assert store.attempts_among([]) == []
    assert [*store.messages_at([])] == [*store.checkpoints([])] == [*store.frames_behind({})] == []


def test_messages_are_read_by_their_keys_and_no_others(store: Store) -> None:
    with store.write() as transaction:
        transaction.add([message(1), message(2), message(1)._replace(attempt="a2")], [frame(3)])
    asked = [Key(*STREAM, 1), Key(*LATER, 1), Key(*LATER, 2), Key(*STREAM, 3)]

    found = dict(store.messages_at(asked))

    assert found == {Key(*STREAM, 1): message(1).raw, Key(*LATER, 1): message(1).raw}


def test_frames_behind_a_seq_come_stream_by_stream_and_in_order(store: Store) -> None:
    frames = [frame(seq, attempt=attempt) for seq in (4, 2, 3, 1) for attempt in ("a2", "a1", "a3")]
    with store.write() as transaction:
        transaction.add([], frames)

    found = store.frames_behind({STREAM: 2, LATER: -1})

    assert [(it.attempt, it.seq) for it in found] == [
        *(("a1", seq) for seq in (3, 4)),
        *(("a2", seq) for seq in (1, 2, 3, 4)),
    ]


def test_only_what_was_not_stored_counts_as_new(store: Store) -> None:
    assert add(store, frame(1), frame(2)) == {Key("run", "a1", 0, 1), Key("run", "a1", 0, 2)}
    assert add(store, frame(2, raw=b"other"), frame(3)) == {Key("run", "a1", 0, 3)}

    assert [record.raw for record in store.frames_after(STREAM, 0)] == [b"raw1", b"raw2", b"raw3"]


def test_messages_of_a_part_of_a_stream_are_those_from_its_first_to_its_last(store: Store) -> None:
    with store.write() as transaction:
        transaction.add([message(seq) for seq in range(4)], [frame(seq) for seq in range(4, 8)])

    assert [record.seq for record in store.messages_of(STREAM, 1, 2)] == [1, 2]
    assert [record.seq for record in store.messages_of(STREAM)] == [0, 1, 2, 3]
    assert [record.seq for record in store.frames_after(STREAM, 4, 6)] == [5, 6]


def test_the_same_seq_of_another_attempt_or_worker_is_another_frame(store: Store) -> None:
    assert len(add(store, frame(1), frame(1, attempt="a2"), frame(1, worker=1))) == 3


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    def fail_halfway() -> None:
        with store.write() as transaction:
            transaction.add([message(1)], [frame(2)])
            transaction.put_runs([run()])
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_halfway()

    assert store.runs() == []
    assert store.message(Key(*STREAM, 1)) is None


def test_a_fault_of_the_database_is_named_as_one_of_the_store(store: Store) -> None:
    with pytest.raises(StoreError, match="failed"), store.write() as transaction:
        transaction.add([], [frame(1, raw=None)])


def test_every_key_begins_with_the_run() -> None:
    keys = {table.name: next(iter(table.primary_key)).name for table in tables.OF_RUNS}

    assert set(keys.values()) == {"run"}
    assert tables.metadata.tables.keys() - keys == {"tokens"}


def test_the_document_on_scaling_distributes_every_table() -> None:
    document = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()

    distributed = re.findall(r"create_distributed_table\('(\w+)', 'run'", document)

    assert sorted(distributed) == sorted(table.name for table in tables.OF_RUNS)


def test_a_run_comes_back_as_it_was_stored_non_finite_numbers_too(store: Store) -> None:
    with store.write() as transaction:
        transaction.put_runs([run()])
        transaction.put_runs([run(step=7, verdicts=("healthy", ""))])

    assert store.runs() == [run(step=7, verdicts=("healthy", ""))]


def test_a_store_says_how_large_it_is_and_grows(store: Store) -> None:
    before = store.size_bytes()
    # Zeros would be compressed.
    noise = np.random.default_rng(0).bytes(2**20)
    add(store, *(frame(seq, raw=noise) for seq in range(4)))

    assert 0 < before < store.size_bytes()


def test_attempts_come_in_the_order_in_which_they_began(store: Store) -> None:
    late = AttemptRecord(run="run", attempt="a2", worker=0, started=9.0)
    early = AttemptRecord(run="run", attempt="a1", worker=0, started=1.0, frames=3)
    with store.write() as transaction:
        transaction.put_attempts([late, early])

    assert store.attempts("run") == [early, late]
    assert store.attempts_among([STREAM, Stream("run", "a3", 0)]) == [early]


def test_a_finding_takes_the_place_of_the_one_with_its_id(store: Store) -> None:
    opened = finding(evidence={"pre_db": Evidence(math.nan, 3.0, "dB")})
    with store.write() as transaction:
        transaction.put_findings(STREAM, [opened, finding("g")])
        transaction.put_findings(STREAM, [finding("g", closed_step=9)])

    assert [found.id for found in store.open_findings()["run"]] == ["f"]
    assert {found.id: found.closed_step for found in store.findings("run")} == {"f": None, "g": 9}
    assert math.isnan(store.open_findings()["run"][0].evidence["pre_db"].value)


def test_findings_of_one_stream_can_be_forgotten(store: Store) -> None:
    with store.write() as transaction:
        transaction.put_findings(STREAM, [finding("f")])
        transaction.put_findings(LATER, [finding("g")])
        transaction.drop_findings(STREAM)

    assert [found.id for found in store.findings("run")] == ["g"]


def test_a_checkpoint_takes_the_place_of_the_last_one(store: Store) -> None:
    old = Checkpoint(**STREAM._asdict(), seq=1, schema=0, state=b"old")
    new = Checkpoint(**STREAM._asdict(), seq=9, schema=0, state=b"new")
    with store.write() as transaction:
        transaction.put_checkpoint(old)
        transaction.put_checkpoint(new)

    assert [*store.checkpoints([LATER, STREAM])] == [new]


def mark(**changes: object) -> Mark:
    return Mark(**{"run": "run", "finding": "f", "state": "muted", "time": 5.0} | changes)


def test_a_mark_takes_the_place_of_the_last_one_and_outlives_the_findings_of_a_stream(
    store: Store,
) -> None:
    with store.write() as transaction:
        transaction.put_findings(STREAM, [finding("f")])
        transaction.put_mark(mark(state="acknowledged"))
        transaction.put_mark(mark())
        transaction.put_mark(mark(finding="g"))
        transaction.drop_mark("run", "g")
        transaction.put_mark(mark(run="other"))
        transaction.drop_findings(STREAM)

    assert store.marks(["run"]) == [mark()]
    assert store.marks() == [mark(), mark(run="other")]


def chunk_of(stream: Stream, seq: int) -> tuple[ChunkRecord, Chunk]:
    """A chunk of one frame, of no schema that there is."""
    axis = Axis(np.array([seq]), np.array([0]), np.array([0.0]), {})
    record = ChunkRecord(*stream, seq, 1, "probe", 0, 0, seq, 0.0, 1, 1, 1, 4, axis.dump())
    return record, Chunk(axis, b"logs", [Part(1, 0, 0, b"data")], [b"left"])


def test_a_run_leaves_every_table_and_the_others_stay(store: Store) -> None:
    def fill(name: str) -> None:
        stream = Stream(name, "a1", 0)
        attempt = AttemptRecord(run=name, attempt="a1", worker=0, started=1.0)
        checkpoint = Checkpoint(**stream._asdict(), seq=1, schema=0, state=b"")
        refused = RefusedRecord(
            **stream._asdict(), id=len(name), time=0.0, seq=None, reason="No.", size=0, raw=b""
        )
        with store.write() as transaction:
            transaction.add([message(1)._replace(run=name)], [frame(2, run=name)])
            transaction.put_runs([run(run=name)])
            transaction.put_attempts([attempt])
            transaction.put_findings(stream, [finding()])
            transaction.put_checkpoint(checkpoint)
            transaction.put_mark(mark(run=name))
            transaction.put_refused([refused])
            assert transaction.compact([chunk_of(stream, 2)], instead_of=None)

    def held() -> set[tuple[str, str]]:
        with store._reader.begin() as connection:
            return {
                (table.name, run)
                for table in tables.OF_RUNS
                for run in connection.execute(select(table.c.run)).scalars()
            }

    names = [table.name for table in tables.OF_RUNS]
    fill("run")
    fill("other")
    assert held() == {(name, run) for name in names for run in ("run", "other")}

    with store.write() as transaction:
        transaction.drop_run("run")

    assert held() == {(name, "other") for name in names}


def test_the_newest_frame_is_a_probes_and_of_the_schema_that_is_asked_for(
    store: Store,
) -> None:
    assert store.newest_frame(Key(*STREAM, 5)) is None

    add(store, frame(7, schema=5), frame(8, schema=5), frame(9, schema=5, source="validation"))
    add(store, frame(10, schema=1))

    assert store.newest_frame(Key(*STREAM, 5)) == b"raw8"


def test_of_many_messages_the_newest_come_oldest_first(store: Store) -> None:
    with store.write() as transaction:
        transaction.add([message(seq, "notice") for seq in range(5)], [])

    assert store.messages("run", "notice", newest=2) == [b"raw3", b"raw4"]


def test_frames_of_a_span_are_found_by_their_steps(store: Store) -> None:
    attempt = AttemptRecord(run="run", attempt="a1", worker=0, started=1.0)
    with store.write() as transaction:
        transaction.put_attempts([attempt])
    add(store, framed(1, 0), framed(2, 20), framed(3, 10), framed(4, 5, source="validation"))
    add(store, framed(1, 15, "a2"), framed(2, 25, "a2"))
    spans = [Span(STREAM, 0, 15), Span(LATER, 15, 20)]

    with store.past() as past:
        assert past.attempts("run") == [attempt]
        found = [list(past.headers(span)) for span in spans]

    assert found == [[framed(1, 0), framed(3, 10)], [framed(1, 15, "a2")]]


def test_headers_of_frames_are_read_without_their_blocks(store: Store) -> None:
    identity = {"run": "run", "attempt": "a1", "time": 0.0, "schema": 1}
    # One as long as a page of the file or so, and one that takes many.
    written = {
        step: wire.encode(
            wire.Frame(**identity, seq=step, step=step, logs={"loss": 0.5}),
            {"layers": np.ones((rows, 40), np.float32)},
        )
        for step, rows in ((20, 25), (10, 1_000), (30, 1))
    }
    add(store, *(frame(step, step, raw=raw) for step, raw in written.items()))
    validated = wire.encode(wire.Frame(**identity, seq=40, step=15, source="validation"))
    add(store, frame(40, 15, source="validation", raw=validated))

    with store.past() as past:
        headers = list(past.headers(Span(STREAM, 0, 30)))

    assert headers == [
        frame(step, step, raw=written[step][: wire.header_end(written[step])]) for step in (10, 20)
    ]


def test_any_bytes_of_frames_are_read_by_what_their_headers_say(store: Store) -> None:
    identity = {"run": "run", "attempt": "a1", "time": 0.0, "schema": 1}
    blocks = {
        "layers": np.arange(40_000, dtype=np.float32).reshape(1_000, 40),
        "gradients": np.arange(3_000, dtype=np.float32).reshape(1_000, 3),
    }
    # More than are read at once; every second one lacks a block.
    written = [
        wire.encode(
            wire.Frame(**identity, seq=step, step=step),
            blocks if step % 2 else {"layers": blocks["layers"]},
        )
        for step in range(FETCH + 3)
    ]
    add(store, *(frame(step, step, raw=raw) for step, raw in enumerate(written)))

    def rows(found: FrameRecord) -> dict[str, range]:
        header = wire.decode_header(found.raw)
        assert isinstance(header, wire.Frame)
        places = {place.name: place for place in header.blocks if found.step != 2}
        return {name: wire.rows_at(found.raw, place, 998, 1_000) for name, place in places.items()}

    with store.past() as past:
        cut = list(past.cut(Span(STREAM, 0, 999), rows))

    last = {name: block[998:].tobytes() for name, block in blocks.items()}
    assert [found.step for found, _ in cut] == list(range(FETCH + 3))
    assert cut[1][1] == last
    assert cut[2][1] == {}
    assert cut[FETCH][1] == {"layers": last["layers"]}
    assert cut[FETCH + 1][1] == last
