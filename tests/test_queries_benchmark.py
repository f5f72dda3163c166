"""The benchmark of queries in its short form: that it measures what it says."""

import json
import re

import pytest
from benchmarks import __main__ as every
from benchmarks import queries


def test_every_view_is_measured_beside_its_limit_and_the_run_is_gone_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []
    original = queries.store_at

    def store_at(database: str) -> queries.Store:
        store = original(database)
        close = store.close

        def closed() -> None:
            left.append(len(store.runs()) + len(store.backlogs(quiet_since=0.0)))
            close()

        monkeypatch.setattr(store, "close", closed)
        return store

    monkeypatch.setattr(queries, "store_at", store_at)

    queries.main(["--short", "--json"])

    told = json.loads(capsys.readouterr().out)
    assert (told["layers"], told["steps"], told["frames"], left) == (10, 20_000, 400, [0])
    assert [answer["limit_ms"] for answer in told["answers"]] == [300, 50, 200]
    assert all(answer["first_ms"] > 0 < answer["median_ms"] for answer in told["answers"])
    sizes = told["bytes_a_value"]
    assert sizes["without_rollups"] < sizes["chunks"] < sizes["raw"] == 4


def test_a_disk_without_room_is_told_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "SPARE_BYTES", 2**60)

    with pytest.raises(SystemExit):
        queries.main(["--short"])

    assert re.search(r"needs 1073741824 GiB free. Set TMPDIR", capsys.readouterr().err)


def test_a_view_holds_where_the_first_answer_is_fast_enough_too() -> None:
    slow, fast = (queries.Answer("view", 50.0, first, 10.0) for first in (60.0, 40.0))

    assert (slow.held, fast.held) == (False, True)


def test_benchmark_that_has_no_room_keeps_no_other_from_being_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "SPARE_BYTES", 2**60)
    ran: list[list[str]] = []

    gave_up = every.run(
        [("queries", queries.main, ["--short"]), ("other", ran.append, ["--given"])]
    )

    assert (gave_up, ran) == (["queries"], [["--given"]])
    assert "GiB free. Set TMPDIR" in capsys.readouterr().err
