"""Python source of a layer, rebuilt from the arguments that its row carries.

Everything in it comes from a trainer and is untrusted where a server writes it: names are checked
to be identifiers, values are written by `repr`.
"""

from collections.abc import Mapping
from typing import Any

from gainstage.wire import Row

INDENT = " " * 4
Call = Mapping[str, Any]


def call(name: str, /, **arguments: Any) -> Call:
    """The call `name(**arguments)` as data; arguments that are None are left out."""
    return {"class": name, "arguments": {k: v for k, v in arguments.items() if v is not None}}


def layer(row: Row, /, **changes: Any) -> Call:
    """The layer of `row` with some arguments changed; an argument set to None is left out."""
    return call(f"keras.layers.{row.kind}", **{**row.arguments, **changes})


def replacement(row: Row, *layers: Call) -> str:
    """Python that assigns `replacement`, the list of layers to put in the place of `row`."""
    lines = [f"{INDENT}{_source(one)},\n" for one in layers]
    return f"# In the place of {row.path!r}:\nreplacement = [\n{''.join(lines)}]\n"


def _source(value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == {"class", "arguments"}:
        name = str(value["class"])
        if not all(part.isidentifier() for part in name.split(".")):
            name = "UnknownName"
        arguments = {str(key): item for key, item in value["arguments"].items()}
        named = ", ".join(
            f"{key}={_source(item)}" for key, item in arguments.items() if key.isidentifier()
        )
        return f"{name}({named})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_source(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "(" + "".join(f"{_source(item)}, " for item in value).rstrip() + ")"
    if isinstance(value, float):
        return f"{value:.6g}"
    return repr(value)
