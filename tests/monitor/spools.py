"""Spools of tests."""

import subprocess
import sys
from pathlib import Path

from gainstage.spool import Spool


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
