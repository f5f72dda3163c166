"""Where a level that is too loud comes from: the layer before, or the one before that."""

import math

from gainstage.diagnosis.view import REFERENCE_DB, View, once


def source_of(view: View, place: int) -> int:
    """The row that is to blame for what enters the row at `place`; that row where the data are.

    Rows that only hand on what they get are passed over, and a row whose own input is too loud
    hands the blame on.
    """
    source = _sources(view).before(place)
    return place if source is None else source


class _Sources:
    """Walks back from rows, and over no row twice."""

    def __init__(self, view: View) -> None:
        self._rows = view.layout.rows
        self._level: list[float] = view["output_db"].tolist()
        known = view.decomposed & view.layout.judged
        self._known: list[bool] = known.tolist()
        self._guilty: list[bool] = (known & ~view.caused_by("input")).tolist()
        self._found: dict[int, int | None] = {}

    def before(self, place: int) -> int | None:
        """The row to blame; None: none before, or the data."""
        at, passed = place, list[int]()
        while at not in self._found:
            self._found[at] = None  # where rows feed one another in a circle, it is none of them
            passed.append(at)
            inputs = self._rows[at].inputs
            if not inputs:  # the data
                self._found[at] = at if self._known[at] else None
                break
            before = max(inputs, key=self._loudness)
            if not self._level[before] > REFERENCE_DB:
                break
            if self._guilty[before]:
                self._found[at] = before
                break
            at = before
        for one in passed:
            self._found[one] = self._found[at]
        return self._found[place]

    def _loudness(self, place: int) -> float:
        level = self._level[place]
        return -math.inf if math.isnan(level) else level


@once
def _sources(view: View) -> _Sources:
    return _Sources(view)
