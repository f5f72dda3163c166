"""A frame as the rules see it: one array over layers for each statistic and each fixed fact."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.activations import TABLE
from gainstage.statistics import INDEX

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

LAYERS = "layers"


class Layout:
    """What a schema says of every row, as arrays of shape [rows]; computed once.

    Raises:
        WireError: The schema contradicts itself.
    """

    def __init__(self, schema: wire.Schema) -> None:
        self.schema = schema
        self.rows = schema.rows
        if LAYERS not in schema.blocks:
            raise wire.WireError(
                f"A schema has a block {LAYERS!r}. Received: {', '.join(schema.blocks) or 'none'}."
            )
        block = schema.blocks[LAYERS]
        self.columns = {column.id: place for place, column in enumerate(block.columns)}
        self.exists = wire.mask_of(block, len(self.rows))
        functions = [TABLE.get(row.activation or "linear") for row in self.rows]
        headrooms = [function.headroom if function else None for function in functions]
        gains = [function.gain if function else 1.0 for function in functions]
        self.judged: Bools = np.array([not row.unjudged for row in self.rows], bool)
        self.headroom_db: Floats = 20 * np.log10(
            np.array([np.nan if value is None else value for value in headrooms], float)
        )
        self.reference_gain_db: Floats = 20 * np.log10(np.array(gains, float))

    def matrix(self, blocks: dict[str, wire.FloatBlock]) -> Floats:
        """[rows, statistics] in this program's order of statistics; absent values are NaN."""
        sent = blocks[LAYERS]
        values = np.full((len(self.rows), len(INDEX)), np.nan)
        for id, place in INDEX.items():
            column = self.columns.get(id)
            if column is not None:
                values[:, place] = np.where(self.exists[:, column], sent[:, column], np.nan)
        return values


@dataclass(frozen=True)
class View:
    """One frame: `view["input_db"]` is [rows], NaN where absent.

    Attributes:
        layout: What holds for all frames of the schema.
        values: [rows, statistics].
        samples: Frames of this schema up to and with this one.
    """

    layout: Layout
    values: Floats
    samples: int

    def __getitem__(self, statistic: str) -> Floats:
        return self.values[:, INDEX[statistic]]

    @cached_property
    def overload_db(self) -> Floats:
        """How far the pre-activation's level stands above its headroom; NaN without one."""
        return self["pre_db"] - self.layout.headroom_db

    @cached_property
    def excess(self) -> dict[str, Floats]:
        """Verdict -> how far its term stands above its reference, in dB, never below 0.

        The bias is held against the headroom that it uses up on its own, the others against the
        level that keeps the variance: unit input, variance-preserving gain, no coherence.
        """
        terms = {
            "activity": self["coherence_db"],
            "kernel": self["gain_db"] - self.layout.reference_gain_db,
            "input": self["input_db"],
            "bias": np.where(
                self.signal_db < self["bias_db"], self["bias_db"] - self.layout.headroom_db, 0.0
            ),
        }
        return {name: np.maximum(np.nan_to_num(term, nan=0.0), 0.0) for name, term in terms.items()}

    @cached_property
    def signal_db(self) -> Floats:
        """Level of the pre-activation without its bias."""
        return self["input_db"] + self["gain_db"] + self["coherence_db"]

    @cached_property
    def cause(self) -> npt.NDArray[np.str_]:
        """The verdict whose term holds the largest share of the excess.

        Two terms are the cause by themselves. A bias louder than everything else is. So is an
        input that would overload the layer even with variance-preserving, unaligned weights:
        training on it drives the weights along the mean input within a step or two, and what
        coherence it leaves behind is the consequence.
        """
        names = np.array(list(self.excess))
        largest = names[np.argmax(np.stack(list(self.excess.values())), axis=0)]
        loud = self["input_db"] + self.layout.reference_gain_db > self.layout.headroom_db
        return np.where(self.excess["bias"] > 0, "bias", np.where(loud, "input", largest))
