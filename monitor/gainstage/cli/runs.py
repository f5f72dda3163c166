"""Commands that say what a server knows of its runs."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from gainstage import markdown
from gainstage.cli.terminal import RunName, Token, Url, ask, console, plain, stop
from gainstage.finding import VERDICTS, Alternative, Effect, prospect
from gainstage.places import DEFAULT_URL, run_page
from gainstage.printable import printable

# What a finding can be of.
FAULTS = tuple(verdict.name for verdict in VERDICTS if verdict.name != "healthy")


def runs(
    project: Annotated[str | None, typer.Option(help="Only runs of this project.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List the runs that the server holds."""
    filters = {} if project is None else {"project": project}
    grid = Table("run", "project", "status", "step", "frames", "open findings")
    for run in ask(lambda client: client.runs(**filters), url, token):
        cells = (run["id"], run["project"], run["status"], run["step"], run["frames"])
        grid.add_row(*map(plain, cells), str(run["findings_open"]))
    console.print(grid)


def show(run: RunName, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show what was found in a run."""
    findings = ask(lambda client: client.findings(run), url, token)
    if not findings:
        console.print("Nothing was found.")
    for finding in findings:
        state = "open" if finding["closed_step"] is None else f"over at {finding['closed_step']}"
        console.print(plain(f"{finding['verdict']} since step {finding['since_step']}, {state}"))
        effects = msgspec.convert(finding.get("effects", ()), list[Effect])
        alternatives = msgspec.convert(finding.get("alternatives", ()), list[Alternative])
        for text in (finding["summary"], finding["remedy"], prospect(effects, alternatives)):
            if text:
                console.print(plain(text))
        if finding["code"]:
            console.print(plain(finding["code"], lines=True))


def report(
    run: RunName,
    output: Annotated[
        Path | None, typer.Option(help="File to write it to; default: the terminal.")
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write what was found in a run as Markdown, with its evidence and patches."""
    text = ask(
        lambda client: markdown.report(client.run(run), client.findings(run), run_page(url, run)),
        url,
        token,
    )
    if output is None:
        typer.echo(printable(text, lines=True), nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        stop(f"The report was not written: {error}")


def delete(
    run: RunName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Delete a run that is not live, with all that is stored of it."""
    known = ask(lambda client: client.run(run), url, token)
    name = plain(run)
    if not yes:
        typer.confirm(
            f"Delete {name} and its {known['frames']} frames? They cannot be brought back",
            abort=True,
        )
    ask(lambda client: client.delete(run), url, token)
    console.print(name, "is deleted.")


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
        stop(f"--fail-on takes verdicts out of {', '.join(FAULTS)}. Received: {given}.")
    findings = ask(lambda client: client.findings(run), url, token)
    failing = [f for f in findings if f["closed_step"] is None and f["verdict"] in wanted]
    for finding in failing:
        console.print(plain(f"{finding['verdict']}: {finding['summary']}"))
    if failing:
        raise typer.Exit(1)
    console.print("No such finding is open.")
