"""The command that is the server."""

from typing import Annotated, Any

import typer

from gainstage.cli.terminal import console, stop
from gainstage.places import install_command


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8420"),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="File that holds everything stored, or postgresql://HOST:PORT/DATABASE. A URL "
            "with a password belongs into GAINSTAGE_DATABASE: other users see options.",
            show_default="~/.gainstage/gainstage.db",
        ),
    ] = None,
) -> None:
    """Start the server and its dashboard. Every setting is also read from GAINSTAGE_<NAME>."""
    try:
        from gainstage_server.app import can_listen
        from gainstage_server.app import serve as run
        from gainstage_server.settings import read_settings
    except ModuleNotFoundError as error:
        stop(f"The server is not installed ({error}): {install_command('server')}")
    given: dict[str, Any] = {"host": host, "port": port, "database": database}
    try:
        settings = read_settings({name: it for name, it in given.items() if it is not None})
    except ValueError as error:
        stop(str(error))
    try:
        can_listen(settings)
    except OSError as error:
        stop(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}). Choose another "
            "address with --host and --port."
        )
    if settings.port:
        console.print(f"Dashboard: http://{settings.host}:{settings.port}")
    run(settings)
