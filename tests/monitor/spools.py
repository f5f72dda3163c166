"""Spools of tests."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gainstage.spool import Spool
from gainstage.spool_file import PAGE


class Opener:
    """Opens spools, and closes them after the test."""

    def __init__(self) -> None:
        self.spools: list[Spool] = []

    def __call__(self, path: Path | None, *, max_bytes: int = 2**27, create: bool = True) -> Spool:
        self.spools.append(Spool(path, max_bytes=max_bytes, create=create))
        return self.spools[-1]

    def close(self) -> None:
        for spool in self.spools:
            spool.close()


def waiting(spool: Spool) -> list[int]:
    return [seq for seq, _ in spool.after(-1, 10**6)]


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def opened() -> Iterator[Opener]:
    opener = Opener()
    yield opener
    opener.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.spool"


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "gainstage"]


def fill(spool: Spool, first: int, last: int, *, frame: bool = True) -> None:
    for seq in range(first, last + 1):
        spool.append(seq, (b"%d," % seq).ljust(PAGE, b"."), frame=frame)
