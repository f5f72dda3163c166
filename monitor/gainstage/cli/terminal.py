"""What all commands share: their output, their refusals, and how they ask a server."""

from collections.abc import Callable
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from gainstage.client import Client, ServerError
from gainstage.printable import printable
from gainstage.uplink import ingest_url

console = Console()


def plain(text: object, *, lines: bool = False) -> Text:
    """What is printed of a text that others have a say in: no markup, and nothing unseen.

    With `lines`, those of the text are printed as such.
    """
    return Text(printable(str(text), lines=lines))


def stop(reason: str) -> NoReturn:
    """End the command, which could not do what it was asked to; `reason` says why."""
    Console(stderr=True).print(plain(reason, lines=True), style="red", soft_wrap=True)
    raise typer.Exit(2)


def _checked(url: str) -> str:
    try:
        ingest_url(url)
    except ValueError as error:
        stop(str(error))
    return url


Url = Annotated[
    str, typer.Option(envvar="GAINSTAGE_URL", help="Address of the server.", callback=_checked)
]
Token = Annotated[str | None, typer.Option(envvar="GAINSTAGE_TOKEN", help="The server's token.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]
Answer = TypeVar("Answer")


def ask(question: Callable[[Client], Answer], url: str, token: str | None) -> Answer:
    """What the server at `url` answers; ends the command where it does not."""
    try:
        return question(Client(url, token))
    except ServerError as error:
        stop(str(error))
