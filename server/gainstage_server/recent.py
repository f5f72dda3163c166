"""A dictionary of bounded size."""

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Holds at most `size` values and forgets the one that was not used for longest."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value of `key`, if it is still held."""
        with contextlib.suppress(KeyError):  # also where another thread has just dropped it
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Hold `value`, and let go of what was not used for longest."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)

    def drop(self, key: K) -> None:
        """Let go of `key`, if it is held."""
        self._values.pop(key, None)

    def drop_where(self, unwanted: Callable[[K], bool]) -> None:
        """Let go of all keys that are `unwanted`."""
        for key in filter(unwanted, list(self._values)):
            del self._values[key]
