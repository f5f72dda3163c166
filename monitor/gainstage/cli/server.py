"""Commands of the machine that has the server."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from gainstage.cli.settings import Database, read
from gainstage.cli.terminal import console, stop


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8420"),
    ] = None,
    database: Database = None,
) -> None:
    """Start the server and its dashboard. Every setting is also read from GAINSTAGE_<NAME>."""
    settings = read(host=host, port=port, database=database)
    from gainstage_server.app import can_listen
    from gainstage_server.app import serve as run

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


def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="File to write; must not exist.")],
    database: Database = None,
) -> None:
    """Copy everything that a server has stored to a file, also while it runs."""
    settings = read(database=database)
    from gainstage_server.store import StoreError, store_at

    if file.exists():
        stop(f"{file} exists already. Expected the name of a file that does not. Give another one.")
    try:
        store_at(settings.database.get_secret_value()).backup(file)
    except StoreError as error:
        stop(str(error))
    size = file.stat().st_size
    console.print(Text(f"All that is stored is in {file}, {size:,} bytes."), soft_wrap=True)
