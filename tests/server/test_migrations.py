"""A store of any revision is read by today's code, on either database, with all that it holds."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect, text

from gainstage.finding import Finding
from gainstage_server.compaction.chunk import Part
from gainstage_server.store import store_at, tables
from gainstage_server.store.interface import Store, StoreError
from gainstage_server.store.migrations import migrate, revisions
from gainstage_server.store.records import (
    AttemptRecord,
    Checkpoint,
    ChunkRecord,
    FrameRecord,
    Key,
    Mark,
    RefusedRecord,
    RunRecord,
    Span,
    Stream,
    TokenRecord,
)
from gainstage_server.store.sql import SQLStore

from .conftest import BACKENDS

STREAM = Stream("run", "a1", 0)
IDENTITY = STREAM._asdict()
FINDING = Finding(
    id="f", row="r", layer="l", verdict="activity", severity="warning", since_step=1, last_step=2
)

TOKEN = TokenRecord(
    id="t", hash=b"hash", scope="read", project="p", name="ci", created=1.0, expires=9.0
)

pack = msgspec.msgpack.encode

# Revision -> table -> a row, in the columns that the table has at this revision. A revision that is
# not here has the rows of the one before it.
ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "0001": {
        "runs": {
            "run": "run",
            "project": "p",
            "tags": pack(["t"]),
            "config": pack({"lr": float("inf")}),
            "environment": pack({"python": "3.11"}),
            "started": 1.0,
            "attempt": "a1",
            "attempt_started": 1.0,
            "ended": None,
            "last_seen": 2.0,
            "last_frame": 2.0,
            "step": 7,
            "epoch": 0,
            "frames": 1,
            "schema": 1,
            "layers": 2,
            "logs": pack({"loss": 0.5}),
            "verdicts": pack(["healthy", ""]),
            "worst_saturation": 0.5,
            "mean_saturation": 0.25,
        },
        "attempts": {
            **IDENTITY,
            "started": 1.0,
            "ended": None,
            "status": "running",
            "frames": 1,
            "thinned": 0,
        },
        "messages": {**IDENTITY, "seq": 1, "type": "schema", "time": 1.0, "raw": b"schema"},
        "frames": {
            **IDENTITY,
            "seq": 2,
            "schema": 1,
            "source": "probe",
            "step": 7,
            "time": 2.0,
            "raw": b"frame",
        },
        "findings": {
            "run": "run",
            "id": "f",
            "attempt": "a1",
            "worker": 0,
            "open": True,
            "raw": pack(FINDING),
        },
        "marks": {"run": "run", "finding": "f", "state": "muted", "time": 5.0},
        "refused": {
            **IDENTITY,
            "id": 9,
            "time": 3.0,
            "seq": None,
            "reason": "No.",
            "size": 2,
            "raw": b"??",
        },
        "checkpoints": {**IDENTITY, "seq": 2, "schema": 1, "state": b"state"},
    }
}
CHUNK = ChunkRecord(
    *STREAM,
    seq=3,
    schema=1,
    source="probe",
    first_step=8,
    last_step=9,
    last_seq=4,
    last_time=3.0,
    frames=2,
    finest=1,
    sections=1,
    size=4,
    axis=b"axis",
)
ROWS["0002"] = {
    **ROWS["0001"],
    "runs": {
        **ROWS["0001"]["runs"],
        "worst_excess": None,
        "worst_nonfinite": None,
        "costs": pack({}),
    },
}
ROWS["0003"] = ROWS["0002"] | {
    "frames": ROWS["0001"]["frames"] | {"chunk": None},
    "chunks": {name: value for name, value in CHUNK._asdict().items() if name != "sections"}
    | {"logs": b"logs"},
    "parts": {**IDENTITY, "seq": 3, "factor": 1, "block": 0, "group": 0, "data": b"data"},
}
ROWS["0004"] = ROWS["0003"] | {
    "refused": ROWS["0001"]["refused"] | {"project": "p"},
    "tokens": msgspec.structs.asdict(TOKEN),
}
ROWS["0005"] = ROWS["0004"] | {
    "attempts": ROWS["0001"]["attempts"] | {"first_step": 7, "last_step": 7, "last_seen": 2.0}
}
ROWS["0006"] = ROWS["0005"] | {"sizes": {"run": "run", "bytes": len(b"frame") + CHUNK.size}}
ROWS["0007"] = ROWS["0006"] | {"chunks": CHUNK._asdict() | {"logs": b"logs"}}


def check(store: Store, revision: str) -> None:
    """Everything that the rows of a revision say is read by today's code."""
    later = revision >= "0004"
    assert store.runs() == [
        RunRecord(
            run="run",
            project="p",
            tags=("t",),
            config={"lr": float("inf")},
            environment={"python": "3.11"},
            started=1.0,
            attempt="a1",
            attempt_started=1.0,
            last_seen=2.0,
            last_frame=2.0,
            step=7,
            epoch=0,
            frames=1,
            schema=1,
            layers=2,
            logs={"loss": 0.5},
            verdicts=("healthy", ""),
            worst_saturation=0.5,
            mean_saturation=0.25,
        )
    ]
    assert store.attempts("run") == [
        AttemptRecord(**IDENTITY, started=1.0, frames=1, first_step=7, last_step=7, last_seen=2.0)
    ]
    assert store.message(Key(*STREAM, 1)) == b"schema"
    assert list(store.frames_after(STREAM, 0)) == [
        FrameRecord(*STREAM, 2, 1, "probe", 7, 2.0, b"frame")
    ]
    assert store.open_findings() == {"run": [FINDING]}
    assert store.marks() == [Mark(run="run", finding="f", state="muted", time=5.0)]
    refused = RefusedRecord(
        **IDENTITY,
        id=9,
        time=3.0,
        seq=None,
        reason="No.",
        size=2,
        raw=b"??",
        project="p" if later else None,
    )
    assert store.refused() == [refused]
    assert store.tokens() == ([TOKEN] if later else [])
    assert [*store.checkpoints([STREAM])] == [
        Checkpoint(**IDENTITY, seq=2, schema=1, state=b"state")
    ]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def unopened(empty_database: str) -> SQLStore:
    return store_at(empty_database)


