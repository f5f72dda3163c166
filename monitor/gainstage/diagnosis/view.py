"""A frame as the rules see it: one array over layers for each statistic and each fixed fact."""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.activations import TABLE
from gainstage.diagnosis.carried import penalties
from gainstage.diagnosis.insides import whole
from gainstage.statistics import BLOCKS

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

LAYERS = "layers"
LINEAR = {None, "linear"}
# Unit rms: what a layer is made for.
REFERENCE_DB = 0.0
# The edge of tanh. Functions whose edges stand closer, such as hard_tanh, saturate already where a
# layer has learned nothing: at unit rms, a third of its values.
LEAST_LIMIT_DB = 9.5
# Gates saturate when they have learned to open and close. At four times the edge, they do whatever
# comes in, and so do those of which hardly a value is not saturated: of gates that had learned
# something, up to 77 % were.
GATE_MARGIN_DB = 12.0
STUCK_SHARE = 0.9
# Below that part of the highest learning rate, steps are of no account: schedules end there.
CRAWL = 1e-3
# With a hundredth of the loss left, what saturates has not kept the model from learning. Optimizers
# that rescale gradients go on to lengthen the weights after that, as Lion does by its full step.
LEARNED = 0.01
# Where the task is solved, the data ask for hardly anything any more, and whatever a penalty asks
# outweighs that. Once they ask for less than this share of the most that they have asked for, it is
# that which counts.
UNSOLVED = 0.2
# A statistic's place among the columns of a view: those of every block, one block after the other.
COLUMNS = {id: place for place, id in enumerate(id for ids in BLOCKS.values() for id in ids)}
# The first of those of other blocks than LAYERS, which every frame has.
SLOWER = len(BLOCKS[LAYERS])


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
        # Of each block: the places of the sent columns that are known, those that they go to, and
        # [rows, known columns], True where a value exists.
        self._columns: dict[str, tuple[list[int], list[int], Bools]] = {}
        for name in BLOCKS.keys() & schema.blocks.keys():
            block = schema.blocks[name]
            sent = [at for at, column in enumerate(block.columns) if column.id in COLUMNS]
            known = [COLUMNS[block.columns[at].id] for at in sent]
            exists = wire.mask_of(block, len(self.rows))[:, sent]
            self._columns[name] = (sent, known, exists)
        functions = [TABLE.get(row.activation or "linear") for row in self.rows]
        headrooms = [function.headroom if function else None for function in functions]
        gains = [function.gain if function else 1.0 for function in functions]
        # Rows that the data enter.
        self.first: Bools = np.array([not row.inputs for row in self.rows], bool)
        read = {place for row in self.rows for place in row.inputs}
        # Rows that no other row is fed by.
        self.last: Bools = np.array([place not in read for place in range(len(self.rows))], bool)
        self.trainable: Bools = np.array([row.trainable for row in self.rows], bool)
        self.judged: Bools = np.array([not row.unjudged for row in self.rows], bool)
        # Parts of recurrent layers.
        self.gates: Bools = np.array([row.state_fan_in is not None for row in self.rows], bool)
        # The last axis of what a row puts out.
        self.units: Floats = np.array(
            [(row.output_shape or (1,))[-1] or 1 for row in self.rows], float
        )
        self.nonlinear: Bools = np.array([row.activation not in LINEAR for row in self.rows], bool)
        self.headroom_db: Floats = 20 * np.log10(
            np.array([np.nan if value is None else value for value in headrooms], float)
        )
        # Functions that pass on what is large, however large it is.
        self.open_ended: Bools = np.array(
            [function is not None and function.high is None for function in functions], bool
        )
        self.reference_gain_db: Floats = 20 * np.log10(np.array(gains, float))
        # Rows of layers that were given a penalty.
        self.penalised: Bools = np.array(
            [bool(penalties(whole(self.rows, row))) for row in self.rows], bool
        )

    def matrix(self, blocks: dict[str, wire.FloatBlock], slower: Floats) -> Floats:
        """[rows, statistics] in the order of `COLUMNS`; absent values are NaN.

        `slower` is what the blocks last held that not every frame has, from column SLOWER on.
        """
        values = np.full((len(self.rows), len(COLUMNS)), np.nan)
        values[:, SLOWER:] = slower
        for name, (sent, known, exists) in self._columns.items():
            if name in blocks:
                values[:, known] = np.where(exists, blocks[name][:, sent], np.nan)
        return values


