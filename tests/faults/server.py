"""The server as `gainstage serve` runs it, that dies where it is told to.

    python -m tests.faults.server [CRASH]

CRASH is a `Crash` as JSON; the settings are read from the environment.
"""

import sys

import msgspec
from starlette.websockets import WebSocket

from gainstage import wire
from gainstage_server import app, ingest
from gainstage_server.settings import Settings
from gainstage_server.store.sqlite import SQLiteStore

from .crash import Crash, arm


def _is_acknowledgement(_: WebSocket, data: bytes) -> bool:
    return isinstance(wire.decode(data)[0], wire.Ack)


# Where a server can be told to die.
PLACES = {
    # "before" is at the end of the transaction, all of whose rows are written.
    "commit": (SQLiteStore, "write", None),
    # Of what was committed, the trainer is about to be told.
    "answer": (ingest.Trainer, "answer", None),
    "acknowledge": (WebSocket, "send_bytes", _is_acknowledgement),
}


def main(where: Crash | None) -> None:
    """Serves until it is told to end."""
    if where is not None:
        owner, name, counts = PLACES[where.place]
        arm(owner, name, where, counts=counts)
    app.serve(Settings())


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Crash) if sys.argv[1:] else None)
