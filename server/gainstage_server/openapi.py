"""The description of the HTTP interface; `python -m gainstage_server.openapi` prints it."""

import json
from pathlib import Path

from pydantic import SecretStr

from gainstage_server.app import create_app
from gainstage_server.settings import Settings

# Checked in, so that a change of the interface is seen in review; the dashboard's types come
# from it.
FILE = Path(__file__).parent / "openapi.json"


def render() -> str:
    """The OpenAPI document as text."""
    document = create_app(Settings(database=SecretStr("unused.db"))).openapi()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(render(), end="")
