"""A server process for the tests of what talks to one, and an address where none listens."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY = re.compile(r"running on (http://127\.0\.0\.1:\d+)")


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[str]:
    """The address of a real server, in a process of its own, for as long as the block lasts."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GAINSTAGE_")}
    own = {
        "GAINSTAGE_PORT": "0",
        "GAINSTAGE_DATABASE": str(folder / "gainstage.db"),
        "GAINSTAGE_DISK_FLOOR": "0",
        **{f"GAINSTAGE_{name.upper()}": value for name, value in settings.items()},
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "gainstage.cli", "serve"],
        env=inherited | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if ready := READY.search(line):
            break
    else:
        raise AssertionError(f"The server ended: {''.join(said)}")
    rest = threading.Thread(target=said.extend, args=(process.stderr,))  # a full pipe would stop it
    rest.start()
    try:
        yield ready[1]
    finally:
        process.terminate()
        process.wait(30)
        rest.join(30)
        process.stderr.close()


@contextmanager
def nowhere() -> Iterator[str]:
    """An address that refuses every connection: bound, but nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"
