"""Tables as text."""

import math
from collections.abc import Sequence


def grid(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be, the first flush left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def number(value: float, digits: int) -> str:
    """A dash where there is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
