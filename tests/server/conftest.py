import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.postgresql import Cluster, cluster

from gainstage_server.app import create_server
from gainstage_server.service import Service
from gainstage_server.settings import Settings
from gainstage_server.store import store_at
from gainstage_server.store.interface import Store

BACKENDS = ("sqlite", "postgresql")


@dataclass
class Running:
    """A server in a thread of this process, on a port of its own."""

    port: int
    service: Service
    stop: Callable[[], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def get(self, path: str, **options: object) -> httpx.Response:
        return httpx.get(self.url + path, **options)


@contextmanager
def running(settings: Settings, **options: object) -> Iterator[Running]:
    """A real uvicorn server for as long as the block lasts."""
    # With its protocol named, as asyncio does for its own: it delays no small packets then.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = create_server(settings, **options)
        thread = threading.Thread(target=server.run, args=([listener],))

        def stop() -> None:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()

        thread.start()
        try:
            port = listener.getsockname()[1]
            while not server.started:
                assert thread.is_alive()
                thread.join(0.005)
            yield Running(port, server._service, stop)
        finally:
            stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    with cluster() as it:
        yield it


@pytest.fixture
def backend() -> str:
    """What is behind the store; a module that overrides this runs its tests over others too."""
    return "sqlite"


@pytest.fixture
def empty_database(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """One that no store has opened yet, as GAINSTAGE_DATABASE names it."""
    if backend == "sqlite":
        yield str(tmp_path / "gainstage.db")
    else:
        with request.getfixturevalue("postgresql").database() as url:
            yield url


def opened_once(database: str) -> str:
    store = store_at(database)
    store.open()
    store.close()
    return database


@pytest.fixture(scope="session")
def opened_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return opened_once(str(tmp_path_factory.mktemp("opened") / "gainstage.db"))


@pytest.fixture(scope="session")
def opened_postgresql(postgresql: Cluster) -> Iterator[str]:
    with postgresql.database() as url:
        yield opened_once(url)


@pytest.fixture
def database(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """One that has its tables and no rows: a copy, as to make them takes longer than most tests."""
    if backend == "sqlite":
        opened = request.getfixturevalue("opened_file")
        yield str(shutil.copy(opened, tmp_path / "gainstage.db"))
    else:
        opened = request.getfixturevalue("opened_postgresql")
        with request.getfixturevalue("postgresql").database(opened) as url:
            yield url


@pytest.fixture
def settings(database: str) -> Settings:
    return Settings(database=database, disk_floor=0)


@pytest.fixture
def server(settings: Settings) -> Iterator[Running]:
    with running(settings) as it:
        yield it


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = store_at(database)
    opened.open()
    yield opened
    opened.close()
