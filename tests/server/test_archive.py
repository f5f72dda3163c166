"""A run leaves a server as a file, is a table for others, and enters another server unchanged."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from click.testing import Result
from pyarrow import csv, parquet
from typer.testing import CliRunner

from gainstage import wire
from gainstage.archive import Archive, ArchivedStream, ArchiveError, packed, streams
from gainstage.cli import app
from gainstage_server.settings import Settings

from .conftest import Running, running
from .trainer import Trainer, send

TOLD = ("findings", "logs", "trials", "series?layer=dense_1&statistic=pre_db&statistic=dead_units")
TABLES = {".parquet": parquet.read_table, ".csv": csv.read_csv}


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN"):
        monkeypatch.delenv(f"GAINSTAGE_{name}", raising=False)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Running]:
    with running(Settings(database=tmp_path / "other.db", disk_floor=0)) as it:
        yield it


def sent_to(server: Running) -> list[bytes]:
    """Sends a run of two attempts, the second of two workers; returns what was sent, in order."""
    sent: list[bytes] = []
    for attempt, worker, begun in (("a1", 0, 1_000.0), ("a2", 0, 2_000.0), ("a2", 1, 2_000.0)):
        trainer = Trainer(attempt=attempt, worker=worker, time=begun)
        messages = trainer.opening()
        messages += [trainer.loud(10 * index) for index in range(6)]
        messages += [trainer.notice(), trainer.run_end(frames=6)]
        assert send(server.ws, messages) == []
        sent += messages
    return sent


def command(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def exported(server: Running, path: Path) -> Path:
    result = command("export", "canonical", path, "--url", server.url)
    assert result.exit_code == 0, result.output
    return path


def test_archive_holds_every_message_as_it_came(server: Running, tmp_path: Path) -> None:
    sent = sent_to(server)

    with Archive(exported(server, tmp_path / "run.gainstage")) as archive:
        read = [archive.read(entry) for entry in archive.entries]

    assert read == sent
    assert streams(archive) == [("a1", 0), ("a2", 0), ("a2", 1)]


def test_import_gives_another_server_the_same_run_and_the_same_diagnosis(
    server: Running, other: Running, tmp_path: Path
) -> None:
    sent_to(server)
    path = exported(server, tmp_path / "run.gainstage")

    results = [command("import", path, "--url", other.url) for _ in range(2)]

    assert [result.stdout for result in results] == ["canonical: 30 messages sent.\n"] * 2
    for told in TOLD:
        here, there = (one.get(f"/api/v1/runs/canonical/{told}").json() for one in (server, other))
        assert here == there
    assert other.get("/api/v1/runs/canonical").json()["frames"] == 18
    again = exported(other, tmp_path / "again.gainstage")
    assert again.read_bytes() == path.read_bytes()


def test_imported_run_may_have_another_name_and_project(
    server: Running, other: Running, tmp_path: Path
) -> None:
    sent_to(server)
    path = exported(server, tmp_path / "run.gainstage")

    command("import", path, "--run", "mine", "--project", "theirs", "--url", other.url)

    assert [(run["id"], run["project"]) for run in other.get("/api/v1/runs").json()["runs"]] == [
        ("mine", "theirs")
    ]
    here = server.get("/api/v1/runs/canonical/series?layer=dense_1&statistic=pre_db").json()
    there = other.get("/api/v1/runs/mine/series?layer=dense_1&statistic=pre_db").json()
    assert here["series"] == there["series"]


def test_refused_messages_of_an_import_are_counted(server: Running, tmp_path: Path) -> None:
    path, trainer = tmp_path / "run.gainstage", Trainer()
    messages = [*trainer.opening(), trainer.frame(0, schema=10**6), trainer.run_end()]
    path.write_bytes(b"".join(packed(messages)))

    result = command("import", path, "--url", server.url)

    assert result.exit_code == 2
    assert result.stderr == "canonical: 3 messages sent. The server refused 1.\n"


def test_import_that_a_server_will_not_have_says_how_much_is_left(
    server: Running, tmp_path: Path
) -> None:
    sent_to(server)
    path = exported(server, tmp_path / "run.gainstage")

    with running(Settings(database=tmp_path / "small.db", disk_floor=0, rows=2)) as small:
        result = command("import", path, "--url", small.url, "--patience", "0.5")

    assert result.exit_code == 2
    assert result.stderr.startswith("canonical: 9 messages of attempt a1 are left.")


@pytest.mark.parametrize("suffix", TABLES)
def test_table_has_a_line_for_each_layer_of_each_sample(
    server: Running, tmp_path: Path, suffix: str
) -> None:
    sent_to(server)

    table: pa.Table = TABLES[suffix](exported(server, tmp_path / f"run{suffix}"))

    assert len(table) == 3 * 6 * 3
    second = table.slice(4, 1).to_pylist()[0]
    assert {name: second[name] for name in ("attempt", "worker", "step", "layer", "row")} == {
        "attempt": "a1",
        "worker": 0,
        "step": 10,
        "layer": "dense_1",
        "row": "row1",
    }
    assert (second["pre_db"], second["log.loss"], second["source"]) == (40.0, 0.5, "probe")


def test_what_a_table_lacks_is_missing_and_what_was_nan_is_nan(
    server: Running, tmp_path: Path
) -> None:
    trainer = Trainer(statistics=("pre_db", "bias_db"))
    exists = np.array([[1, 1], [1, 0], [1, 1]], bool)
    schema = trainer.run_start(), trainer.schema_message()
    blocks = {"layers": wire.BlockSchema(schema[1].blocks["layers"].columns, wire.packed(exists))}
    sparse = wire.encode(msgspec.structs.replace(schema[1], blocks=blocks))
    values = [[1.0, 2.0], [3.0, np.nan], [np.nan, 4.0]]
    send(server.ws, [schema[0], sparse, trainer.frame(0, values)])

    table = parquet.read_table(exported(server, tmp_path / "run.parquet"))

    assert table["bias_db"].to_pylist() == [2.0, None, 4.0]
    assert table["pre_db"].null_count == 0
    np.testing.assert_array_equal(table["pre_db"].to_numpy(), [1.0, 3.0, np.nan])


OPENING = b"".join(packed(Trainer().opening()))
BROKEN = {
    "the mark of its end": OPENING[:-4],
    "a message of": OPENING[:-8],
    "at least one message": bytes(4),
    "messages that can be read": b"".join(packed([b"not a run"])),
    "the first of which starts it": b"".join(packed([Trainer().notice()])),
}


@pytest.mark.parametrize("expected", BROKEN)
def test_file_that_is_no_whole_archive_is_refused_with_what_is_missing(
    tmp_path: Path, expected: str
) -> None:
    path = tmp_path / "run.gainstage"
    path.write_bytes(BROKEN[expected])

    with pytest.raises(ArchiveError, match=expected):
        Archive(path)
    result = command("import", path)

    assert result.exit_code == 2
    assert expected in result.stderr


def test_export_leaves_a_file_that_exists_and_nothing_of_a_download_that_failed(
    server: Running, tmp_path: Path
) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")

    results = [
        command("export", "canonical", there, "--url", server.url),
        command("export", "nothing", tmp_path / "run.csv", "--url", server.url),
        command("export", "canonical", tmp_path / "run.txt", "--url", server.url),
    ]

    assert [result.exit_code for result in results] == [2, 2, 2]
    assert "exists already" in results[0].stderr
    assert "There is no run 'nothing'" in results[1].stderr
    assert "*.gainstage, *.parquet, *.csv" in results[2].stderr
    assert [path for path in tmp_path.iterdir() if ".db" not in path.suffix] == [there]
    assert there.read_text() == "mine"


def test_queue_of_an_archive_gives_what_waits_in_order(tmp_path: Path) -> None:
    path, trainer = tmp_path / "run.gainstage", Trainer()
    path.write_bytes(b"".join(packed([*trainer.opening(), trainer.notice()])))

    with Archive(path) as archive:
        queue = ArchivedStream(archive, ("a1", 0), {})

        assert [seq for seq, _ in queue.after(-1, 2)] == [0, 1]
        queue.remove_through(0)
        queue.remove(1)
        assert [seq for seq, _ in queue.after(-1, 9)] == [2]

    assert (len(queue), queue.refused) == (1, 1)


def test_archive_may_be_read_from_several_threads(tmp_path: Path) -> None:
    path, trainer = tmp_path / "run.gainstage", Trainer()
    messages = [*trainer.opening(), *(trainer.loud(step) for step in range(50))]
    path.write_bytes(b"".join(packed(messages)))

    with Archive(path) as archive, ThreadPoolExecutor(4) as threads:
        read = list(threads.map(archive.read, archive.entries * 40))

    assert read == messages * 40
