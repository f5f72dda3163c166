"""The benchmark of the diagnosis in its short form: that it measures what it says."""

import json

import pytest
from benchmarks import fold


def test_cost_of_a_frame_is_printed_by_layers_and_open_findings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    short = ["--rounds", "1", "--frames", "2"]

    fold.main([*short, "--json"])
    costs = json.loads(capsys.readouterr().out)["costs"]
    fold.main(short)
    table = capsys.readouterr().out.splitlines()

    shown = [(cost["layers"], cost["findings"]) for cost in costs]
    assert shown == [(10, 0), (10, 5), (100, 0), (100, 50), (1_000, 0), (1_000, 50)]
    assert all(cost["ms"] > 0 and cost["operations"] > 0 for cost in costs)
    # Findings are words, and all of them are kept; those of healthy layers are none.
    assert costs[-1]["state_kb"] > costs[-2]["state_kb"] + 50
    assert len(table) == 2 + 1 + len(costs)


def test_least_of_the_rounds_leaves_out_what_else_the_machine_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 8.0, 10.0, 14.0, 20.0, 26.0])
    monkeypatch.setattr(fold, "thread_time", lambda: next(clock))

    assert fold.least(lambda: None, rounds=3, times=2) == 2.0
