"""The benchmark of delivery in its short form, and that what it looks for can be found."""

import json
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import delivery
from benchmarks.delivery import claims, frames, ingest, live, other, others, report, spool
from benchmarks.delivery.ingest import Ingest
from benchmarks.delivery.live import Viewed
from benchmarks.delivery.trainer import Milliseconds

from gainstage import diagnosis, wire

STORED = Ingest(
    frames=60_000,
    values=40_000,
    bytes=160_400,
    per_second=1_000.0,
    batch=64.0,
    server_ms=1.0,
    sender_ms=0.2,
    raw_per_second=2_000.0,
)
AGES = Milliseconds(frames=1_200, median_ms=20.0, p99_ms=249.0, worst_ms=300.0)
VIEWED = Viewed(
    ages=AGES,
    opening=replace(AGES, p99_ms=900.0),
    runs=100,
    viewers=20,
    scrapes=30,
    scrape_ms=50.0,
    server_cores=0.5,
)
HANDED = Milliseconds(frames=1_200, median_ms=0.9, p99_ms=9.0, worst_ms=20.0)


def outcomes(
    stored: Ingest = STORED, viewed: Viewed = VIEWED, seconds: float = 60.0, layers: int = 1_000
) -> list[str]:
    found = claims.judge(stored, viewed, HANDED, layers=layers, seconds=seconds)
    return [verdict.outcome for verdict in found]


def test_delivery_is_measured_against_a_real_server(capsys: pytest.CaptureFixture[str]) -> None:
    delivery.main(["--short", "--json"])

    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["layers"], found["statistics"]) == (50, 40)
    stored = found["ingest"]
    assert stored["frames"] > 1
    assert stored["share"] == stored["per_second"] / stored["raw_per_second"]
    assert 1 <= stored["batch"] < 1_000
    assert stored["server_ms"] > 0
    viewed = found["viewer"]
    assert (viewed["runs"], viewed["viewers"]) == (4, 4)
    for part, frames_of_each in (("ages", 1), ("opening", live.OPENING)):
        seen = viewed[part]
        assert seen["frames"] == 4 * frames_of_each
        assert 0 < seen["median_ms"] <= seen["p99_ms"] <= seen["worst_ms"] < 60_000
    assert viewed["scrapes"] >= 1
    assert 0 < found["training"]["median_ms"] < 1_000
    assert {claim["outcome"] for claim in found["claims"]} == {"not claimed"}


def test_claims_are_held_against_what_was_measured() -> None:
    slow = replace(STORED, per_second=999.0, raw_per_second=1_999.0)

    assert outcomes() == ["holds"] * 4
    assert outcomes(slow, replace(VIEWED, ages=replace(AGES, p99_ms=250.0))) == [
        *("does not hold", "does not hold", "does not hold", "holds")
    ]


def test_little_is_claimed_of_small_frames_short_times_and_few_runs() -> None:
    assert outcomes(seconds=59.0) == outcomes(layers=999) == ["not claimed"] * 4
    assert outcomes(viewed=replace(VIEWED, runs=99))[2] == "not claimed"


def test_frames_are_those_of_the_network_and_keep_the_diagnosis_busy() -> None:
    messages = frames.Messages("a", 160)
    schema, _ = wire.decode(messages.opening()[1])
    assert isinstance(schema, wire.Schema)
    state = diagnosis.begin(schema)
    before = time.time()

    for seq in range(2, 2 + 2 * len(frames.FRAMES)):
        frame, blocks = wire.decode(messages.next())
        assert isinstance(frame, wire.Frame)
        assert (frame.run, frame.seq) == ("a", seq)
        assert frame.time >= before
        columns = np.concatenate([blocks[name] for name in frames.STATISTICS], axis=1)
        np.testing.assert_array_equal(columns, frames.values(160, seq - 2))
        state, _ = diagnosis.advance(state, frame, blocks)

    assert frames.COUNT == 40
    assert "activity" in {finding.verdict for finding in state.findings if finding.open}


def test_other_tools_are_given_the_values_of_the_frames_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(others, "missing", lambda python: list(others.TOOLS))

    found = others.measure(Path(sys.executable), tmp_path / "o", layers=3, seconds=1)
    assert set(found.values()) == {others.Failed("not installed")}

    names = json.loads((tmp_path / "o" / "names.json").read_text())
    job = other.Job(tmp_path, names, np.load(tmp_path / "o" / "frames.npy"), seconds=60.0)
    steps = dict(job.steps())
    assert len(steps) == other.MOST_FRAMES
    pre = frames.STATISTICS["layers"].index("pre_rms")
    assert steps[18]["network/block_0/dense_2/pre_rms"] == frames.values(3, 2)[2, pre]
    assert not list(replace(job, seconds=0.0).steps())


def test_tool_that_fails_says_so_in_the_table_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(others, "missing", lambda python: ["wandb"])
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        "if sys.argv[1] == 'mlflow': sys.exit('It did not start.')\n"
        'told = \'{"version": "1.2", "values": 4000000, "seconds": 2.0}\'\n'
        "Path(sys.argv[2], 'trackio.json').write_text(told)\n"
    )
    monkeypatch.setattr(others, "SCRIPT", script)

    found = others.measure(Path(sys.executable), tmp_path / "o", layers=3, seconds=1)

    assert found == {
        "mlflow": others.Failed("It did not start."),
        "trackio": others.Logged("1.2", values=4_000_000, seconds=2.0),
        "wandb": others.Failed("not installed"),
    }
    ends = [line[-26:] for line in report.beside(found, STORED).splitlines()[1:]]
    assert ends == [
        "       40,000,000        1",
        "It did not start.        -",
        "        2,000,000     0.05",
        "    not installed        -",
    ]


def test_tools_that_an_interpreter_has_not_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(others, "TOOLS", {"json": "", "no_such_tool": ""})

    assert others.missing(Path(sys.executable)) == ["no_such_tool"]


def test_frame_that_was_acknowledged_and_not_stored_is_found_out(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    with sqlite3.connect(store) as database:
        database.execute("CREATE TABLE frames (raw BLOB)")
        database.execute("INSERT INTO frames VALUES (x'00')")
    database.close()

    ingest.check(store, acknowledged=1)
    with pytest.raises(RuntimeError, match="2 frames were acknowledged, 1 are stored"):
        ingest.check(store, acknowledged=2)


def test_spool_that_is_full_is_thinned_opened_and_sent(tmp_path: Path) -> None:
    told = spool.measure(tmp_path / "run.spool", 2**23, beyond=20).splitlines()

    assert told[3].split(" messages in ")[1].startswith("0.01 GiB, ")
    assert int(told[3].split(", ")[-1].split()[0]) >= 20
    assert list(tmp_path.iterdir()) == []
