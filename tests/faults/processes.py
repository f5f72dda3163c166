"""The processes that are killed, paused and started again."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import msgspec

from .crash import Crash
from .journal import frames_in
from .plans import Plan

ROOT = Path(__file__).parents[2]
# What a machine that is busy with other tests may need; nobody waits for it otherwise.
PATIENCE = 120.0


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """For what another process does in its own time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"It did not come to be in {seconds} s."
        time.sleep(0.01)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


class Process:
    """A module of these tests as a process of its own; whatever it prints is in `log`."""

    def __init__(self, module: str, *arguments: str, log: Path, **environment: str) -> None:
        self.log = log
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GAINSTAGE_")}
        with log.open("ab") as written:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env=inherited | environment,
                stdin=subprocess.PIPE,
                stdout=written,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str, seconds: float = PATIENCE) -> None:
        """Waits until it has printed `text`."""
        wait_until(lambda: text in self.said() or self._process.poll() is not None, seconds)
        assert text in self.said(), self.said()

    def tell(self, line: str) -> None:
        """Writes a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit status, negative where a signal ended it."""
        return self._process.wait(PATIENCE)

    def succeeds(self) -> None:
        """Waits for its end, which is as it should be."""
        assert self.wait() == 0, self.said()

    def dies(self) -> None:
        """Waits until it is killed at the place that it was given."""
        assert self.wait() == -signal.SIGKILL, self.said()

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def trainer(plan: Plan, kind: str = "trainer") -> Process:
    """A trainer that has been started, by the name of its module."""
    log = plan.folder.parent / f"{secrets.token_hex(4)}.log"
    return Process(f"tests.faults.{kind}", plan.line, log=log)


class Server:
    """A server that keeps its address and its store through every death."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ingest = f"ws://127.0.0.1:{self.port}/api/v1/ingest"
        self.database = folder / "gainstage.db"
        self._log = folder / "server.log"
        own = {"port": str(self.port), "database": str(self.database), "disk_floor": "0"}
        self._processes = ExitStack()
        self._settings = {f"GAINSTAGE_{k.upper()}": v for k, v in (own | settings).items()}

    def start(self, crash: Crash | None = None) -> Process:
        """Starts it; it dies at `crash`. Returns when it takes messages."""
        arguments = () if crash is None else (msgspec.json.encode(crash).decode(),)
        self.process = self._processes.enter_context(
            Process("tests.faults.server", *arguments, log=self._log, **self._settings)
        )
        wait_until(self._listens)
        return self.process

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def holds_frames(self, least: int) -> None:
        """Waits until so many frames are stored."""
        wait_until(lambda: frames_in(self.database) >= least)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()


def sync(folder: Path, url: str) -> str:
    """`gainstage sync`, which sends all that waits in `folder` and that no training uses.

    A trainer leaves something where its first attempt to connect took too long, on a busy machine.

    Returns:
        What it printed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "gainstage.cli", "sync", str(folder), "--url", url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def paused(process: Process) -> Iterator[None]:
    """Within the block the process does not run."""
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)
