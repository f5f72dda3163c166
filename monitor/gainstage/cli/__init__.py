"""The command line."""

from importlib.metadata import version
from typing import Annotated

import typer

from gainstage.cli import runs, server, tokens, training, transfer
from gainstage.cli.terminal import console

# In the order in which the help lists them.
COMMANDS = (
    server.serve,
    server.backup,
    training.demo,
    runs.runs,
    runs.show,
    runs.check,
    runs.report,
    runs.delete,
    transfer.export,
    transfer.import_,
    training.sync,
    training.trial,
)

app = typer.Typer(
    help="Watch Keras models while they train.", no_args_is_help=True, add_completion=False
)
for command in COMMANDS:
    app.command(command.__name__.rstrip("_"))(command)
app.add_typer(tokens.app, name="token")


def _tell_version(wanted: bool) -> None:
    if wanted:
        console.print(f"gainstage {version('gainstage')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """What every command takes."""


def main() -> None:
    """Runs the command line."""
    app()
