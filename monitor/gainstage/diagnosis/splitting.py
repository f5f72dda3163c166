"""Activity penalties stand in front of an activation that bounds: behind it they are inert.

There they act on bounded values, whose gradient is 0 just where the unit is saturated, and
elsewhere pull it towards output 0, which is the far side of a sigmoid.
"""

import numpy as np

from gainstage.diagnosis.carried import ACTIVITY, Penalty, l2, penalties
from gainstage.diagnosis.rule import Case
from gainstage.diagnosis.source import Call, call, layer, replacement
from gainstage.diagnosis.strength import HOLDING_STEPS, NEPER_DB, activity_penalty, amplitude

INERT = "acts on bounded values, whose gradient is 0 just where the unit is saturated"


def bounded(case: Case) -> bool:
    """Whether the layer returns what an activation of its own has bounded."""
    return case.row.fused and bool(np.isfinite(case.headroom_db))


def misplaced(case: Case) -> Penalty | None:
    """The activity penalty that the layer carries behind an activation which bounds."""
    return penalties(case.row).get(ACTIVITY) if bounded(case) else None


def activation_of(case: Case) -> Call:
    """The layer's activation, as a layer of its own."""
    return call("keras.layers.Activation", activation=case.row.activation)


def amended(case: Case, *front: Call, **changes: Call | None) -> tuple[str, str]:
    """The patch that makes `changes` and puts `front` before the layer; words, and code.

    An activity penalty on the wrong side goes in front of the activation, with the strength of one
    that only has to hold what the rest of the patch achieves; the words are about that.
    """
    wrong = misplaced(case)
    if wrong is None:
        return "", replacement(case.row, *front, layer(case.row, **changes))
    strength = activity_penalty(
        case.row,
        case.training,
        excess_db=NEPER_DB,
        target=amplitude(case.wanted_db),
        eigenvalue=case["input_eigenvalue"],
        steps=HOLDING_STEPS,
    )
    right = l2(strength)
    split = layer(case.row, **changes, activation=None, activity_regularizer=right.given)
    words = (
        f" The {wrong} on its outputs {INERT}: the patch puts {right} in front of the "
        f"{case.row.activation} instead, which takes a factor e off the level in "
        f"{HOLDING_STEPS:,} steps, enough to hold it."
    )
    return words, replacement(case.row, *front, split, activation_of(case))
