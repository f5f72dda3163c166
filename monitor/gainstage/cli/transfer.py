"""Commands that take a run out of a server, and into another."""

import shutil
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from gainstage.archive import SUFFIX, Archive, ArchivedStream, ArchiveError, streams
from gainstage.cli.terminal import RunName, Token, Url, ask, console, plain, stop
from gainstage.options import check_names
from gainstage.places import DEFAULT_URL, install_command
from gainstage.sync import send
from gainstage.wire import WireError

TABLES = (".parquet", ".csv")


def export(
    run: RunName,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="*.gainstage for everything, as `gainstage import` takes it; *.parquet or *.csv "
            "for a table of the statistics.",
            show_default="RUN.gainstage",
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write a run to a file: all of it, or its statistics as a table."""
    path = file or Path(f"{run}{SUFFIX}")
    suffixes = (SUFFIX, *TABLES)
    if path.suffix not in suffixes:
        stop(f"A run is written to *{', *'.join(suffixes)}. Received: {path}.")
    if path.exists():
        stop(f"{path} exists already. Expected the name of a file that does not. Give another one.")
    if path.suffix in TABLES and find_spec("pyarrow") is None:
        stop(f"Tables need PyArrow, which is not installed: {install_command('export')}")
    whole, part = (path.with_name(path.name + end) for end in (SUFFIX + ".part", ".part"))
    try:
        with ask(lambda client: client.archive(run), url, token) as answer, whole.open("wb") as out:
            shutil.copyfileobj(answer, out)
        with Archive(whole) as archive:
            told = f"{len(archive.entries)} messages"
            if path.suffix in TABLES:
                from gainstage import tables

                told = f"{tables.write(archive, part, path.suffix)} lines"
        (part if path.suffix in TABLES else whole).replace(path)
    except (OSError, HTTPException, ArchiveError, WireError) as error:
        stop(f"{run} was not written: {error}")
    finally:
        for left in (whole, part):
            left.unlink(missing_ok=True)
    console.print(plain(f"{run}: {told} in {path}"), soft_wrap=True)


def import_(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="What `gainstage export` wrote."),
    ],
    run: Annotated[
        str | None, typer.Option(help="Name that the run gets; default: its own.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Project that it gets; default: its own.")
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds without progress before the rest is left.")
    ] = 30.0,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Send a run that was exported to a server, which diagnoses it anew.

    What the server has of it already it does not store again: the same command goes on where it
    was broken off.
    """
    renamed = {k: v for k, v in (("run", run), ("project", project)) if v is not None}
    try:
        check_names(run, project or "default")
        with Archive(file) as archive, console.status("") as status:
            name, refused = run or archive.run, 0
            for stream in streams(archive):
                queue = ArchivedStream(archive, stream, renamed)
                send(
                    queue,
                    url,
                    token,
                    patience,
                    lambda left: status.update(plain(f"{name}: {left} messages left")),
                )
                refused += queue.refused
                if len(queue):
                    stop(f"{name}: {len(queue)} messages of attempt {stream[0]} are left.")
    except (ValueError, OSError) as error:
        stop(str(error))
    text = f"{name}: {len(archive.entries) - refused} messages sent."
    if refused:
        stop(f"{text} The server refused {refused}.")
    console.print(plain(text), soft_wrap=True)
