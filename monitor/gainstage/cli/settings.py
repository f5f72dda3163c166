"""The server's settings, as the commands of its machine take them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gainstage.cli.terminal import stop
from gainstage.places import install_command

if TYPE_CHECKING:
    from gainstage_server.settings import Settings

Database = Annotated[
    str | None,
    typer.Option(
        help="File that holds everything stored, or postgresql://HOST:PORT/DATABASE. A URL "
        "with a password belongs into GAINSTAGE_DATABASE: other users see options.",
        show_default="~/.gainstage/gainstage.db",
    ),
]


def read(**given: Any) -> "Settings":
    """The server's settings; ends the command where they are wrong, or there is no server."""
    try:
        from gainstage_server.settings import read_settings
    except ModuleNotFoundError as error:
        stop(f"The server is not installed ({error}): {install_command('server')}")
    try:
        return read_settings({name: it for name, it in given.items() if it is not None})
    except ValueError as error:
        stop(str(error))
