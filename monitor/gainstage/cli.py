"""The command line."""

import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gainstage.client import Client, ServerError
from gainstage.finding import VERDICTS, Alternative, Effect, prospect
from gainstage.places import DEFAULT_PORT, DEFAULT_URL, home, install_command, spools
from gainstage.uplink import ingest_url

app = typer.Typer(
    help="Watch Keras models while they train.", no_args_is_help=True, add_completion=False
)
console = Console()

DEMO, SPOOLS = home() / "demo", spools()
# What a finding can be of.
FAULTS = tuple(verdict.name for verdict in VERDICTS if verdict.name != "healthy")


def _stop(reason: str) -> NoReturn:
    Console(stderr=True).print(Text(reason), style="red", soft_wrap=True)
    raise typer.Exit(2)


def _checked(url: str) -> str:
    try:
        ingest_url(url)
    except ValueError as error:
        _stop(str(error))
    return url


def _tell_version(wanted: bool) -> None:
    if wanted:
        console.print(f"gainstage {version('gainstage')}")
        raise typer.Exit


Url = Annotated[
    str, typer.Option(envvar="GAINSTAGE_URL", help="Address of the server.", callback=_checked)
]
Token = Annotated[str | None, typer.Option(envvar="GAINSTAGE_TOKEN", help="The server's token.")]
Answer = TypeVar("Answer")
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """What every command takes."""


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8420"),
    ] = None,
    database: Annotated[
        Path | None,
        typer.Option(
            help="File that holds everything stored.", show_default="~/.gainstage/gainstage.db"
        ),
    ] = None,
) -> None:
    """Start the server and its dashboard. Every setting is also read from GAINSTAGE_<NAME>."""
    try:
        from gainstage_server.app import can_listen
        from gainstage_server.app import serve as run
        from gainstage_server.settings import read_settings
    except ModuleNotFoundError as error:
        _stop(f"The server is not installed ({error}): {install_command('server')}")
    given: dict[str, Any] = {"host": host, "port": port, "database": database}
    try:
        settings = read_settings({name: it for name, it in given.items() if it is not None})
    except ValueError as error:
        _stop(str(error))
    try:
        can_listen(settings)
    except OSError as error:
        _stop(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}). Choose another "
            "address with --host and --port."
        )
    if settings.port:
        console.print(f"Dashboard: http://{settings.host}:{settings.port}")
    run(settings)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End without waiting for Ctrl-C.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on the last line.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the demo's server.")] = DEFAULT_PORT,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its runs.")] = DEMO,
) -> None:
    """Train a model that goes wrong, see why, apply the patch, and see it work."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        from gainstage import demo as demonstration
    except ModuleNotFoundError as error:
        _stop(f"The demo needs more packages ({error}): {install_command('demo')}")
    try:
        demonstration.run(folder=folder, port=port, once=once, as_json=as_json)
    except RuntimeError as error:
        _stop(str(error))


@app.command()
def runs(
    project: Annotated[str | None, typer.Option(help="Only runs of this project.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List the runs that the server holds."""
    filters = {} if project is None else {"project": project}
    grid = Table("run", "project", "status", "step", "frames", "open findings")
    for run in _ask(lambda client: client.runs(**filters), url, token):
        cells = (run["id"], run["project"], run["status"], run["step"], run["frames"])
        grid.add_row(*(Text(str(cell)) for cell in cells), str(run["findings_open"]))
    console.print(grid)


