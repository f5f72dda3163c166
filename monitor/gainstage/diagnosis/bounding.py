"""A bound on the norm of each unit's weights: it takes weights that are kept back at once.

The norm of a unit's weights is its gain. A bound leaves their direction, and it does not depend on
the optimizer, where a penalty brings weights down by about the learning rate a step at most.
"""

from gainstage.diagnosis.source import Call, call
from gainstage.diagnosis.strength import amplitude
from gainstage.wire import Row

# Axes of a kernel that a unit sums over, by kind of layer; Keras's default is that of Dense.
SUMMED = {"Dense": None, "Conv1D": (0, 1), "Conv2D": (0, 1, 2), "Conv3D": (0, 1, 2, 3)}


def boundable(row: Row) -> bool:
    """Whether units of the row can be bounded, and are not constrained otherwise."""
    return row.kind in SUMMED and "kernel_constraint" not in row.arguments


def bounded_at(row: Row, gain_db: float) -> tuple[float, Call]:
    """The norm of that gain, and the constraint that no unit of a `boundable` row exceeds it by."""
    norm = float(f"{amplitude(gain_db):.2g}")
    return norm, call("keras.constraints.MaxNorm", max_value=norm, axis=SUMMED[row.kind])
