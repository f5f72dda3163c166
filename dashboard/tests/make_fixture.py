"""Writes the messages that `src/lib/wire.test.ts` reads, as the trainer's own encoder writes them.

From the repository's root, after a change of the wire format:

    python dashboard/tests/make_fixture.py
"""

import json
from pathlib import Path

import numpy as np

from gainstage import wire
from gainstage.finding import Evidence, Finding
from gainstage_server.views import framed

HERE = Path(__file__).parent
COLUMNS = ("pre_db", "bias_db", "saturation_rate")
VALUES = np.array([[15.5, -np.inf, 0.25], [np.nan, 0.0, 0.0]], np.float32)
EXISTS = np.array([[True, True, True], [True, False, False]])


def messages() -> dict[str, bytes]:
    """A message of each kind that carries something of its own."""
    rows = (
        wire.Row(id="r0", path="head/dense", kind="Dense", fan_in=64.0, activation="sigmoid"),
        wire.Row(id="r1", path="head/<b>dense</b>", kind="Dense", call=1, inputs=(0,)),
    )
    block = wire.BlockSchema(
        columns=tuple(wire.Column(id, 1) for id in COLUMNS),
        mask=np.packbits(EXISTS.ravel(), bitorder="little").tobytes(),
    )
    schema = wire.Schema(
        run="run-1",
        attempt="a1",
        seq=1,
        time=1_700_000_000.5,
        rows=rows,
        blocks={"layers": block},
        training=wire.Training(backend="jax", keras="3.15.0"),
    )
    frame = wire.Frame(
        run="run-1",
        attempt="a1",
        seq=2,
        time=1_700_000_001.5,
        schema=1,
        step=2**40,
        logs={"loss": 0.5},
    )
    finding = wire.FindingChanged(
        run="run-1",
        finding=Finding(
            id="f1",
            row="r0",
            layer="head/dense",
            verdict="activity",
            severity="warning",
            since_step=120,
            last_step=200,
            levels={"pre": 37.5, "bias": -np.inf},
            evidence={"saturation_rate": Evidence(0.9, 0.32, "ratio")},
        ),
    )
    return {
        "schema": wire.encode(schema),
        # Blocks of an odd number of values are padded: the second one begins behind the padding.
        "frame": wire.encode(frame, {"layers": VALUES, "odd": np.ones(3, np.float32)}),
        "finding": wire.encode(finding),
        "heatmap": heatmap(),
        "units": units(),
    }


def heatmap() -> bytes:
    """The answer of the heatmap endpoint."""
    header = {
        "type": "heatmap",
        "run": "run-1",
        "statistic": "pre_db",
        "rows": ["r0", "r1"],
        "steps": [10, 20, 30],
        "downsampled": True,
        "present": [True, False],
    }
    bands = {"min": 0, "max": 10, "last": 5}
    return framed(
        header, {name: np.arange(first, first + 6.0).reshape(2, 3) for name, first in bands.items()}
    )


def units() -> bytes:
    """The answer of the units endpoint."""
    header = {
        "type": "units",
        "run": "run-1",
        "row": "r0",
        "layer": "head/dense",
        "units": 5,
        "groups": 3,
        "steps": [10, 20],
        "downsampled": False,
    }
    return framed(header, {"pinned": np.array([[0, 0.25], [0.5, np.nan], [1, 1]])})


if __name__ == "__main__":
    hexes = {name: data.hex() for name, data in messages().items()}
    (HERE / "messages.json").write_text(json.dumps(hexes, indent=2) + "\n")
