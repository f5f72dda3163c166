"""A run and what was found in it as Markdown: for a pull request, or the summary of a CI job."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gainstage.printable import printable

Answer = Mapping[str, Any]

# What means something in Markdown, or in the HTML that it may hold.
_MEANING = re.compile(r"([\\`*_\[\]#!|<>~&])")
# Nor a line that would be an item of a list.
_BULLET = re.compile(r"^(\d*)([+.)-])")
_BACKTICKS = re.compile("`+")


def report(run: Answer, findings: Sequence[Answer], page: str) -> str:
    """The report on a run.

    Args:
        run: As `/api/v1/runs/{run}` answers.
        findings: As `/api/v1/runs/{run}/findings` answers.
        page: Address of the run's page.
    """
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in run["verdicts"].items())
    facts = {
        "project": run["project"],
        "status": run["status"],
        "step": run["step"],
        "samples": run["frames"],
        "layers": run["layers"],
        "verdicts": verdicts or "none yet",
    }
    parts = [
        f"# [{_text(run['id'])}]({page})",
        _table(tuple(facts), [tuple(facts.values())]),
        *map(_finding, findings),
    ]
    if not findings:
        parts.append("Nothing was found.")
    return "\n\n".join(parts) + "\n"


def _finding(found: Answer) -> str:
    closed = found["closed_step"]
    state = "open" if closed is None else f"over at step {closed}"
    title = f"{found['verdict']} in {found['layer']}"
    evidence = [
        (statistic, _number(one["value"], one["unit"]), _number(one["limit"], one["unit"]))
        for statistic, one in found["evidence"].items()
    ]
    effects = ", ".join(f"{one['term']} {one['change']:+.0f} dB" for one in found["effects"])
    lower = [f"- {_text(one['name'])}: {_text(one['reason'])}" for one in found["alternatives"]]
    parts = [
        f"## {_text(title)}",
        f"{found['severity']}, since step {found['since_step']}, {state}",
        _text(found["summary"]),
        _table(("evidence", "value", "limit"), evidence) if evidence else "",
        _text(found["remedy"]),
        _code(found["before"], found["code"]) if found["code"] else "",
        f"Expected change: {_text(effects)}." if effects else "",
        "Ranked lower:\n\n" + "\n".join(lower) if lower else "",
    ]
    return "\n\n".join(filter(None, parts))


def _code(before: str, after: str) -> str:
    """The patch: what goes, what comes in its place, and what stays."""
    old, new = (printable(side, lines=True).splitlines() for side in (before, after))
    # What begins with "?" points at letters of the line above.
    kept = (line for line in difflib.ndiff(old, new) if not line.startswith("?"))
    body = "\n".join(line[0] + line[2:] for line in kept)
    # A fence that the code cannot end.
    fence = "`" * max([3, *(len(run) + 1 for run in _BACKTICKS.findall(body))])
    return f"{fence}diff\n{body}\n{fence}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_text(str(cell)) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | str | None, unit: str) -> str:
    if value is None:
        return ""
    number = value if isinstance(value, str) else f"{value:.3g}"
    return f"{number} {unit}" if unit == "dB" else number


def _text(text: str) -> str:
    """`text` on one line, none of it taken for Markdown."""
    line = _MEANING.sub(r"\\\1", printable(" ".join(text.split())))
    return _BULLET.sub(r"\1\\\2", line)
