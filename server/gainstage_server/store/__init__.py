"""Where everything is kept: one narrow interface, with SQLite or PostgreSQL behind it."""

from pathlib import Path

from gainstage.places import install_command
from gainstage_server.store.interface import Store, StoreError
from gainstage_server.store.sqlite import SQLiteStore

_POSTGRESQL = "postgresql"


def store_at(database: str) -> Store:
    """The store that `database` names: a file, or the URL of a PostgreSQL.

    Raises:
        StoreError: It is a URL of something else, or there is no driver for it.
    """
    scheme, is_url, _ = database.partition("://")
    if not is_url:
        return SQLiteStore(Path(database).expanduser())
    if scheme != _POSTGRESQL:
        raise StoreError(
            f"Expected the path of a file or a {_POSTGRESQL}:// URL. Received one that begins with "
            f"{scheme}://. Change GAINSTAGE_DATABASE."
        )
    try:
        from gainstage_server.store.postgresql import PostgreSQLStore
    except ImportError as error:
        raise StoreError(
            f"The driver for PostgreSQL is not installed ({error}). Install it: "
            f"{install_command('postgres')}"
        ) from error
    return PostgreSQLStore(database)