@dataclass(frozen=True)
class View:
    """One frame: `view["input_db"]` is [rows], NaN where absent.

    Attributes:
        layout: What holds for all frames of the schema.
        values: [rows, statistics], of the newest block of each kind.
        samples: Frames of this schema up to and with this one.
        steps: Optimizer steps since the first sample.
        path: [rows], how far each row's weights have moved in them, in units of their size: the
            sum of what they moved between samples.
        loss: The training's, as its logs have it; NaN where they have none.
        first_loss: The same at the first sample.
        asked_before: [rows], rms of the most that the data's gradient had been before this frame; 0
            where it is not known.
        rate: The learning rate; None where it is not known.
        peak_rate: The highest one so far.
        crawled: Optimizer steps since the rate was last above CRAWL of that.
        blocks: The names of the blocks that were sampled this time.
    """

    layout: Layout
    values: Floats
    samples: int
    steps: int
    path: Floats
    loss: float = math.nan
    first_loss: float = math.nan
    asked_before: Floats = field(default_factory=lambda: np.zeros(0))
    rate: float | None = None
    peak_rate: float = 0.0
    crawled: int = 0
    blocks: frozenset[str] = frozenset(BLOCKS)

    def __getitem__(self, statistic: str) -> Floats:
        return self.values[:, COLUMNS[statistic]]

    @property
    def learned(self) -> bool:
        """Whether hardly any loss is left, where the first is that of somebody who knows nothing.

        That of values is not: most of it may be their mean's.
        """
        losses = self.layout.schema.training.loss.lower().split()
        known = bool(losses) and all("crossentropy" in one for one in losses)
        return known and 0 <= self.loss < LEARNED * self.first_loss

    @cached_property
    def data_gradient(self) -> Floats:
        """[rows]: rms of the data's gradient; NaN where it is not known.

        Of all that is asked of the weights, which has the penalties' in it, and the ratio of the
        two, as if they were at right angles.
        """
        ratio = np.nan_to_num(self["penalty_ratio"], nan=0.0, posinf=np.inf)
        with np.errstate(invalid="ignore"):  # of gradients that have overflowed
            return self["gradient_rms"] / np.sqrt(1 + ratio**2)

    @cached_property
    def asked(self) -> Floats:
        """[rows]: rms of the most that the data's gradient has been; 0 where it is not known."""
        return np.fmax(self.asked_before, self.data_gradient)

    @cached_property
    def penalties_share(self) -> Floats:
        """[rows]: what penalties ask of the weights, relative to what the data do, or have done."""
        of_data = self.data_gradient
        asked = np.where(of_data < UNSOLVED * self.asked, self.asked, of_data)
        with np.errstate(divide="ignore", invalid="ignore"):
            of_penalties = np.sqrt(np.maximum(self["gradient_rms"] ** 2 - of_data**2, 0.0))
            return np.nan_to_num(of_penalties / asked, posinf=np.inf)

    @cached_property
    def limit_db(self) -> Floats:
        """Above this level a row is out of range; NaN where its activation does not saturate."""
        learns = self.layout.gates & ~(self["saturation_rate"] > STUCK_SHARE)
        margin = np.where(learns, GATE_MARGIN_DB, 0.0)
        return np.maximum(self.layout.headroom_db, LEAST_LIMIT_DB) + margin

    @cached_property
    def overload_db(self) -> Floats:
        """How far the pre-activation's level stands above its limit; NaN without one."""
        return self["pre_db"] - self.limit_db

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
                self.signal_db < self["bias_db"], self["bias_db"] - self.limit_db, 0.0
            ),
        }
        return {name: np.maximum(np.nan_to_num(term, nan=0.0), 0.0) for name, term in terms.items()}

    @cached_property
    def decomposed(self) -> Bools:
        """[rows]: whether it is known what a row's level is made of."""
        return np.isfinite(self["gain_db"])

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
        loud = self["input_db"] + self.layout.reference_gain_db > self.limit_db
        return np.where(self.excess["bias"] > 0, "bias", np.where(loud, "input", largest))
