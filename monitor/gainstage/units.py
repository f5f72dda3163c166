"""Unit maps: through which units of a row (almost) no gradient passes.

A map is a block of a frame like any other, [rows, 64], but its columns are no statistics: column u
is unit u of the row, or the mean over a group of neighbouring units where a row has more than 64.
A value is the share of what was sampled of the unit that is saturated, as `saturation_rate` has it,
and, of functions that are flat at 0, that is 0, as `zero_rate` has it. Rows whose function is
neither (linear, leaky, smooth ones such as GELU, and those that mix units) have no map.
"""

from dataclasses import dataclass, field

import numpy as np

from gainstage import wire
from gainstage.summaries import Array, Bools, Counts, Places

UNITS = "units"
# Blocks whose columns are units: whatever reads statistics leaves these out.
UNIT_MAPS = frozenset({UNITS})
COLUMNS = 64
IDS = tuple(f"unit_{column:02d}" for column in range(COLUMNS))
VERSION = 1
# With every fifth sample, maps are a fifth of what frames take. An odd number, because a spool that
# is full keeps every second frame, or fourth, eighth...: of those every fifth has a map still.
EVERY = 5
# Up to here a map has 16 kB, and is worth its place in every sample.
FEW_ROWS = 64


def due(sample: int, rows: int) -> bool:
    """Whether the sample has a map; the first of a schema, number 0, always has."""
    return rows <= FEW_ROWS or sample % EVERY == 0


def presence(units: Places) -> Bools:
    """[rows, 64], True where a row of so many units has a column; 0 of a row without a map."""
    return np.arange(COLUMNS) < units[:, None]


def described(units: Places) -> wire.BlockSchema:
    """What a schema says of the block, for rows of so many units."""
    columns = tuple(wire.Column(id, VERSION) for id in IDS)
    return wire.BlockSchema(columns, wire.packed(presence(units)), tuple(units.tolist()))


def grouped(counts: Counts) -> tuple[Counts, Places]:
    """[rows, groups] sums over neighbouring units, and [groups] how many units those are.

    Groups are as equal as can be, and every unit is in one.

    Args:
        counts: [rows, units].
    """
    units = counts.shape[1]
    groups = min(units, COLUMNS)
    starts = np.arange(groups) * units // groups
    sums = counts if groups == units else np.add.reduceat(counts, starts, axis=1)
    return sums, np.diff(starts, append=units)


@dataclass
class UnitMap:
    """The map of one sample, filled in as its rows are measured."""

    rows: int
    _shares: Array = field(init=False)
    _seen: Bools = field(init=False)  # [rows]

    def __post_init__(self) -> None:
        self._shares = np.zeros((self.rows, COLUMNS), np.float32)
        self._seen = np.zeros(self.rows, bool)

    def add(self, rows: Places, counts: Counts, positions: int) -> None:
        """Adds values through which no gradient passes, to those that were added before.

        Args:
            rows: Which rows these are.
            counts: [rows, units], how many such values each unit has.
            positions: How many values it has in all.
        """
        sums, sizes = grouped(counts)
        self._shares[rows, : len(sizes)] += sums / (sizes * positions)
        self._seen[rows] = True

    def block(self, units: Places) -> Array:
        """[rows, 64], NaN of rows of which this sample showed nothing.

        Args:
            units: [rows], how many units each row has; 0 where it has no map.
        """
        shown = np.where(self._seen[:, None], self._shares, np.float32(np.nan))
        return np.where(presence(units), shown, np.float32(0))
