"""SECURITY.md says what a client may send at most, and where that is tested."""

import re
from pathlib import Path

import pytest

from gainstage import wire
from gainstage_server.auth import MAX_BODY_BYTES
from gainstage_server.live import MAX_SUBSCRIPTION
from gainstage_server.settings import Settings

SECURITY = (Path(__file__).parents[2] / "SECURITY.md").read_text()
CAP = re.compile(
    r"^\| ([a-z' ]+) \| ([0-9,]+) \| (?:`GAINSTAGE_(\w+)`)? ?\| `(\S+)::(\w+)` \|$", re.M
)
CAPS = {what: (int(most.replace(",", "")), *rest) for what, most, *rest in CAP.findall(SECURITY)}
# Those that no setting changes.
FIXED = {
    "statistics of a block": wire.MAX_COLUMNS,
    "bytes of a request's body": MAX_BODY_BYTES,
    "characters of a subscription": MAX_SUBSCRIPTION,
}


def test_each_cap_of_the_conventions_is_in_the_table() -> None:
    assert len(CAPS) == 11
    assert FIXED.keys() < CAPS.keys()


@pytest.mark.parametrize("what", CAPS)
def test_a_cap_is_what_the_page_says(what: str) -> None:
    most, setting, _, _ = CAPS[what]

    assert most == (getattr(Settings(), setting.lower()) if setting else FIXED[what])


@pytest.mark.parametrize("what", CAPS)
def test_a_cap_is_reached_in_the_test_that_the_page_names(what: str) -> None:
    *_, file, test = CAPS[what]

    assert f"def {test}(" in (Path(__file__).parent / file).read_text()


def test_every_file_of_tests_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:tests|dashboard)/[\w./]+)`", SECURITY)

    assert len(named) > 15
    assert [path for path in named if not (Path(__file__).parents[2] / path).exists()] == []
