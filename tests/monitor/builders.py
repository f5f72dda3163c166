"""Messages, schemas and frames for the tests, with every field set that does not matter."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from gainstage import wire
from gainstage.activations import TABLE
from gainstage.diagnosis import RULES, State, advance, begin
from gainstage.diagnosis.fold import seen
from gainstage.diagnosis.view import View
from gainstage.finding import Finding
from gainstage.statistics import BLOCKS, BY_ID

IDENTITY = {"run": "run-1", "attempt": "00ff00ff00ff00ff", "seq": 0, "time": 1_700_000_000.0}
COLUMNS = {
    block: tuple(wire.Column(id, BY_ID[id].version) for id in ids) for block, ids in BLOCKS.items()
}
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
    "pre_std": 0.9,
    "output_std": 0.2,
    "update_ratio": 1e-3,
    "gradient_rms": 0.01,
    "gradient_ratio": 0.5,
    "penalty_ratio": 0.0,
}
# The same layer far beyond it; which term is to blame is for each test to say.
LOUD: Mapping[str, float] = {**CALM, "pre_db": 30.0, "saturation_rate": 0.9}
GUILTY: Mapping[str, Mapping[str, float]] = {
    "activity": {**LOUD, "coherence_db": 30.0},
    "kernel": {**LOUD, "gain_db": 30.0},
    "input": {**LOUD, "input_db": 30.0, "input_rms": 31.6},
    "bias": {**LOUD, "bias_db": 30.0},
    "dead": {**CALM, "dead_units": 1.0},
    "nonfinite": {**CALM, "nonfinite_rate": 0.1},
    "over_regularized": {**CALM, "pre_std": 0.01, "penalty_ratio": 2.0, "gradient_rms": 0.1},
    "exploding": {**CALM, "gradient_ratio": 1e4},
    "vanishing": {**CALM, "gradient_ratio": 1e-6},
    "untrained": {**CALM, "update_ratio": 1e-9, "gradient_rms": 0.0},
}


BY_VERDICT = {rule.verdict: rule for rule in RULES}
# Of the sigmoid.
HEADROOM = 20 * np.log10(TABLE["sigmoid"].high or np.nan)


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
    blocks = {
        name: wire.BlockSchema(columns, _mask(np.ones((len(rows), len(columns)), bool)))
        for name, columns in COLUMNS.items()
    }
    if exists is not None:
        blocks["layers"] = wire.BlockSchema(COLUMNS["layers"], _mask(np.asarray(exists)))
    return wire.Schema(**{**IDENTITY, "seq": 1}, rows=rows, blocks=blocks, training=training)


def _mask(exists: Any) -> bytes:
    return np.packbits(exists.ravel(), bitorder="little").tobytes()


def sample(
    step: int, *rows: Mapping[str, float], source: str = "probe", **logs: float
) -> tuple[wire.Frame, dict[str, wire.FloatBlock]]:
    """A frame at `step` with the statistics of each row; those not named are NaN.

    The block of gradients is there where a row has one.
    """
    blocks = {
        name: np.array([[line.get(id, np.nan) for id in ids] for line in rows], np.float32)
        for name, ids in BLOCKS.items()
        if name == "layers" or any(id in line for id in ids for line in rows)
    }
    frame = wire.Frame(
        **{**IDENTITY, "seq": 2 + step}, schema=1, step=step, source=source, logs=logs
    )
    return frame, blocks


def view(
    *statistics: Mapping[str, float],
    rows: Sequence[wire.Row] = (),
    samples: int = 16,
    training: wire.Training = SGD,
    step: int = 0,
) -> View:
    """One frame as the rules see it, after `samples` samples; a Dense layer for each row."""
    rows = tuple(rows) or tuple(row(f"layer-{place}") for place in range(len(statistics)))
    before = begin(schema(rows, training))
    return seen(replace(before, samples=samples - 1), *sample(step, *statistics))


def symptoms(given: View) -> list[list[str]]:
    """The verdicts whose symptom each row has."""
    return [
        [rule.verdict for rule in RULES if rule.symptom(given)[place]]
        for place in range(len(given.layout.rows))
    ]


def fold(
    state: State, *frames: tuple[wire.Frame, dict[str, wire.FloatBlock]]
) -> tuple[State, list[Finding]]:
    """The state after all `frames`, and every event on the way."""
    events: list[Finding] = []
    for frame, blocks in frames:
        state, new = advance(state, frame, blocks)
        events += new
    return state, events


def counted(act: Callable[[], object]) -> int:
    """How many functions `act` calls, of Python and of C."""
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


def same(some: list[Finding], others: list[Finding]) -> bool:
    """Whether the findings are equal, a NaN among the evidence included."""
    return msgspec.msgpack.encode(some) == msgspec.msgpack.encode(others)
