"""A skipped test fails in CI, unless no CI machine could run it."""

from pathlib import Path

import pytest

SKIPPED = """
import pytest

def test_left_out():
    pytest.skip({reason!r})
"""
SKIPPED_WHOLE = """
import pytest

pytest.skip({reason!r}, allow_module_level=True)
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("CI", raising=False)
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    return pytester


@pytest.mark.parametrize("source", [SKIPPED, SKIPPED_WHOLE])
def test_skip_fails_in_ci(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    suite.makepyfile(source.format(reason="no mood"))
    monkeypatch.setenv("CI", "true")

    result = suite.runpytest_subprocess()

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*CI must run this test. Skipped: no mood*"])


@pytest.mark.parametrize("source", [SKIPPED, SKIPPED_WHOLE])
def test_skip_passes_outside_ci(suite: pytest.Pytester, source: str) -> None:
    suite.makepyfile(source.format(reason="no mood"))

    assert suite.runpytest_subprocess().parseoutcomes() == {"skipped": 1}


def test_skip_for_want_of_an_engine_passes_in_ci(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.makepyfile(SKIPPED.format(reason="needs a Docker engine"))
    monkeypatch.setenv("CI", "true")

    assert suite.runpytest_subprocess().parseoutcomes() == {"skipped": 1}
