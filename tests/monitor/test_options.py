"""The arguments of `LayerMonitor`: which are taken, and what is said of the others."""

import re
from typing import Any

import pytest

from gainstage import LayerMonitor


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine."""
    for name in ("GAINSTAGE_URL", "GAINSTAGE_TOKEN", "GAINSTAGE_SPOOL"):
        monkeypatch.delenv(name, raising=False)


WRONG: list[tuple[str, Any, str]] = [
    ("url", "localhost:8420", "such as http://127.0.0.1:8420"),
    ("url", "ws://localhost:8420", "such as http://127.0.0.1:8420"),
    ("url", "http://host:port", "such as http://127.0.0.1:8420"),
    ("url", True, "or False for none"),
    ("url", 8420, "or False for none"),
    ("project", "", "1 to 128 characters"),
    ("project", "p" * 129, "1 to 128 characters"),
    ("project", None, "1 to 128 characters"),
    ("project", 7, "1 to 128 characters"),
    ("run", "", "1 to 128 of the characters"),
    ("run", "a" * 129, "1 to 128 of the characters"),
    ("run", "../../etc", "begin with a letter or digit"),
    ("run", "my run", "A-Z a-z 0-9 . _ -"),
    ("run", "run\n", "A-Z a-z 0-9 . _ -"),
    ("run", ".hidden", "begin with a letter or digit"),
    ("run", 5, "1 to 128 of the characters"),
    ("tags", "one", "a list of strings"),
    ("tags", 5, "a list of strings"),
    ("tags", ["one", 2], "a list of strings"),
    ("tags", None, "a list of strings"),
    ("config", [("rate", 0.1)], "a dictionary of plain data"),
    ("config", "rate=0.1", "a dictionary of plain data"),
    ("config", {"model": object()}, "a dictionary of plain data"),
    ("config", {1: "one"}, "words as keys"),
    ("every", 0, "from 1"),
    ("every", -3, "from 1"),
    ("every", 1.5, "from 1"),
    ("every", True, "from 1"),
    ("every", "often", '"auto"'),
    ("every", None, '"auto"'),
    ("overhead", 0, "between 0 and 1"),
    ("overhead", 1.0, "between 0 and 1"),
    ("overhead", -0.1, "between 0 and 1"),
    ("overhead", float("nan"), "between 0 and 1"),
    ("overhead", "1%", "between 0 and 1"),
    ("overhead", True, "between 0 and 1"),
    ("examples", 1, "from 2"),
    ("examples", 0, "from 2"),
    ("examples", 16.0, "from 2"),
    ("examples", True, "from 2"),
    ("include", "dense*", "a list of strings"),
    ("include", [5], "a list of strings"),
    ("exclude", "dense*", "a list of strings"),
    ("exclude", None, "a list of strings"),
    ("spool", 5, "path of a folder"),
    ("on_finding", "print", "a function"),
    ("prometheus_port", 0, "1 to 65535"),
    ("prometheus_port", 65_536, "1 to 65535"),
    ("prometheus_port", "9100", "1 to 65535"),
    ("prometheus_port", True, "1 to 65535"),
]


@pytest.mark.parametrize(
    ("name", "value", "expected"), WRONG, ids=[f"{name}={value!r:.20}" for name, value, _ in WRONG]
)
def test_wrong_argument_is_an_error_that_says_what_was_expected_and_what_came(
    name: str, value: Any, expected: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)) as error:
        LayerMonitor(**{name: value})

    assert f"`{name}`" in str(error.value)
    assert f"Received: {value!r}" in str(error.value)


def test_share_of_the_time_beside_a_number_of_steps_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"Received: every=10, overhead=0\.1\. Leave one out"):
        LayerMonitor(every=10, overhead=0.1)


def test_wrong_token_is_an_error_that_does_not_show_it() -> None:
    token: Any = b"secret"

    with pytest.raises(ValueError, match=r"`token` must be a string. Received: bytes") as error:
        LayerMonitor(token=token)

    assert "secret" not in str(error.value)


def test_wrong_address_in_the_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAINSTAGE_URL", "localhost")

    with pytest.raises(ValueError, match=r"Received: 'localhost'"):
        LayerMonitor()


@pytest.mark.parametrize(
    "right",
    [
        {"url": "https://host/behind/a/proxy"},
        {"run": "a"},
        {"run": "Run-1.2_" + "x" * 120},
        {"tags": ("a", "b")},
        {"config": {"rate": 0.1, "sizes": [1, 2], "deep": {"on": True, "none": None}}},
        {"every": 1},
        {"overhead": 0.999},
        {"examples": 2},
        {"include": []},
        {"spool": "relative"},
        {"on_finding": print},
        {"prometheus_port": 65_535},
    ],
    ids=str,
)
def test_right_argument_is_taken(right: dict[str, Any]) -> None:
    monitor = LayerMonitor(**right)

    assert monitor.run is None
    assert monitor.frames == 0
    assert monitor.findings() == []
    assert monitor.frame() is None
