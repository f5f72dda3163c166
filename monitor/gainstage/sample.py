"""What one pass of the probe brought: the rows it went through, and what was read of each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from gainstage import wire
from gainstage.readings import Reading


@dataclass(frozen=True)
class Sample:
    """One sample of a model.

    Attributes:
        rows: One for each call of a layer, and for each part inside one.
        read: Makes the readings; takes no tensors, so that any thread may.
        traced: Whether a pass was traced or compiled for it.
        gradients: [rows, `statistics.GRADIENTS`], NaN where a row has none; None: not taken.
    """

    rows: tuple[wire.Row, ...]
    read: Callable[[], list[Reading]]
    traced: bool
    gradients: wire.FloatBlock | None = None

    @cached_property
    def readings(self) -> list[Reading]:
        """One for each row."""
        return self.read()
