from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .plans import Plan
from .processes import Server
from .proxy import Proxy

Planning = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Planning:
    """`planned(url, ...)` is a `Plan` whose files lie in the test's folder."""

    def make(url: str, **others: Any) -> Plan:
        places = {"folder": tmp_path / "spool", "journal": tmp_path / "journal"}
        return Plan(**{"url": url} | places | others)

    return make


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Server]:
    """One that the test starts, and may kill."""
    with Server(tmp_path / "server") as it:
        yield it


@pytest.fixture
def server(killable: Server) -> Server:
    """One that has been started, and may be killed."""
    killable.start()
    return killable


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that the tests of a module share, and none of them disturbs."""
    with Server(tmp_path_factory.mktemp("server")) as it:
        it.start()
        yield it


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.port) as it:
        yield it
