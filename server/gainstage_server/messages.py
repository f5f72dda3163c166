"""The messages of both WebSockets as JSON Schema; `python -m gainstage_server.messages` prints it.

OpenAPI has no place for them.
"""

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from gainstage import wire
from gainstage_server.live import Subscribe

# Checked in, so that a change of the interface is seen in review.
FILE = Path(__file__).parent / "messages.json"

SOCKETS: dict[str, dict[str, Any]] = {
    "/api/v1/ingest": {"from_trainer": wire.TrainerMessage, "to_trainer": wire.ServerMessage},
    "/api/v1/live": {"from_viewer": Subscribe, "to_viewer": wire.ViewerMessage},
}


def render() -> str:
    """The document as text."""
    directions = [(path, name) for path, socket in SOCKETS.items() for name in socket]
    schemas, definitions = msgspec.json.schema_components(
        [SOCKETS[path][name] for path, name in directions], ref_template="#/$defs/{name}"
    )
    sockets: dict[str, dict[str, Any]] = {path: {} for path in SOCKETS}
    for (path, name), schema in zip(directions, schemas, strict=True):
        sockets[path][name] = schema
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Messages of Gainstage's WebSockets",
        "version": wire.VERSION,
        "description": "A viewer's message is JSON text. All others are binary; what is shown of "
        f"them here is the header, in which bytes are bytes.\n\n{inspect.getdoc(wire)}",
        "sockets": sockets,
        "$defs": definitions,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(render(), end="")
