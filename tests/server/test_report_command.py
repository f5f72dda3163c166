"""`gainstage report`: Markdown that shows what was found, whatever layers are called."""

from pathlib import Path
from typing import Any

from click.testing import Result
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from gainstage.cli import app
from gainstage.markdown import report

from .conftest import Running
from .trainer import Trainer, send

HOSTILE = "1. `<script>`|[a](b)*_#\\ \x1b[31m\u202e"
RUN: dict[str, Any] = {
    "id": "mine",
    "project": HOSTILE,
    "status": "ended",
    "step": None,
    "frames": 0,
    "layers": 0,
    "verdicts": {},
}
FINDING: dict[str, Any] = {
    "layer": HOSTILE,
    "verdict": "activity",
    "severity": "critical",
    "since_step": 3,
    "closed_step": 9,
    "summary": "It is loud.",
    "remedy": "",
    "evidence": {"pre_db": {"value": "Infinity", "limit": 12.0, "unit": "dB"}},
    "before": "Dense(1)",
    "code": 'Dense(1, name="```\x1b")',
    "effects": [],
    "alternatives": [],
}


def command(*words: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, words)])


def parsed(text: str) -> list[Any]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def test_patch_shows_what_goes_what_comes_and_what_stays() -> None:
    code = {"before": "Dense(\n    4,\n    'tanh',\n)", "code": "Dense(\n    4,\n)"}

    text = report(RUN, [FINDING | code], "http://page")

    assert "```diff\n Dense(\n     4,\n-    'tanh',\n )\n```" in text


def test_report_says_what_was_found_and_what_to_change(server: Running, tmp_path: Path) -> None:
    trainer, path = Trainer(), tmp_path / "report.md"
    send(server.ws, [*trainer.opening(), *(trainer.loud(10 * index) for index in range(5))])
    found = server.get("/api/v1/runs/canonical/findings").json()["findings"][0]

    result = command("canonical", "--url", server.url, "--output", path)

    assert (result.exit_code, result.stdout) == (0, "")
    text = path.read_text()
    tokens = parsed(text)
    inline = {
        "".join(child.content for child in token.children)
        for token in tokens
        if token.type == "inline"
    }
    assert "activity in dense\\_1" in text
    assert found["summary"] in inline
    assert found["remedy"] in inline
    assert f"({server.url}/runs/canonical)" in text
    assert {one["name"] + ": " + one["reason"] for one in found["alternatives"]} <= inline


def test_report_without_a_finding_says_so(server: Running) -> None:
    trainer = Trainer()
    send(server.ws, [*trainer.opening(), trainer.quiet(0), trainer.run_end(frames=1)])

    result = command("canonical", "--url", server.url)

    assert result.stdout.endswith("\n\nNothing was found.\n")


def test_names_mean_nothing_in_markdown_or_to_a_terminal() -> None:
    text = report(RUN, [FINDING], "http://127.0.0.1:8420/runs/mine")

    tokens = parsed(text)
    assert all(one.isprintable() or one == "\n" for one in text)
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert kinds <= {"text", "text_special", "link_open", "link_close"}
    links = [
        child for token in tokens for child in token.children or () if child.type == "link_open"
    ]
    assert [link.attrs["href"] for link in links] == ["http://127.0.0.1:8420/runs/mine"]
    (patch,) = [token for token in tokens if token.type == "fence"]
    assert patch.content == '-Dense(1)\n+Dense(1, name="```\\x1b")\n'
    assert "Infinity dB" in text


def test_place_that_cannot_be_written_is_told(server: Running, tmp_path: Path) -> None:
    send(server.ws, Trainer().opening())

    result = command("canonical", "--url", server.url, "--output", tmp_path / "no" / "report.md")

    assert result.exit_code == 2
    assert result.stderr.startswith("The report was not written")
