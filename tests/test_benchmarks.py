"""The short forms of the benchmarks: that they run and say what they measure."""

import json
from typing import Any

import pytest
from benchmarks import diagnosis, ingest, overhead


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_overhead_is_measured_for_every_workload_and_every_way_to_watch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    overhead.main(["--rounds", "1", "--steps", "30", "--json"])

    found = printed(capsys)
    assert list(found) == [workload.name for workload in overhead.WORKLOADS]
    for arms in found.values():
        assert list(arms) == [
            "plain",
            "gainstage, auto",
            "gainstage, every 20",
            "predict, every 20",
        ]
        assert arms["plain"]["ratio"] == 1.0
        assert all(arm["ratio"] > 0 for arm in arms.values())


def test_diagnosis_is_held_against_the_verdict_that_fits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    diagnosis.main(["--data", "wine", "--cases", "canonical", "healthy", "--json"])

    found = printed(capsys)
    assert [(row["expected"], row["found"]) for row in found["rows"]] == [
        ("activity", ["activity"]),
        ("healthy", []),
    ]
    assert found["rows"][0]["patched"] > found["rows"][0]["accuracy"]
    assert (found["right"], found["of"], found["false alarms"]) == (2, 2, 0)


def test_ingest_is_measured_against_a_real_server(capsys: pytest.CaptureFixture[str]) -> None:
    ingest.main(["--seconds", "0.5", "--trainers", "1", "--rows", "10", "--json"])

    assert printed(capsys)["rows"] == 10
