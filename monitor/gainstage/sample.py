"""What one pass of the probe brought: the rows it went through, and what was read of each."""

from dataclasses import dataclass

from gainstage import wire
from gainstage.readings import Reading


@dataclass(frozen=True)
class Sample:
    """One sample of a model.

    Attributes:
        rows: One for each call of a layer, and for each part inside one.
        readings: One for each row.
        traced: Whether a pass was traced or compiled for it.
        gradients: [rows, `statistics.GRADIENTS`], NaN where a row has none; None: not taken.
    """

    rows: tuple[wire.Row, ...]
    readings: list[Reading]
    traced: bool
    gradients: wire.FloatBlock | None = None