@app.command()
def show(run: RunName, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show what was found in a run."""
    findings = _ask(lambda client: client.findings(run), url, token)
    if not findings:
        console.print("Nothing was found.")
    for finding in findings:
        state = "open" if finding["closed_step"] is None else f"over at {finding['closed_step']}"
        console.print(Text(f"{finding['verdict']} since step {finding['since_step']}, {state}"))
        effects = msgspec.convert(finding.get("effects", ()), list[Effect])
        alternatives = msgspec.convert(finding.get("alternatives", ()), list[Alternative])
        texts = (finding["remedy"], prospect(effects, alternatives), finding["code"])
        console.print(Text("\n".join(filter(None, (finding["summary"], *texts)))))


@app.command()
def check(
    run: RunName,
    fail_on: Annotated[
        str, typer.Option(help="Verdicts that fail the check, commas between them.")
    ] = ",".join(FAULTS),
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Exit with 1 where a run has an open finding of the given verdicts: for use in CI."""
    wanted = {name.strip() for name in fail_on.split(",")}
    unknown = wanted - set(FAULTS)
    if unknown:
        given = ", ".join(sorted(unknown))
        _stop(f"--fail-on takes verdicts out of {', '.join(FAULTS)}. Received: {given}.")
    findings = _ask(lambda client: client.findings(run), url, token)
    failing = [f for f in findings if f["closed_step"] is None and f["verdict"] in wanted]
    for finding in failing:
        console.print(Text(f"{finding['verdict']}: {finding['summary']}"))
    if failing:
        raise typer.Exit(1)
    console.print("No such finding is open.")


@app.command()
def sync(
    folder: Annotated[
        Path, typer.Argument(envvar="GAINSTAGE_SPOOL", help="Folder of the spools.")
    ] = SPOOLS,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds without progress before a spool is left.")
    ] = 30.0,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Send what trainings left behind in their spools; exit with 1 where something is left.

    A spool that a training has open is that training's to send, and does not count as left.
    """
    from gainstage.sync import send_all

    # Where nothing was ever kept there is no folder of ours, and nothing to send.
    if folder != SPOOLS and not folder.is_dir():
        _stop(
            f"There is no folder {folder}. Expected one where trainings keep their spools, such as "
            f"{SPOOLS}, the default. Give the folder that `spool=` or $GAINSTAGE_SPOOL named."
        )
    states: list[str] = []
    with console.status("") as status:

        def tell(run: str, left: int) -> None:
            status.update(Text(f"{run}: {left} messages left"))

        for outcome in send_all(folder, url, token, patience, tell):
            states.append(outcome.state)
            console.print(Text(str(outcome)), soft_wrap=True)
    sent, used = states.count("sent"), states.count("in use")
    left = len(states) - sent - used
    counts = f"{sent} spools sent, {left} left, {used} in use in {folder}."
    console.print(Text(counts), soft_wrap=True)
    if left:
        raise typer.Exit(1)


@app.command()
def trial(
    model: Annotated[
        Path, typer.Argument(exists=True, help="A compiled model that Keras has saved, *.keras.")
    ],
    data: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="Arrays that numpy has saved, *.npz: x and y, and x_test and y_test if there are.",
        ),
    ],
    layer: Annotated[
        str | None,
        typer.Option(help="Keras's path of the layer; default: that of the run's finding."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="Run whose first open finding names the layer, and to which the result is added."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Updates of each training.", show_default="300 to 1500"),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each contestant.")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples of an update.")] = 32,
    picture: Annotated[
        Path | None, typer.Option(help="Where to write the courses as a picture: *.png, *.svg.")
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Train short copies of a model with each remedy for one layer, and compare them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if layer is None and run is not None:
        findings = _ask(lambda client: client.findings(run), url, token)
        layer = next((one["layer"] for one in findings if one["closed_step"] is None), None)
    if layer is None:
        _stop("A trial is of one layer. Received neither --layer nor a --run with an open finding.")
    try:
        from gainstage import run_trial
        from gainstage.saved import load
    except ModuleNotFoundError as error:
        _stop(f"A trial needs Keras and a backend ({error}): {install_command('tensorflow')}")
    try:
        loaded, train, test = load(model, data)
        found = run_trial(
            loaded,
            train,
            validation_data=test,
            layer=layer,
            steps=steps,
            seeds=seeds,
            batch_size=batch_size,
            run=run,
            url=url,
            token=token,
        )
        found.show()
        if picture is not None:
            found.figure().savefig(picture)
            console.print(Text(f"Picture: {picture}"))
    except (ValueError, RuntimeError, OSError) as error:
        _stop(str(error))


def _ask(question: Callable[[Client], Answer], url: str, token: str | None) -> Answer:
    try:
        return question(Client(url, token))
    except ServerError as error:
        _stop(str(error))


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
