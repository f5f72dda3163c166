"""The messages of runs that nobody trains, made at hardly any cost."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import msgspec
import numpy as np

from benchmarks.network import EVERY, Network
from gainstage import wire
from gainstage.statistics import BLOCKS, GRADIENTS, QUANTILES

LAYERS = "layers"
# None of these is read by the diagnosis.
_LEFT_OUT = {
    *(f"pre_q{round(100 * quantile):02d}" for quantile in QUANTILES),
    *(f"{tensor}_max" for tensor in ("input", "kernel", "bias", "pre", "output")),
    *("kernel_mean", "kernel_std", "bias_std", "output_mean", "logit_range", "score_entropy"),
}
STATISTICS = {
    LAYERS: tuple(id for id in BLOCKS[LAYERS] if id not in _LEFT_OUT),
    "gradients": GRADIENTS,
}
COUNT = sum(map(len, STATISTICS.values()))

# Consecutive frames, sent over and over; long after the first troubles have begun.
FRAMES = range(400, 416)
ATTEMPT = "a"
SCHEMA = 1  # seq

_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True)
class Body:
    """All of a frame that does not change from run to run."""

    header: wire.Frame
    blocks: dict[str, wire.FloatBlock]
    data: bytes


@cache
def bodies(layers: int) -> Sequence[Body]:
    """Of the same frames in every run."""
    network = Network("", layers, STATISTICS)
    found: list[Body] = []
    for frame in FRAMES:
        message = network.message(frame)
        header, blocks = wire.decode(message)
        assert isinstance(header, wire.Frame)
        size = sum(block.nbytes + -block.nbytes % wire.ALIGNMENT for block in blocks.values())
        found.append(Body(header, blocks, message[-size:]))
    return found


@dataclass
class Messages:
    """Those of one run, in order."""

    run: str
    layers: int
    frames: int = 0

    @property
    def newest(self) -> int:
        """The seq of the frame that was last made."""
        return SCHEMA + self.frames

    def opening(self) -> list[bytes]:
        """What comes before the first frame: seq 0 and 1."""
        return Network(self.run, self.layers, STATISTICS).opening()

    def next_header(self) -> tuple[wire.Frame, Body]:
        """The next frame without its numbers, as of now, and those."""
        body = bodies(self.layers)[self.frames % len(FRAMES)]
        header = msgspec.structs.replace(
            body.header,
            run=self.run,
            seq=self.newest + 1,
            step=EVERY * (self.frames + 1),
            time=time.time(),
        )
        self.frames += 1
        return header, body

    def next(self) -> bytes:
        """The next frame, whose numbers were encoded before."""
        header, body = self.next_header()
        start = _encoder.encode(header)
        start = wire.PREFIX.pack(wire.MAGIC, wire.VERSION, len(start)) + start
        return b"".join((start, bytes(-len(start) % wire.ALIGNMENT), body.data))


def values(layers: int, frame: int) -> np.ndarray:
    """[layers, COUNT] of one of the FRAMES, as other tools are given them."""
    blocks = bodies(layers)[frame % len(FRAMES)].blocks
    return np.concatenate([blocks[name] for name in STATISTICS], axis=1)
