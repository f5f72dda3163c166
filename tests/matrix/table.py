"""The whole matrix as a page: written from the cells that were run, and read back from it."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from textwrap import fill

WIDTH = 100  # of a line of prose
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}


@dataclass(frozen=True)
class Mark:
    """What a cell can be.

    Attributes:
        sign: In the table.
        meaning: Below it.
        harmless: Whether the page may hold it.
    """

    sign: str
    meaning: str
    harmless: bool = True


MARKS = {
    "same": Mark("=", "the same to the last bit, and every kind of layer was read"),
    "repeats": Mark(
        "≈",
        "what differs also differs between two trainings without the monitor: the framework does "
        "not repeat itself",
    ),
    "refused": Mark("–", "not trained, with or without the monitor"),
    "unread": Mark("?", "the monitor did not read what it should", harmless=False),
    "differs": Mark("≠", "the monitor changed the training", harmless=False),
}


@dataclass(frozen=True)
class Cell:
    """What came out of one kind of model trained in one way on one backend.

    Attributes:
        axis: Of the choice in which the way is not the usual one; "usual" where there is none.
        mark: A key of `MARKS`.
        why: What is to be said of it below the table.
    """

    backend: str
    kind: str
    axis: str
    way: str
    mark: str
    why: str = ""

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def of_line(cls, line: str) -> "Cell":
        """The cell that `line` made that line."""
        return cls(**json.loads(line))


Grid = dict[str, dict[str, str]]  # way -> kind -> sign


HEAD = """\
# Every kind of model, trained in every way, on every backend

Each cell is one kind of model, trained twice on the same batches from the same state: with the
monitor sampling every second step, and without. Compared are weights, optimizer, losses, random
states and automatic names. A row differs from the usual way (arrays, the step as Keras chooses to
run it, float32, Keras's own `train_step`, nothing beside) in the one choice that it names.
[docs/models.md](models.md#what-the-tests-hold) says in which trainings the choices meet each other.

This page is made by

```sh
make matrix
```

which takes about half an hour on two free cores. """


def page(cells: Sequence[Cell], about: str) -> str:
    """The page of these cells; `about`: the versions and the machine, in words."""
    kinds = list(dict.fromkeys(cell.kind for cell in cells))
    columns = {kind: place for place, kind in enumerate(kinds, 1)}
    *head, last = HEAD.split("\n\n")
    parts = [*head, fill(f"{last}It was made with {about}.", WIDTH), "## Kinds of models"]
    parts.append("\n".join(f"{place}. {kind}" for kind, place in columns.items()))
    for backend, title in BACKENDS.items():
        own = [cell for cell in cells if cell.backend == backend]
        if own:
            parts += [f"## {title}", _grid(own, columns), _notes(own, columns)]
    return "\n\n".join(parts) + "\n"


def _grid(cells: Sequence[Cell], columns: dict[str, int]) -> str:
    signs = {(cell.axis, cell.way, cell.kind): MARKS[cell.mark].sign for cell in cells}
    lines = ["| choice of | way | " + " | ".join(map(str, columns.values())) + " |"]
    lines.append("|---|---|" + ":-:|" * len(columns))
    for axis, way in dict.fromkeys((cell.axis, cell.way) for cell in cells):
        row = [signs.get((axis, way, kind), " ") for kind in columns]
        lines.append(f"| {axis} | {way} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _notes(cells: Iterable[Cell], columns: dict[str, int]) -> str:
    """What each mark means, and where there is more to say of it."""
    lines: list[str] = []
    order = list(MARKS)
    known = sorted(cells, key=lambda cell: (order.index(cell.mark), cell.way, cell.why))
    for mark, marked in groupby(known, key=lambda cell: cell.mark):
        meaning = f"- `{MARKS[mark].sign}` {MARKS[mark].meaning}."
        lines.append(fill(meaning, WIDTH, subsequent_indent="  "))
        for (way, why), of in groupby(marked, key=lambda cell: (cell.way, cell.why)):
            if why:
                places = ", ".join(str(columns[cell.kind]) for cell in of)
                every = "all" if places.count(",") + 1 == len(columns) else places
                said = f"  - {way} ({every}): {why.replace('<', '&lt;')}."
                lines.append(fill(said, WIDTH, subsequent_indent="    ", break_on_hyphens=False))
    return "\n".join(lines)


def kinds_on(text: str) -> list[str]:
    """The kinds of models that a page lists."""
    return re.findall(r"^\d+\. (.+)$", text, re.MULTILINE)


def grids_on(text: str) -> dict[str, Grid]:
    """The signs on a page, by backend."""
    kinds = kinds_on(text)
    names = {title: backend for backend, title in BACKENDS.items()}
    found: dict[str, Grid] = {}
    for section in text.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        if title in names:
            rows = [line.strip("|").split("|") for line in body.splitlines() if line[:1] == "|"]
            found[names[title]] = {
                way.strip(): dict(zip(kinds, map(str.strip, signs), strict=True))
                for _, way, *signs in rows[2:]
            }
    return found
