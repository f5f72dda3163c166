"""Layers that let no gradient pass: what lies before them is not at fault for what it lacks."""

import numpy as np

from gainstage.diagnosis.overload import overloaded
from gainstage.diagnosis.rules import dead, nonfinite
from gainstage.diagnosis.view import Bools, View, anywhere, once

# Of the values of a rectifier whose units have all fallen silent; healthy ones are zero for half.
SILENT = 0.99


@once
def blocking(view: View) -> Bools:
    """[rows]: saturated, dead or about to be, or not finite."""
    silent = (view["zero_rate"] > SILENT) & dead.hears(view)
    return overloaded(view) | dead.symptom(view) | silent | nonfinite.holds(view)


def first(view: View, there: Bools) -> Bools:
    """[rows]: the first row, in order of data flow, that is `there`; none while one blocks."""
    only = np.zeros_like(there)
    if anywhere(there) and not anywhere(blocking(view)):
        only[np.argmax(there)] = True
    return only
