"""Writes the recorded messages that every later release must read: one file for each kind.

    python tests/contract/record.py

Run it once for each version of the wire format, and never over files that were committed: they
stand for what old trainers have left in their spools. It refuses to.
"""

from pathlib import Path

import numpy as np

from gainstage import wire
from gainstage.finding import Evidence, Finding
from gainstage.outcome import Contestant

FOLDER = Path(__file__).parent
IDENTITY = {"run": "recorded-run", "attempt": "0123456789abcdef", "worker": 1}
COLUMNS = (wire.Column("input_rms", 1), wire.Column("pre_rms", 1), wire.Column("bias_rms", 1))
MASK = np.packbits([1, 1, 1, 1, 1, 0], bitorder="little").tobytes()

ROWS = (
    wire.Row(
        id="1111111111111111",
        path="sequential/hidden",
        kind="Dense",
        output_shape=(None, 64),
        kernel_shape=(2048, 64),
        parameters=131_136,
        fan_in=2048.0,
        activation="sigmoid",
        fused=True,
        arguments={
            "name": "hidden",
            "units": 64,
            "activation": "sigmoid",
            "kernel_initializer": {
                "class": "keras.initializers.RandomNormal",
                "arguments": {"mean": 0.3, "stddev": 0.05},
            },
        },
    ),
    wire.Row(
        id="2222222222222222",
        path="sequential/ausgänge",
        kind="Dropout",
        call=1,
        inputs=(0,),
        output_shape=(64,),
        trainable=False,
        unjudged="read by its output only",
    ),
)
TRAINING = wire.Training(
    backend="tensorflow",
    keras="3.15.0",
    optimizer="SGD",
    learning_rate=0.05,
    momentum=0.9,
    loss="sparse_categorical_crossentropy",
    batch_size=32,
)
BLOCKS = {
    "layers": np.array([[0.5, -94.25, np.nan], [np.inf, 1e-38, 0.0]], np.float32),
    "units": np.arange(5, dtype=np.float32) / 4,
}
OUTCOMES = np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2) / 8
FINDING = Finding(
    id="3333333333333333",
    row="1111111111111111",
    layer="sequential/hidden",
    verdict="activity",
    severity="warning",
    since_step=20,
    last_step=60,
    closed_step=80,
    levels={"input": -14.5, "coherence": 31.25},
    evidence={"coherence_db": Evidence(31.25, 0.0, "dB"), "bias_db": Evidence(-3.0)},
    summary="What is wrong.",
    remedy="What to do.",
    code="replacement = []\n",
)

MESSAGES: dict[str, tuple[wire.AnyMessage, dict[str, wire.FloatBlock]]] = {
    "run_start": (
        wire.RunStart(
            **IDENTITY,
            seq=0,
            time=1_700_000_000.25,
            project="recorded",
            tags=("a", "ä"),
            config={"depth": 3, "rates": [0.1, None, True], "inner": {"x": "y"}},
            environment={"python": "3.11.2"},
        ),
        {},
    ),
    "schema": (
        wire.Schema(
            **IDENTITY,
            seq=1,
            time=1_700_000_001.0,
            rows=ROWS,
            blocks={"layers": wire.BlockSchema(COLUMNS, MASK)},
            training=TRAINING,
        ),
        {},
    ),
    "frame": (
        wire.Frame(
            **IDENTITY,
            seq=2,
            time=1_700_000_002.0,
            schema=1,
            step=60,
            epoch=2,
            source="validation",
            logs={"loss": 0.75, "accuracy": float("inf")},
            costs={"step": 0.001, "sample": 0.02},
        ),
        BLOCKS,
    ),
    "notice": (
        wire.Notice(
            **IDENTITY,
            seq=3,
            time=1_700_000_003.0,
            level="error",
            code="monitor-failed",
            text="Why.",
        ),
        {},
    ),
    "trial": (
        wire.TrialResult(
            **IDENTITY,
            seq=5,
            time=1_700_000_003.5,
            layer="sequential/hidden",
            contestants=(Contestant("nothing"), Contestant("activity", 0.0125)),
            seeds=(0, 1),
            steps=(0, 150, 300),
            columns=("accuracy", "loss"),
            interrupted=True,
        ),
        {"outcomes": OUTCOMES},
    ),
    "run_end": (
        wire.RunEnd(
            **IDENTITY, seq=4, time=1_700_000_004.0, status="completed", frames=9, thinned=2
        ),
        {},
    ),
    "ack": (wire.Ack(**IDENTITY, seq=4), {}),
    "refuse": (wire.Refuse(reason="Too large.", seq=3), {}),
    "finding": (wire.FindingChanged(run="recorded-run", finding=FINDING), {}),
    "run_deleted": (wire.RunDeleted(run="recorded-run"), {}),
    "subscribed": (wire.Subscribed(id=3), {}),
    "skipped": (wire.Skipped(run="recorded-run", frames=12), {}),
}


def path_of(name: str) -> Path:
    """The file of the message `name` in this version of the format."""
    return FOLDER / f"{name}.v{wire.VERSION}.bin"


if __name__ == "__main__":
    for name, (message, blocks) in MESSAGES.items():
        with path_of(name).open("xb") as file:
            file.write(wire.encode(message, blocks))
