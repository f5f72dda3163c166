"""How the tables came to be what they are: one Alembic revision for each change.

`Store.open()` brings a database to the newest revision, in one transaction and alone. To change a
table:

1. Change it in `tables.py`: what the code reads and writes is stated there, and only there.
2. Add `versions/NNNN_what_changes.py`, whose `revision` is NNNN and whose `down_revision` is the
   one before it. It states the change by itself, with `op` and without `tables.py`, which will go
   on to change. For SQLite, columns are changed within `op.batch_alter_table()`. There is no
   `downgrade()`: the way back is a backup.
3. Add the rows of a store at revision NNNN to `tests/server/test_migrations.py`, by the tables
   that such a store has. A test fills a store of each revision, brings it to the newest one on
   SQLite and PostgreSQL, reads everything back, and compares the tables with `tables.py`.
"""

import threading

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from gainstage_server.store.interface import StoreError

# Alembic's operations go by a name of its module: two stores in one process take turns.
_alone = threading.Lock()


def _config(**attributes: object) -> Config:
    config = Config(attributes=attributes)
    config.set_main_option("script_location", "gainstage_server.store:migrations")
    return config


def revisions() -> list[str]:
    """All revisions, oldest first."""
    newest_first = ScriptDirectory.from_config(_config()).walk_revisions()
    return [script.revision for script in newest_first][::-1]


def migrate(
    connection: Connection, name: str, *, to: str = "head", adopt: bool = False
) -> str | None:
    """Bring the database to revision `to`, within the connection's transaction.

    The caller sees to it that no other process does so at the same time.

    Args:
        connection: One within a transaction.
        name: What messages call the database.
        to: A revision, by default the newest.
        adopt: Whether tables that are there belong to a store from before there were revisions.

    Returns:
        The revision that it will have once this is committed; None: it had it before.

    Raises:
        StoreError: A later release wrote what is there, or another program.
    """
    held = MigrationContext.configure(connection).get_current_revision()
    if held is None and not adopt and inspect(connection).get_table_names():
        raise StoreError(
            f"{name} holds tables that Gainstage did not write. Expected an empty database, or one "
            "that Gainstage has written. Name another one in GAINSTAGE_DATABASE."
        )
    known = revisions()
    if held not in (None, *known):
        raise StoreError(
            f"{name} was written by a later release of Gainstage. Expected a revision up to "
            f"{known[-1]}. Received {held}. Update this server, or name another database in "
            "GAINSTAGE_DATABASE."
        )
    with _alone:
        command.upgrade(_config(connection=connection), to)
    now = known[-1] if to == "head" else to
    return None if now == held else now