def fill(connection: Connection, revision: str) -> None:
    """Make the tables of `revision`, and put its rows into them."""
    migrate(connection, "test", to=revision)
    held = MetaData()
    held.reflect(connection)
    newest = max(known for known in ROWS if known <= revision)
    for table, row in ROWS[newest].items():
        connection.execute(held.tables[table].insert(), row)


@pytest.mark.parametrize("revision", revisions())
def test_a_store_of_any_revision_is_brought_to_the_newest_with_all_it_holds(
    unopened: SQLStore, revision: str
) -> None:
    with unopened._writer.begin() as connection:
        fill(connection, revision)

    unopened.open()

    check(unopened, revision)
    with unopened.past() as past:
        held = past.chunks(Span(STREAM, 0, 99))
        parts = [part for _, part in past.parts(STREAM, [3], 1, of=(0, [0]))]
    chunked = revision >= "0003"
    assert (held, parts) == (([CHUNK], [Part(1, 0, 0, b"data")]) if chunked else ([], []))
    assert unopened.sizes() == {"run": len(b"frame") + (CHUNK.size if chunked else 0)}
    unopened.close()


def test_rows_stand_in_every_table_of_their_revision(unopened: SQLStore) -> None:
    for revision, rows in ROWS.items():
        with unopened._writer.begin() as connection:
            migrate(connection, "test", to=revision)
            held = set(inspect(connection).get_table_names())
        assert rows.keys() == held - {"alembic_version"}
    unopened.close()


def test_the_newest_revision_has_the_tables_that_the_code_states(store: SQLStore) -> None:
    with store._writer.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_a_missing_column_would_be_noticed(store: SQLStore) -> None:
    with store._writer.begin() as connection:
        connection.execute(text("ALTER TABLE marks DROP COLUMN state"))
        found = compare_metadata(MigrationContext.configure(connection), tables.metadata)

    assert [change[0] for change in found] == ["add_column"]


def test_a_store_that_is_open_is_opened_by_another_as_it_is(store: SQLStore, database: str) -> None:
    other = store_at(database)

    other.open()

    other.close()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "Received 9999. Update this server"),
        ("DROP TABLE alembic_version", "holds tables that Gainstage did not write"),
    ],
)
def test_a_store_that_this_release_cannot_read_is_refused_and_left_as_it_is(
    store: SQLStore, database: str, change: str, told: str
) -> None:
    with store._writer.begin() as connection:
        connection.execute(text(change))
        before = set(inspect(connection).get_table_names())
    other = store_at(database)

    with pytest.raises(StoreError, match=told):
        other.open()

    other.close()
    with store._writer.begin() as connection:
        assert set(inspect(connection).get_table_names()) == before


def test_a_file_from_before_there_were_revisions_is_read_and_gets_what_it_lacks(
    tmp_path: Path,
) -> None:
    store = store_at(str(tmp_path / "old.db"))
    with store._writer.begin() as connection:
        fill(connection, "0001")
        for change in (
            "DROP TABLE alembic_version",
            "DROP TABLE refused",
            "PRAGMA user_version = 1",
        ):
            connection.execute(text(change))

    store.open()

    assert store.marks() == [Mark(run="run", finding="f", state="muted", time=5.0)]
    assert store.refused() == []
    store.close()
