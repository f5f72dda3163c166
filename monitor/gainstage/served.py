"""A server in a process of its own, on this machine: for the demo, benchmarks and tests."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

# The store's name in its folder.
DATABASE = "gainstage.db"
READY = re.compile(r"running on (http://\S+)")
START_SECONDS = 60.0
# As long as a graceful end may take: what was received is committed first.
END_SECONDS = 30.0


@contextmanager
def served(folder: Path, *, port: int = 0, **settings: str) -> Generator[str]:
    """Address of a server whose store and log lie in `folder`, for as long as the block lasts.

    Args:
        folder: Made where it does not exist.
        port: 0 takes a free one.
        settings: Others of `gainstage_server.settings`, by name.

    Raises:
        RuntimeError: It did not start; says where its log is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = {"port": str(port), "database": str(folder / DATABASE), **settings}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GAINSTAGE_")}
    log = folder / "server.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "gainstage.cli", "serve"],
            env=inherited | {f"GAINSTAGE_{name.upper()}": value for name, value in own.items()},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(END_SECONDS)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ready = READY.search(log.read_text(errors="replace"))
        if ready:
            return ready[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(
        f"The server did not start: see {log}. If another program has its port, choose one with "
        "--port."
    )
