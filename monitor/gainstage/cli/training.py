"""Commands of the machine that trains."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gainstage.cli.terminal import Token, Url, ask, console, plain, stop
from gainstage.places import DEFAULT_PORT, DEFAULT_URL, home, install_command, spools

DEMO, SPOOLS = home() / "demo", spools()


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
        stop(f"The demo needs more packages ({error}): {install_command('demo')}")
    try:
        demonstration.run(folder=folder, port=port, once=once, as_json=as_json)
    except RuntimeError as error:
        stop(str(error))


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
        stop(
            f"There is no folder {folder}. Expected one where trainings keep their spools, such as "
            f"{SPOOLS}, the default. Give the folder that `spool=` or $GAINSTAGE_SPOOL named."
        )
    states: list[str] = []
    with console.status("") as status:

        def tell(run: str, left: int) -> None:
            status.update(plain(f"{run}: {left} messages left"))

        for outcome in send_all(folder, url, token, patience, tell):
            states.append(outcome.state)
            console.print(plain(outcome), soft_wrap=True)
    sent, used = states.count("sent"), states.count("in use")
    left = len(states) - sent - used
    counts = f"Spools in {folder}: {sent} sent, {left} left, {used} in use."
    console.print(plain(counts), soft_wrap=True)
    if left:
        raise typer.Exit(1)


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
        findings = ask(lambda client: client.findings(run), url, token)
        layer = next((one["layer"] for one in findings if one["closed_step"] is None), None)
    if layer is None:
        stop("A trial is of one layer. Received neither --layer nor a --run with an open finding.")
    try:
        from gainstage import run_trial
        from gainstage.saved import load
    except ModuleNotFoundError as error:
        stop(f"A trial needs Keras and a backend ({error}): {install_command('tensorflow')}")
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
            console.print(plain(f"Picture: {picture}"))
    except (ValueError, RuntimeError, OSError) as error:
        stop(str(error))
