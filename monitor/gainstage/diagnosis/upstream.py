"""Where a level that is too loud comes from: the layer before, or the one before that."""

import numpy as np

from gainstage.diagnosis.view import REFERENCE_DB, View


def source_of(view: View, place: int) -> int:
    """The row that is to blame for what enters the row at `place`; that row where the data are.

    Rows that only hand on what they get are passed over, and a row whose own input is too loud
    hands the blame on.
    """
    level, cause = view["output_db"], view.cause
    known = view.decomposed & view.layout.judged
    at, passed = place, {place}
    while True:
        before = [one for one in view.layout.rows[at].inputs if one not in passed]
        if not before:  # the data
            return at if known[at] else place
        at = max(before, key=lambda one: np.nan_to_num(level[one], nan=-np.inf))
        passed.add(at)
        if not level[at] > REFERENCE_DB:
            return place
        if known[at] and cause[at] != "input":
            return at
