"""Runs the whole matrix and writes docs/matrix.md.

    python -m tests.matrix [--backends NAME ...] [--kept FOLDER] [--page FILE]

Each backend runs in a process of its own, all beside each other. With `--kept`, the cells that were
run are kept in that folder, and those that it holds already are not run again.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.matrix.table import BACKENDS, MARKS, Cell, page

PAGE = Path(__file__).parents[2] / "docs" / "matrix.md"


def main() -> int:
    """Runs what is missing, writes the page; 1 where a cell is not harmless."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.matrix",
        description="Trains every kind of model in every way, and writes docs/matrix.md.",
    )
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--kept", type=Path, help="folder of the cells that were run already")
    parser.add_argument("--page", type=Path, default=PAGE, help="where to write the page")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)  # one backend's process
    given = parser.parse_args()
    if given.run is not None:
        _run(given.run)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return _matrix(given.backends, given.kept or Path(folder), given.page)


def _run(file: Path) -> None:
    """Runs this process's backend; the first line of `file` is about it, the others are cells."""
    from tests.matrix import whole

    lines = file.read_text().splitlines() if file.exists() else []
    done = {(cell.kind, cell.way) for cell in map(Cell.of_line, lines[1:])}
    with file.open("a") as kept:
        if not lines:
            print(whole.about(), file=kept, flush=True)
        with contextlib.redirect_stdout(None):  # of what the monitor prints after each `fit`
            for cell in whole.cells(done):
                print(cell.line(), file=kept, flush=True)


def _matrix(backends: list[str], folder: Path, to: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    files = {backend: folder / f"{backend}.jsonl" for backend in backends}
    command = [sys.executable, "-W", "ignore", "-m", "tests.matrix", "--run"]
    # What two trainings share, JAX compiles once.
    settings = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    running = {
        backend: subprocess.Popen(
            [*command, str(file)], env={**os.environ, **settings, "KERAS_BACKEND": backend}
        )
        for backend, file in files.items()
    }
    failed = [backend for backend, process in running.items() if process.wait() != 0]
    if failed:
        print(f"Broken off: {', '.join(failed)}. Nothing was written.", file=sys.stderr)
        return 1
    read = [file.read_text().splitlines() for file in files.values()]
    cells = [Cell.of_line(line) for lines in read for line in lines[1:]]
    to.write_text(page(cells, _together([lines[0] for lines in read])))
    bad = [cell for cell in cells if not MARKS[cell.mark].harmless]
    for cell in bad:
        print(cell.line(), file=sys.stderr)
    return 1 if bad else 0


def _together(about: list[str]) -> str:
    """What the backends' processes say of themselves, each thing once."""
    *versions, machine = zip(*(re.split(r", ", line) for line in about), strict=True)
    named = dict.fromkeys(name for some in versions for name in some)
    return ", ".join([*named, machine[0]])


if __name__ == "__main__":
    raise SystemExit(main())
