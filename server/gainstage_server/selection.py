"""What is asked of frames: where those of one schema hold it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from gainstage.units import UNITS
from gainstage_server.compaction.rollups import Flags, Floats, Places
from gainstage_server.layout import Layout


@dataclass(frozen=True)
class Spots:
    """Values of one block: `columns` of what is asked for stand in these rows and places of it."""

    columns: Places
    rows: Places
    places: Places

    @cached_property
    def span(self) -> tuple[int, int]:
        """The first of the rows, and the one behind the last."""
        return int(self.rows.min()), int(self.rows.max()) + 1


class Selection(Protocol):
    """What is asked for: so many values of each frame."""

    def __len__(self) -> int: ...

    def spots(self, layout: Layout) -> Mapping[str, Spots]:
        """Block -> where frames of this layout hold what is asked for."""
        ...


@dataclass(frozen=True)
class Cell:
    """One statistic of one row, the row by its id."""

    row: str
    statistic: str


@dataclass(frozen=True)
class Cells:
    """Statistics of rows."""

    cells: Sequence[Cell]

    def __len__(self) -> int:
        return len(self.cells)

    def spots(self, layout: Layout) -> Mapping[str, Spots]:
        """By the schema's mask."""
        found: dict[str, list[tuple[int, int, int]]] = {}
        for position, cell in enumerate(self.cells):
            if cell.row in layout.rows and cell.statistic in layout.places:
                block, column = layout.places[cell.statistic]
                row = layout.rows[cell.row]
                if layout.masks[block][row, column]:
                    found.setdefault(block, []).append((position, row, column))
        return {name: Spots(*np.array(spots, np.intp).T) for name, spots in found.items()}


@dataclass(frozen=True)
class UnitMap:
    """The first `groups` columns of a row's unit map, the row by its id."""

    row: str
    groups: int

    def __len__(self) -> int:
        return self.groups

    def spots(self, layout: Layout) -> Mapping[str, Spots]:
        """Of a row that once had more units, as many as are asked for."""
        row = layout.rows.get(self.row)
        places = layout.unit_columns(row)[: self.groups] if row is not None else ()
        if row is None or not len(places):
            return {}
        return {UNITS: Spots(np.arange(len(places)), np.full(len(places), row), np.array(places))}


def values(
    size: int, spots: Mapping[str, Spots], blocks: Mapping[str, bytes]
) -> tuple[Floats, Flags]:
    """[size], what a frame has in these spots, and which of it is there.

    `blocks` are those rows of its blocks that the spots span.
    """
    found = np.full(size, np.nan, np.float32)
    present = np.zeros(size, bool)
    for name, data in blocks.items():
        at = spots[name]
        first, end = at.span
        block = np.frombuffer(data, "<f4").reshape(end - first, -1)
        found[at.columns] = block[at.rows - first, at.places]
        present[at.columns] = True
    return found, present
