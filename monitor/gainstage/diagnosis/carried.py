"""What a layer carries already: the regularizers that it was given."""

from typing import Any

from gainstage.wire import Row

SUFFIX = "_regularizer"


def penalties(row: Row) -> dict[str, Any]:
    """Argument -> regularizer, of those that `row` was given."""
    return {
        name: value
        for name, value in row.arguments.items()
        if name.endswith(SUFFIX) and value is not None
    }
