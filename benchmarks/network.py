"""A network that nobody trains: the numbers of all its layers, frame by frame."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.statistics import AMPLITUDES, BLOCKS, QUANTILES

Floats = npt.NDArray[np.float64]

EVERY = 50  # steps between samples
BLOCK = 10  # layers
WIDTH = 64  # of every layer
HEADROOM_DB = 9.5  # of tanh
# One layer in so many runs over. Of these, three in four stay there once they have begun, and the
# others come back, so that findings open and close for as long as somebody looks.
TROUBLED = 80
LASTING = 4
FIRST_ONSET, APART, AWAY, PERIOD = 2, 37, 300, 450  # frames
RISE, LOUDER_DB = 6.0, 30.0  # frames until it is so much louder
# One in so many is above its headroom now and then, with too little saturated for a finding.
BORDERLINE = 200
NORMAL_QUANTILES = (-2.326, -1.645, -0.674, 0.0, 0.674, 1.645, 2.326)


def amplitude(decibels: Floats) -> Floats:
    """What so many decibels are."""
    return 10 ** (decibels / 20)


@dataclass(frozen=True)
class Network:
    """Layers with tanh, one behind the other, of which every statistic exists.

    Levels drift slowly, each in its own time, under the noise of a sample. The same frame of the
    same network has the same values at each call.

    Attributes:
        statistics: Block -> the statistics that are sent of it.
    """

    run: str
    layers: int
    statistics: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: BLOCKS)

    @property
    def troubled(self) -> int:
        """How many layers run over, sooner or later."""
        return max(2, self.layers // TROUBLED)

    def troubles(self) -> npt.NDArray[np.intp]:
        """Which ones, in the order in which they begin."""
        return (np.linspace(0.1, 0.9, self.troubled) * self.layers).astype(np.intp)

    def path(self, layer: int) -> str:
        """Its name."""
        return f"network/block_{layer // BLOCK}/dense_{layer}"

    def opening(self) -> list[bytes]:
        """What comes before the first frame: seq 0 and 1."""
        identity = {"run": self.run, "attempt": "a", "time": time.time()}
        rows = tuple(
            wire.Row(
                id=f"{layer:016x}",
                path=self.path(layer),
                kind="Dense",
                inputs=(layer - 1,) if layer else (),
                output_shape=(WIDTH,),
                kernel_shape=(WIDTH, WIDTH),
                parameters=WIDTH * (WIDTH + 1),
                fan_in=float(WIDTH),
                activation="tanh",
                fused=True,
                arguments={"units": WIDTH, "activation": "tanh"},
            )
            for layer in range(self.layers)
        )
        schema = wire.Schema(
            **identity,
            seq=1,
            rows=rows,
            blocks={name: self._block(ids) for name, ids in self.statistics.items()},
            training=wire.Training(
                backend="tensorflow", keras="3.15.1", optimizer="SGD", learning_rate=0.01
            ),
        )
        start = wire.RunStart(**identity, seq=0, project="benchmark")
        return [wire.encode(start), wire.encode(schema)]

    def _block(self, ids: tuple[str, ...]) -> wire.BlockSchema:
        mask = np.packbits(np.ones(self.layers * len(ids), bool), bitorder="little").tobytes()
        return wire.BlockSchema(tuple(wire.Column(name, 1) for name in ids), mask)

    def message(self, frame: int) -> bytes:
        """The frame as it is sent."""
        values = self.values(frame)
        header = wire.Frame(
            run=self.run,
            attempt="a",
            seq=2 + frame,
            time=time.time(),
            schema=1,
            step=EVERY * (frame + 1),
            epoch=frame // 100,
            logs={"loss": 0.5 + 2 * float(np.exp(-frame / 500)), "accuracy": 0.8},
            costs={"share": 0.006},
        )
        blocks = {
            name: np.stack([values[id] for id in ids], axis=1).astype(np.float32)
            for name, ids in self.statistics.items()
        }
        return wire.encode(header, blocks)

    def values(self, frame: int) -> Mapping[str, Floats]:
        """Every statistic of every layer."""
        rng = np.random.default_rng((self.layers, frame))
        layer = np.arange(self.layers)
        drift = 1.5 * np.sin(2 * np.pi * (frame / (200 + 7 * (layer % 31)) + layer / 97))
        trouble = self._trouble(frame)
        borderline = 9.0 * (layer % BORDERLINE == BORDERLINE // 3)
        values = {
            "input_db": -1 + 0.5 * drift,
            "gain_db": 0.5 * np.cos(layer) + np.zeros(self.layers),
            "coherence_db": 2 + drift + borderline + LOUDER_DB * trouble,
            "bias_db": np.full(self.layers, -40.0),
            "recurrent_gain_db": np.zeros(self.layers),
        }
        values = {id: level + rng.normal(0, 0.2, self.layers) for id, level in values.items()}
        values["common_mode_db"] = values["coherence_db"] - 0.5
        values["aligned_db"] = values["coherence_db"] - 9.6
        values["pre_db"] = values["input_db"] + values["gain_db"] + values["coherence_db"]
        values["output_db"] = np.minimum(values["pre_db"], 0.0) - 1
        values |= {source: amplitude(values[id]) for id, source in AMPLITUDES.items()}
        values |= self._distributions(values, rng)
        return values | self._shares(values["pre_db"] - HEADROOM_DB, trouble, rng)

    def _trouble(self, frame: int) -> Floats:
        """How far each layer has gone from fine, 0, to loud, 1."""
        trouble = np.zeros(self.layers)
        for place, layer in enumerate(self.troubles()):
            since = frame - FIRST_ONSET - APART * place
            if place % LASTING == LASTING - 1 and since >= 0:
                since %= PERIOD
                since = min(since, AWAY + 2 * RISE - since)
            trouble[layer] = np.clip(since / RISE, 0, 1)
        return trouble

    def _distributions(
        self, values: Mapping[str, Floats], rng: np.random.Generator
    ) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for tensor in ("input", "kernel", "bias", "pre", "output"):
            rms = values.get(f"{tensor}_rms", values["kernel_gain"] / WIDTH**0.5)
            found[f"{tensor}_rms"] = found[f"{tensor}_std"] = rms
            found[f"{tensor}_mean"] = 0.1 * rms * rng.normal(size=self.layers)
            found[f"{tensor}_max"] = rms * rng.uniform(2.5, 4, self.layers)
        for quantile, normal in zip(QUANTILES, NORMAL_QUANTILES, strict=True):
            found[f"pre_q{round(100 * quantile):02d}"] = normal * found["pre_rms"]
        found["state_rms"] = found["output_rms"]
        found["input_eigenvalue"] = WIDTH * found["input_rms"] ** 2
        found["gradient_rms"] = 0.01 * rng.lognormal(0, 0.3, self.layers)
        return found

    def _shares(
        self, over_db: Floats, trouble: Floats, rng: np.random.Generator
    ) -> dict[str, Floats]:
        ones = np.ones(self.layers)
        found = dict.fromkeys(
            (
                "dead_units",
                "zero_rate",
                "nonfinite_rate",
                "input_nonfinite_rate",
                "weight_nonfinite_rate",
                "underflow_rate",
                "overflow_rate",
                "penalty_ratio",
            ),
            0 * ones,
        )
        saturated = np.clip(0.2 + 0.01 * over_db, 0, 0.25) * (over_db > -10) + 0.7 * trouble
        return found | {
            "saturation_rate": saturated,
            "saturated_units": 0.9 * trouble,
            "update_ratio": 1e-3 * rng.lognormal(0, 0.3, self.layers),
            "logit_range": 5 * ones + rng.normal(0, 0.2, self.layers),
            "score_entropy": 0.7 * ones,
            "gradient_ratio": rng.lognormal(0, 0.3, self.layers),
        }
