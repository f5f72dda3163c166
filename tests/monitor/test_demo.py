"""The demo as it is seen on a terminal."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ESCAPES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("the demo's")


@pytest.fixture(scope="module")
def shown(folder: Path) -> list[str]:
    """The lines of one run of the demo, without colours."""
    options = ["--once", "--json", "--port", "0", "--folder", str(folder)]
    ran = subprocess.run(
        [sys.executable, "-m", "gainstage.cli", "demo", *options],
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": "200", "TERM": "xterm"},
        capture_output=True,
        check=True,
        timeout=300,
    )
    # A carriage return at the end belongs to the bar, which draws itself over and over.
    return ESCAPES.sub("", ran.stdout.decode()).split("\n")


def lines_with(text: str, shown: list[str]) -> list[str]:
    return [line for line in shown if text in line]


def test_bar_has_ended_before_the_report_begins(shown: list[str]) -> None:
    reports = lines_with("layers are judged", shown)

    assert [report.startswith("gainstage: ") for report in reports] == [True, True]
    assert not any("Training on" in line for line in lines_with("verdict", shown))


def test_patch_works_and_the_second_run_has_no_finding(shown: list[str]) -> None:
    result: dict[str, Any] = json.loads(next(line for line in reversed(shown) if line))
    findings = [line.split() for line in shown if line.startswith("activity ")]

    assert (result["verdict"], result["frames_stored"]) == ("activity", result["frames_sampled"])
    assert result["accuracy_before"] < 0.2
    assert result["accuracy_after"] > 0.9
    assert ["over" in words for words in findings] == [False]
    assert len(lines_with("nothing to report", shown)) == 1


def test_demo_says_that_its_share_of_the_time_is_not_the_usual_one(shown: list[str]) -> None:
    (line,) = lines_with("share of the training time", shown)

    assert line.startswith("The demo samples every 10 steps")


def test_demo_says_how_to_see_its_runs_again(shown: list[str], folder: Path) -> None:
    (line,) = lines_with("To see both runs again", shown)

    words = shlex.split(line.partition(": ")[2])

    assert words == ["gainstage", "serve", "--database", str(folder / "gainstage.db")]
    assert Path(words[-1]).is_file()


def test_demo_that_ends_at_once_sends_nobody_to_the_server_that_ended_with_it(
    shown: list[str],
) -> None:
    last = [line for line in shown if line][-2:]

    assert [line.partition(":")[0] for line in last] == ["To see both runs again", '{"layer"']
    assert lines_with("Look at it", shown) == []
