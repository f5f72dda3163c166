"""A server process for the tests of what talks to one, and an address where none listens."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from gainstage.served import served


def serving(folder: Path, **settings: str) -> AbstractContextManager[str]:
    """The address of a server, for as long as the block lasts; a full disk does not stop it."""
    return served(folder, **{"disk_floor": "0", **settings})


@contextmanager
def nowhere() -> Iterator[str]:
    """An address that refuses every connection: bound, but nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"
