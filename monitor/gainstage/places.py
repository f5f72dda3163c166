"""Where things are unless the user says otherwise, and commands that name what is elsewhere."""

import shlex
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8420"
DEFAULT_PORT = 8420


def home() -> Path:
    """The folder of everything that Gainstage writes."""
    return Path.home() / ".gainstage"


def spools() -> Path:
    """The folder of the on-disk queues."""
    return home() / "spool"


def run_page(url: str, run: str) -> str:
    """Address of a run's page, on the server at `url`."""
    return f"{url.rstrip('/')}/runs/{run}"


def install_command(extra: str) -> str:
    """How an extra of this package is installed; it is on no index."""
    return f'in a clone of Gainstage: pip install ".[{extra}]"'


def serve_command(url: str) -> str | None:
    """The command that starts a server at `url`; None where that is another machine's address."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in {"127.0.0.1", "localhost"}:
        return None
    port = parts.port or 80
    return "gainstage serve" + ("" if port == DEFAULT_PORT else f" --port {port}")


def sync_command(url: str, folder: Path) -> str:
    """The command that sends the spools in `folder` to the server at `url`."""
    words = ["gainstage", "sync"]
    if url.rstrip("/") != DEFAULT_URL:
        words += ["--url", url]
    if folder != spools():
        words.append(str(folder))
    return shlex.join(words)
