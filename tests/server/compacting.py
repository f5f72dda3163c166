"""Runs whose frames become chunks, and what a store has of them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from gainstage import units, wire
from gainstage_server.compaction.compactor import Compactor
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store
from gainstage_server.store.records import Span, Stream

from .trainer import Trainer

STREAM = Stream("canonical", "a1", 0)
ALL = Span(STREAM, 0, 2**53)


class Run(Trainer):
    """Frames of three rows with any values, of which some blocks come now and then."""

    def opening(self) -> list[bytes]:
        start, schema = self.run_start(), self.schema_message()
        several = {
            "layers": _block(("pre_db", "bias_db")),
            "gradients": _block(("gain",)),
            units.UNITS: _block(units.IDS, exists=np.arange(64) < 2),
        }
        return [start, wire.encode(msgspec.structs.replace(schema, blocks=several))]

    def any(self, step: int, **changes: object) -> bytes:
        rng = np.random.default_rng(self.seq)
        values = rng.normal(size=(3, 2)).astype(np.float32)
        values[rng.random((3, 2)) < 0.02] = rng.choice(np.float32([np.nan, np.inf, -np.inf, 1e30]))
        blocks = {"layers": values}
        if self.seq % 3 == 0:
            blocks["gradients"] = rng.normal(size=(3, 1)).astype(np.float32)
        if self.seq % 5 == 0:
            blocks[units.UNITS] = rng.random((3, 64), np.float32)
        logs = {"loss": float(rng.normal())} if self.seq % 2 else {}
        frame = wire.decode(self.frame_of(step, logs=logs, **changes))[0]
        return wire.encode(frame, blocks)

    def frame_of(self, step: int, **changes: object) -> bytes:
        fields = {"schema": self.schema_seq, "step": step} | changes
        return wire.encode(wire.Frame(**self._identity() | fields))


def _block(names: Sequence[str], exists: Any = True) -> wire.BlockSchema:
    mask = np.broadcast_to(exists, (3, len(names)))
    return wire.BlockSchema(tuple(wire.Column(name, 1) for name in names), wire.packed(mask))


def compact(store: Store, *, clock: float = 0.0, floor: int = 0, **given: Any) -> int:
    """How many chunks were made, merged or made coarser until none was due."""
    compactor = Compactor(Settings(disk_floor=floor, **given), store, clock=lambda: clock)
    made = 0
    while compactor.step():
        made += 1
    return made


def raws(store: Store, stream: Stream = STREAM) -> list[bytes]:
    return [frame.raw for frame in store.frames_after(stream, -1)]


def chunks(store: Store) -> list[int]:
    """How many frames each has."""
    with store.past() as past:
        return [chunk.frames for chunk in past.chunks(ALL)]


def waiting(store: Store) -> list[int]:
    with store.past() as past:
        return [frame.step for frame in past.headers(ALL)]


def frames_between(run: Run, first: int, end: int) -> list[bytes]:
    return [run.any(step) for step in range(first, end)]
