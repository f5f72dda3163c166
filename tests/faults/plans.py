"""What trainers are told to do, as a line of JSON."""

from pathlib import Path
from typing import Self

import msgspec

from gainstage import spool

from .crash import Crash

STEPS = 40
FRAMES = STEPS - 1  # the first call of a model is never sampled


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Something that fits on a line."""

    @property
    def line(self) -> str:
        return msgspec.json.encode(self, enc_hook=str).decode()

    @classmethod
    def read(cls, line: str) -> Self:
        return msgspec.json.decode(line, type=cls, dec_hook=lambda kind, value: kind(value))


class Plan(Line, frozen=True, kw_only=True):
    """What a trainer without Keras is to do.

    Attributes:
        url: Address of the server.
        folder: Of the spool.
        journal: What it appends is written down there.
        run: Its name.
        frames: How many samples it takes; they are `gap` seconds apart.
        layers: Of each sample.
        crash: Where it dies, if it does.
        patience: Seconds that its end waits for the server.
        spool_bytes: Most bytes that may wait.
    """

    url: str
    folder: Path
    journal: Path
    run: str = "run"
    frames: int = 20
    gap: float = 0.005
    layers: int = 3
    crash: Crash | None = None
    patience: float = 60.0
    spool_bytes: int = spool.MAX_BYTES


class Fit(Line, frozen=True, kw_only=True):
    """A training by Keras of `STEPS` steps.

    Attributes:
        run: Its name.
        url: Address of the server; None: it is not monitored.
        folder: Of the spool.
        halfway: Whether it waits there for a line on its standard input.
    """

    run: str
    url: str | None = None
    folder: Path | None = None
    halfway: bool = True
