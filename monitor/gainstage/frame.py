"""The newest statistics as a labelled table."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gainstage.statistics import IDS, INDEX


@dataclass(frozen=True)
class Table:
    """The statistics of one sampled step.

    Attributes:
        step: The optimizer's step.
        layers: Paths of the layers, in order of data flow.
        values: [layers, statistics] in the order of `statistics.IDS`.
        exists: [layers, statistics], False where a layer has no such statistic.
    """

    step: int
    layers: tuple[str, ...]
    values: npt.NDArray[np.float32]
    exists: npt.NDArray[np.bool_]

    def __getitem__(self, key: tuple[str, str]) -> float | None:
        """`table[layer, statistic]`; None where the layer has no such statistic.

        Raises:
            KeyError: There is no such layer or statistic.
        """
        layer, statistic = key
        if layer not in self.layers:
            raise KeyError(f"No layer {layer!r}. Expected one of {', '.join(self.layers)}.")
        if statistic not in INDEX:
            raise KeyError(f"No statistic {statistic!r}. Expected one of {', '.join(IDS)}.")
        place = self.layers.index(layer), INDEX[statistic]
        return float(self.values[place]) if self.exists[place] else None

    def column(self, statistic: str) -> npt.NDArray[np.float32]:
        """[layers], the values that exist of `statistic`; NaN elsewhere."""
        place = INDEX[statistic]
        return np.where(self.exists[:, place], self.values[:, place], np.float32("nan"))
