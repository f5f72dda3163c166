"""A frame cut down to the statistics that a viewer shows."""

from collections.abc import Mapping

from gainstage import wire
from gainstage_server.admission import Admitted
from gainstage_server.layout import Layout

Statistics = frozenset[str]


def excerpt(
    frame: wire.Frame,
    blocks: Mapping[str, wire.FloatBlock],
    layout: Layout,
    statistics: Statistics,
) -> bytes:
    """The frame with one block [rows] for each of `statistics` that was sampled, named by it."""
    columns = ((name, layout.column(blocks, name)) for name in sorted(statistics))
    return wire.encode(frame, {name: column[0] for name, column in columns if column})


class Publication:
    """A message on its way to viewers; those who show the same statistics share one excerpt."""

    def __init__(self, item: Admitted) -> None:
        self.message = item.message
        self._item = item
        self._excerpts: dict[Statistics, bytes] = {}

    def data(self, statistics: Statistics | None) -> bytes:
        """As a viewer of `statistics` is sent it; None: as the trainer sent it."""
        frame, layout = self.message, self._item.layout
        if statistics is None or layout is None or not isinstance(frame, wire.Frame):
            return self._item.raw
        if statistics not in self._excerpts:
            self._excerpts[statistics] = excerpt(frame, self._item.blocks, layout, statistics)
        return self._excerpts[statistics]
