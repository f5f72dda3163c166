"""How the commands of this package print what they have measured."""

import json
from collections.abc import Mapping

WIDTH = 18


def tell(figures: Mapping[str, object], *, as_json: bool) -> None:
    """One JSON object, or a line for each figure."""
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:{WIDTH}} {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
