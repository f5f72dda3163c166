"""The commands of tokens: they change the server's store itself, and need no server."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Column, Table

from gainstage.cli.settings import Database, read
from gainstage.cli.terminal import console, plain, stop

if TYPE_CHECKING:
    from gainstage_server.settings import Settings
    from gainstage_server.store.interface import Store

app = typer.Typer(help="Make, list and revoke the server's tokens.", no_args_is_help=True)

Answer = TypeVar("Answer")


@app.command()
def create(
    scope: Annotated[
        Literal["ingest", "read", "admin"], typer.Option(help="What it opens: admin, everything.")
    ],
    project: Annotated[
        str | None, typer.Option(help="Project whose runs it is good for.", show_default="none")
    ] = None,
    all_projects: Annotated[
        bool, typer.Option("--all-projects", help="It is good for the runs of all projects.")
    ] = False,
    name: Annotated[str, typer.Option(help="What people know it by.")] = "",
    expires: Annotated[
        str | None, typer.Option(help="After how long, as 12h, 30d or 8w.", show_default="never")
    ] = None,
    database: Database = None,
) -> None:
    """Make a token, and print it: this once, as the store keeps no more than its hash."""
    if (project is None) != all_projects:
        stop(
            "A token is good for one project, or for all of them. Expected one of --project P and "
            f"--all-projects. Received {'neither' if project is None else 'both'}."
        )

    def made(store: "Store", settings: "Settings") -> tuple[str, bool]:
        from gainstage_server import tokens

        now = time.time()
        ends = None if expires is None else now + tokens.seconds_of(expires)
        token, record = tokens.make(scope, project, name=name, now=now, expires=ends)
        with store.write() as transaction:
            transaction.put_token(record)
        return token, settings.tokens(scope) is None

    token, is_open = _with_store(made, database)
    told = Console(stderr=True)
    told.print("Keep it: it is shown this once. The server takes it from now on.", soft_wrap=True)
    if is_open:
        told.print(
            "A server with these settings does not ask for tokens. Set GAINSTAGE_REQUIRE_TOKENS to "
            "true, and start it anew.",
            soft_wrap=True,
        )
    console.print(plain(token), soft_wrap=True)


@app.command("list")
def list_tokens(database: Database = None) -> None:
    """List the tokens that were made, with those that open nothing any more."""
    records = _with_store(lambda store, _: store.tokens(), database)
    # It is to be copied: however narrow the terminal is, it is whole.
    id = Column("id", no_wrap=True)
    grid = Table(id, "name", "scope", "project", "made", "expires", "state")
    now = time.time()
    for record in records:
        state = "revoked" if record.revoked else "open" if record.holds(now) else "expired"
        project = "(all)" if record.project is None else record.project
        times = (_day(record.created), "never" if record.expires is None else _day(record.expires))
        cells = (record.id, record.name, record.scope, project, *times, state)
        grid.add_row(*map(plain, cells))
    console.print(grid)


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `gainstage token list` shows it.")],
    database: Database = None,
) -> None:
    """Have a token open nothing any more; connections that it opened end within seconds."""

    def revoked(store: "Store", _: "Settings") -> None:
        from msgspec.structs import replace

        record = store.token(id)
        if record is None:
            known = ", ".join(one.id for one in store.tokens()) or "none"
            raise ValueError(f"There is no token {id!r}. Known: {known}.")
        with store.write() as transaction:
            transaction.put_token(replace(record, revoked=record.revoked or time.time()))

    _with_store(revoked, database)
    console.print(plain(f"Token {id} opens nothing any more."), soft_wrap=True)


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _with_store(question: "Callable[[Store, Settings], Answer]", database: str | None) -> Answer:
    """What is answered from the store that the settings name; ends the command where it cannot."""
    settings = read(database=database)
    from gainstage_server.store import StoreError, store_at

    try:
        store = store_at(settings.database.get_secret_value())
        store.open()
        try:
            return question(store, settings)
        finally:
            store.close()
    except (ValueError, StoreError) as error:
        stop(str(error))
