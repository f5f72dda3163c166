"""Real programs beside a server, for as long as a test lasts, and how they are asked."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from gainstage_server.ops import alerts

OPS = Path(alerts.__file__).parent
ALERTMANAGERS = ("prometheus-alertmanager", "alertmanager")
# Slow machines get a minute for what takes a second.
PATIENCE = 60.0


def eventually(ask: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What `ask` returns, once that is true."""
    deadline = time.monotonic() + patience
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"nothing within {patience} s, last answer: {answer}"
        time.sleep(0.1)
    return answer


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask_json(address: str, body: object = None) -> Any:
    """The answer at `address`; None while nobody listens there."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            text = response.read()
            return json.loads(text) if text else {}
    except (urllib.error.URLError, ConnectionError):
        return None


@contextmanager
def process(
    command: list[str], folder: Path, name: str, **environment: str
) -> Iterator[Callable[[], None]]:
    """A program for as long as the block lasts; what is yielded fails where it has ended."""
    log = folder / f"{name}.log"
    with log.open("wb") as written:
        started = subprocess.Popen(
            command, cwd=folder, stdout=written, stderr=written, env=os.environ | environment
        )

    def check() -> None:
        assert started.poll() is None, log.read_text()

    try:
        yield check
    finally:
        started.terminate()
        started.wait(timeout=PATIENCE)


@contextmanager
def prometheus(
    program: str,
    server: str,
    folder: Path,
    *,
    token: str = "",
    alertmanager: str | None = None,
    at_once: bool = False,
) -> Iterator[Callable[[str], Any]]:
    """Asks a path of its API; None while it does not answer.

    The checked-in configuration, changed only where it names containers and in its pace.
    """
    configuration = yaml.safe_load((OPS / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (told,) = configuration["alerting"]["alertmanagers"]
    told["static_configs"] = (
        [{"targets": [alertmanager.removeprefix("http://")]}] if alertmanager else []
    )
    (scrape,) = configuration["scrape_configs"]
    targets = [{"targets": [server.removeprefix("http://")]}]
    (folder / "targets.yml").write_text(yaml.safe_dump(targets))
    scrape["authorization"]["credentials_file"] = str(folder / "token")
    (folder / "token").write_text(token)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    (folder / "alerts.yml").write_text(alerts.render(at_once=at_once))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'metrics'}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with process(command, folder, "prometheus") as running:

        def ask(path: str) -> Any:
            running()
            answer = ask_json(f"{url}/api/v1/{path}")
            return answer and answer["data"]

        yield ask


@contextmanager
def alertmanager(program: str, configuration: str, folder: Path) -> Iterator[str]:
    """Its address, once it answers."""
    (folder / "alertmanager.yml").write_text(configuration)
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alerts'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with process(command, folder, "alertmanager") as running:

        def answers() -> Any:
            running()
            return ask_json(f"{url}/api/v2/status")

        eventually(answers)
        yield url


@contextmanager
def caddy(program: str, configuration: str, folder: Path, **environment: str) -> Iterator[None]:
    """Caddy with `configuration`; what it keeps, it keeps in `folder`."""
    (folder / "Caddyfile").write_text(configuration)
    command = [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with process(command, folder, "caddy", **environment, HOME=str(folder)):
        yield
