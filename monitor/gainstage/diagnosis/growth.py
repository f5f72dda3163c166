"""Levels that grow from layer to layer."""

import numpy as np

from gainstage.diagnosis.view import Bools, View, anywhere

# A hundredfold of what the data and unit rms account for. Networks that start from
# variance-preserving weights stayed within 15 dB of it; from weights half again as large, twelve
# ReLU layers gain 28 dB and still learn.
LOUD_DB = 40.0
CLOSING_DB = 30.0


def grown(view: View, limit: float) -> Bools:
    """[rows]: level above what the data bring in, where the network passes it on to its end."""
    level = np.where(np.isnan(view["pre_db"]), view["output_db"], view["pre_db"])
    loud = level > limit
    if not anywhere(loud):  # the data's level is never taken for less than 0 dB
        return loud
    entering = view["input_db"][view.layout.first]
    data = max(0.0, float(np.nanmax(entering, initial=0.0)))
    loud = level > data + limit
    # A layer of which nothing gets through is no step of an explosion, and an output that has to
    # be large, as the price of a house, none either.
    passed_on = loud[view.layout.last].any() and loud[~view.layout.last].any()
    return loud & passed_on
