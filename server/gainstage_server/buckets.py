"""Downsampling that loses no spike: the smallest, largest and last value of each bucket."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


class Buckets:
    """Collects `frames` frames of `columns` values in at most `points` buckets.

    The buckets hold equally many frames, or one more. A NaN stays visible: it is smallest and
    largest of its bucket. Values that are not present count nowhere.

    Attributes:
        steps: [points], step of the last frame of each bucket.
        times: [points], time of the last frame of each bucket.
        min: [points, columns]
        max: [points, columns]
        last: [points, columns]
        present: [points, columns], False where no frame of the bucket has a value.
    """

    def __init__(self, frames: int, points: int, columns: int) -> None:
        self._frames = frames
        self._next = 0
        size = min(frames, points)
        self.downsampled = frames > points
        self.steps = np.zeros(size, np.int64)
        self.times = np.zeros(size, np.float64)
        self.min: Floats = np.full((size, columns), np.inf, np.float32)
        self.max: Floats = np.full((size, columns), -np.inf, np.float32)
        self.last: Floats = np.full((size, columns), np.nan, np.float32)
        self.present: Flags = np.zeros((size, columns), bool)

    @property
    def full(self) -> bool:
        """Whether all the frames that were announced have been added."""
        return self._next >= self._frames

    def add(self, step: int, time: float, values: Floats, present: Flags) -> None:
        """Add the next frame: `values` and `present` are [columns]."""
        place = self._next * len(self.steps) // self._frames
        self._next += 1
        self.steps[place], self.times[place] = step, time
        np.minimum(self.min[place], values, out=self.min[place], where=present)
        np.maximum(self.max[place], values, out=self.max[place], where=present)
        np.copyto(self.last[place], values, where=present)
        self.present[place] |= present
