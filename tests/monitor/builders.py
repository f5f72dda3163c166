"""Messages, schemas and frames for the tests, with every field set that does not matter."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from gainstage import wire
from gainstage.diagnosis import State, advance
from gainstage.diagnosis.view import Layout, View
from gainstage.finding import Finding
from gainstage.statistics import BY_ID, IDS, INDEX

IDENTITY = {"run": "run-1", "attempt": "00ff00ff00ff00ff", "seq": 0, "time": 1_700_000_000.0}
COLUMNS = tuple(wire.Column(id, BY_ID[id].version) for id in IDS)
SGD = wire.Training(
    backend="tensorflow",
    keras="3.15.0",
    optimizer="SGD",
    learning_rate=0.05,
    momentum=0.9,
    loss="sparse_categorical_crossentropy",
    batch_size=32,
)

# A layer within its range, in front of a sigmoid whose headroom is +15.5 dB.
CALM: Mapping[str, float] = {
    "input_db": 0.0,
    "input_rms": 1.0,
    "kernel_rms": 0.1,
    "gain_db": 0.0,
    "coherence_db": 0.0,
    "common_mode": 0.5,
    "aligned": 0.8,
    "bias_db": -20.0,
    "pre_db": 0.0,
    "saturation_rate": 0.0,
    "dead_units": 0.0,
    "zero_rate": 0.0,
    "input_eigenvalue": 2.0,
    "nonfinite_rate": 0.0,
    "input_nonfinite_rate": 0.0,
    "weight_nonfinite_rate": 0.0,
}
# The same layer far beyond it; which term is to blame is for each test to say.
LOUD: Mapping[str, float] = {**CALM, "pre_db": 30.0, "saturation_rate": 0.9}
GUILTY: Mapping[str, Mapping[str, float]] = {
    "activity": {**LOUD, "coherence_db": 30.0},
    "kernel": {**LOUD, "gain_db": 30.0},
    "input": {**LOUD, "input_db": 30.0, "input_rms": 31.6},
    "bias": {**LOUD, "bias_db": 30.0},
    "dead": {**CALM, "dead_units": 0.9},
    "nonfinite": {**CALM, "nonfinite_rate": 0.1},
}


def row(name: str = "hidden", **fields: Any) -> wire.Row:
    """A Dense layer with a fused sigmoid, unless `fields` say otherwise."""
    usual: dict[str, Any] = {
        "id": name,
        "path": f"model/{name}",
        "kind": "Dense",
        "output_shape": (8,),
        "kernel_shape": (4, 8),
        "parameters": 40,
        "fan_in": 4.0,
        "activation": "sigmoid",
        "fused": True,
        "arguments": {"name": name, "units": 8, "activation": "sigmoid"},
    }
    return wire.Row(**{**usual, **fields})


def schema(
    rows: Sequence[wire.Row] = (), training: wire.Training = SGD, exists: Any = None
) -> wire.Schema:
    """A schema of `rows`, one where none are given, in which every statistic exists."""
    rows = tuple(rows) or (row(),)
    if exists is None:
        exists = np.ones((len(rows), len(COLUMNS)), bool)
    mask = np.packbits(np.asarray(exists).ravel(), bitorder="little").tobytes()
    return wire.Schema(
        **{**IDENTITY, "seq": 1},
        rows=rows,
        blocks={"layers": wire.BlockSchema(COLUMNS, mask)},
        training=training,
    )


def sample(
    step: int, *rows: Mapping[str, float], source: str = "probe"
) -> tuple[wire.Frame, dict[str, wire.FloatBlock]]:
    """A frame at `step` with the statistics of each row; those not named are NaN."""
    values = np.full((len(rows), len(COLUMNS)), np.nan, np.float32)
    for line, statistics in zip(values, rows, strict=True):
        for id, value in statistics.items():
            line[INDEX[id]] = value
    frame = wire.Frame(**{**IDENTITY, "seq": 2 + step}, schema=1, step=step, source=source)
    return frame, {"layers": values}


def view(
    *statistics: Mapping[str, float],
    rows: Sequence[wire.Row] = (),
    samples: int = 16,
    training: wire.Training = SGD,
) -> View:
    """One frame as the rules see it, after `samples` samples; a Dense layer for each row."""
    rows = tuple(rows) or tuple(row(f"layer-{place}") for place in range(len(statistics)))
    layout = Layout(schema(rows, training))
    return View(layout, layout.matrix(sample(0, *statistics)[1]), samples)


def fold(
    state: State, *frames: tuple[wire.Frame, dict[str, wire.FloatBlock]]
) -> tuple[State, list[Finding]]:
    """The state after all `frames`, and every event on the way."""
    events: list[Finding] = []
    for frame, blocks in frames:
        state, new = advance(state, frame, blocks)
        events += new
    return state, events


def same(some: list[Finding], others: list[Finding]) -> bool:
    """Whether the findings are equal, a NaN among the evidence included."""
    return msgspec.msgpack.encode(some) == msgspec.msgpack.encode(others)
