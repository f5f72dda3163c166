"""Python source of a layer, rebuilt from the arguments that its row carries.

Everything in it comes from a trainer and is untrusted where a server writes it, and a reader pastes
it: only classes of Keras are called, keywords are identifiers, and values are literals.
"""

import math
import re
from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

from gainstage.wire import Row

INDENT = " " * 4
WIDTH = 100
# More stand on a line each, so that a comparison of two layers, line by line, shows what differs.
ARGUMENTS_ON_A_LINE = 2
# Classes alone: functions of these modules, such as `deserialize`, can be made to run anything.
KERAS_CLASS = re.compile(
    r"keras\.(layers|initializers|regularizers|constraints)\.[A-Z][A-Za-z0-9]*|keras\.DTypePolicy"
)
# Layers that run code or load files which their arguments name.
NOT_CALLED = ("keras.layers.Lambda", "keras.layers.TFSMLayer")
UNKNOWN = "UnknownName"
Call = Mapping[str, Any]


def call(name: str, /, **arguments: Any) -> Call:
    """The call `name(**arguments)` as data; arguments that are None are left out."""
    return {"class": name, "arguments": {k: v for k, v in arguments.items() if v is not None}}


def layer(row: Row, /, **changes: Any) -> Call:
    """The layer of `row` with some arguments changed; an argument set to None is left out."""
    return call(f"keras.layers.{row.kind}", **{**row.arguments, **changes})


def replacement(row: Row, *layers: Call) -> str:
    """Python that assigns `replacement`, the list of layers to put in the place of `row`.

    Empty for a part of a layer, and for a layer that cannot tell its arguments: they have no names.
    """
    if "name" not in row.arguments:
        return ""
    lines = "".join(f"{_layer_source(one)},\n" for one in layers)
    return f"# In the place of {row.path!r}:\nreplacement = [\n{lines}]\n"


def _layer_source(layer: Call) -> str:
    """The call on a line of its own, or its arguments on a line each: many ones, or long ones."""
    arguments = dict(layer["arguments"])
    if "name" in arguments:  # last, as people write it
        arguments["name"] = arguments.pop("name")
    line = INDENT + _call_source(layer["class"], arguments)
    named = sum(_is_keyword(str(key)) for key in arguments)
    if named <= ARGUMENTS_ON_A_LINE and len(line) < WIDTH:
        return line
    return INDENT + _call_source(layer["class"], arguments, f"\n{INDENT * 2}", f",\n{INDENT}")


def _source(value: Any) -> str:
    if isinstance(value, Mapping):
        if set(value) == {"class", "arguments"} and isinstance(value["arguments"], Mapping):
            return _call_source(str(value["class"]), value["arguments"])
        items = (f"{_source(key)}: {_source(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "(" + "".join(f"{_source(item)}, " for item in value).rstrip() + ")"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or type(value) in {bool, int, float, str}:
        return repr(value)
    return repr(str(value))


def _call_source(
    name: str, arguments: Mapping[Any, Any], before: str = " ", behind: str = ""
) -> str:
    """`name(...)`, `before` each argument and `behind` the last."""
    last = name.rpartition(".")[2]
    if not KERAS_CLASS.fullmatch(name) or name in NOT_CALLED or iskeyword(last):
        name = UNKNOWN
    named = [
        f"{before}{key}={_source(item)}" for key, item in arguments.items() if _is_keyword(str(key))
    ]
    inside = ",".join(named).lstrip(" ") + behind
    return f"{name}({inside})"


def _is_keyword(name: str) -> bool:
    """Whether `name` may stand before the "=" of an argument."""
    return name.isascii() and name.isidentifier() and not iskeyword(name) and name != "__debug__"
