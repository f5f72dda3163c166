"""A frame as the rules see it: one array over layers for each statistic and each fixed fact."""

import sys
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.activations import TABLE, headroom_db
from gainstage.diagnosis.carried import penalties
from gainstage.diagnosis.insides import wholes
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
# Verdicts on what makes a layer too loud, in the order of the rows of `View.excesses`.
CAUSES = ("activity", "kernel", "input", "bias")
_INPUT, _BIAS = CAUSES.index("input"), CAUSES.index("bias")

# What the rules ask of every frame.
WATCHED = {
    *("nonfinite_rate", "weight_nonfinite_rate", "saturation_rate", "dead_units", "zero_rate"),
    *("pre_db", "output_db", "input_db", "gain_db", "coherence_db", "bias_db"),
    *("gradient_rms", "gradient_ratio", "penalty_ratio", "update_ratio"),
}

T = TypeVar("T")


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
        # Blocks that not every frame has: what they last held counts until they come again.
        self.slower = BLOCKS.keys() & schema.blocks.keys() - {LAYERS}
        # Statistic -> the block that it is sent in, the column there, and the rows without it.
        self._sent: dict[str, tuple[str, int, npt.NDArray[np.intp]]] = {
            id: ("", 0, np.zeros(0, np.intp)) for ids in BLOCKS.values() for id in ids
        }
        for name in [name for name in BLOCKS if name in schema.blocks]:
            absent = ~wire.mask_of(schema.blocks[name], len(self.rows))
            for at, column in enumerate(schema.blocks[name].columns):
                if column.id in self._sent:
                    self._sent[column.id] = (name, at, np.flatnonzero(absent[:, at]))
        self._watched = {name: self._those(name) for name in BLOCKS if name in schema.blocks}
        functions = [TABLE.get(row.activation or "linear") for row in self.rows]
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
        self.gated = anywhere(self.gates)
        # Rows whose level is held against a limit.
        self.ranged: Bools = self.judged | self.gates
        # The last axis of what a row puts out.
        self.units: Floats = np.array(
            [(row.output_shape or (1,))[-1] or 1 for row in self.rows], float
        )
        self.nonlinear: Bools = np.array([row.activation not in LINEAR for row in self.rows], bool)
        self.headroom_db: Floats = np.array(
            [headroom_db(row.activation) for row in self.rows], float
        )
        self.limit_db: Floats = np.maximum(self.headroom_db, LEAST_LIMIT_DB)
        # Functions that pass on what is large, however large it is.
        self.open_ended: Bools = np.array(
            [function is not None and function.high is None for function in functions], bool
        )
        self.reference_gain_db: Floats = 20 * np.log10(np.array(gains, float))
        self.rectified: Bools = self.reference_gain_db > 0
        # Of each row the layer that it is a part of, or itself.
        self.wholes = wholes(self.rows)
        # Rows of layers that were given a penalty.
        self.penalised: Bools = np.array([bool(penalties(one)) for one in self.wholes], bool)

    @classmethod
    def of(cls, schema: wire.Schema, like: "Layout | None" = None) -> "Layout":
        """That of `schema`; all but the schema is that of `like`, if it is of the same rows."""
        if like is None or like.rows is not schema.rows or like.schema.blocks != schema.blocks:
            return cls(schema)
        layout = copy(like)
        layout.schema = schema
        return layout

    def _those(self, block: str) -> tuple[list[str], list[int], npt.NDArray[np.intp]]:
        """Those of WATCHED that are sent in `block`, their columns, and the places without a value.

        Places are counted through all rows of the first, then of the second.
        """
        ids = [id for id in sorted(WATCHED) if self._sent[id][0] == block]
        places = [nth * len(self.rows) + self._sent[id][2] for nth, id in enumerate(ids)]
        none = np.zeros(0, np.intp)
        return ids, [self._sent[id][1] for id in ids], np.concatenate([none, *places])

    def column(self, blocks: Mapping[str, wire.FloatBlock], statistic: str) -> Floats:
        """[rows]: what `blocks` hold of a statistic; NaN where it is absent."""
        block, at, absent = self._sent[statistic]
        if block not in blocks:
            return np.full(len(self.rows), np.nan)
        values = blocks[block][:, at].astype(np.float64)
        if absent.size:
            values[absent] = np.nan
        return values

    def watched(self, blocks: Mapping[str, wire.FloatBlock]) -> dict[str, Floats]:
        """Statistic -> its `column`, of WATCHED; in a quarter of the time that one by one takes."""
        columns: dict[str, Floats] = {}
        for name, (ids, at, absent) in self._watched.items():
            if name in blocks:
                values = blocks[name].T[at].astype(np.float64)
                if absent.size:
                    values.reshape(-1)[absent] = np.nan
                columns |= zip(ids, values, strict=True)
        return columns


@dataclass(frozen=True)
class View:
    """One frame: `view["input_db"]` is [rows], NaN where absent.

    Attributes:
        layout: What holds for all frames of the schema.
        newest: The newest block of each kind.
        samples: Frames of this schema up to and with this one.
        steps: Optimizer steps since the first sample.
        since: Optimizer steps since the last sample.
        path_before: [rows], as `path`, before this frame.
        loss: The training's, as its logs have it; NaN where they have none.
        first_loss: The same at the first sample.
        asked_before: [rows], as `asked`, before this frame.
        rate: The learning rate; None where it is not known.
        peak_rate: The highest one so far.
        crawled: Optimizer steps since the rate was last above CRAWL of that.
        blocks: The names of the blocks that were sampled this time.
        known: What has been computed of it, and need not be again.
    """

    layout: Layout
    newest: Mapping[str, wire.FloatBlock]
    samples: int
    steps: int
    since: int
    path_before: Floats
    loss: float
    first_loss: float
    asked_before: Floats
    rate: float | None
    peak_rate: float
    crawled: int
    blocks: frozenset[str]
    known: dict[Any, Any] = field(default_factory=dict)

    def __getitem__(self, statistic: str) -> Floats:
        if statistic not in self.known:
            self.known[statistic] = self.layout.column(self.newest, statistic)
        return self.known[statistic]

    @cached_property
    def learned(self) -> bool:
        """Whether hardly any loss is left, where the first is that of somebody who knows nothing.

        That of values is not: most of it may be their mean's.
        """
        losses = self.layout.schema.training.loss.lower().split()
        known = bool(losses) and all("crossentropy" in one for one in losses)
        return known and 0 <= self.loss < LEARNED * self.first_loss

    @cached_property
    def path(self) -> Floats:
        """[rows]: how far weights have moved since the first sample, in units of their size.

        The sum of what they moved between samples. The first of these has no step before it, and
        its rows no ratio.
        """
        if not self.since:
            return self.path_before
        return self.path_before + self.since * np.fmax(self["update_ratio"], 0.0)

    @cached_property
    def penalised(self) -> bool:
        """Whether penalties ask anything of any row's weights."""
        return anywhere(self["penalty_ratio"] > 0)

    @cached_property
    def data_gradient(self) -> Floats:
        """[rows]: rms of the data's gradient; NaN where it is not known.

        Of all that is asked of the weights, which has the penalties' in it, and the ratio of the
        two, as if they were at right angles.
        """
        if not self.penalised:
            return self["gradient_rms"]
        ratio = np.fmax(self["penalty_ratio"], 0.0)
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
        if not self.penalised:
            return np.zeros(len(of_data))
        asked = np.where(of_data < UNSOLVED * self.asked, self.asked, of_data)
        with np.errstate(divide="ignore", invalid="ignore"):
            of_penalties = np.sqrt(np.maximum(self["gradient_rms"] ** 2 - of_data**2, 0.0))
            return np.fmax(of_penalties / asked, 0.0)

    @cached_property
    def limit_db(self) -> Floats:
        """Above this level a row is out of range; NaN where its activation does not saturate."""
        if not self.layout.gated:
            return self.layout.limit_db
        learns = self.layout.gates & ~(self["saturation_rate"] > STUCK_SHARE)
        return self.layout.limit_db + np.where(learns, GATE_MARGIN_DB, 0.0)

    @cached_property
    def overload_db(self) -> Floats:
        """How far the pre-activation's level stands above its limit; NaN without one."""
        return self["pre_db"] - self.limit_db

    @cached_property
    def excesses(self) -> Floats:
        """[causes, rows]: how far each term stands above its reference, in dB, never below 0.

        The bias is held against the headroom that it uses up on its own, the others against the
        level that keeps the variance: unit input, variance-preserving gain, no coherence.
        """
        terms = (
            self["coherence_db"],
            self["gain_db"] - self.layout.reference_gain_db,
            self["input_db"],
            np.where(self.signal_db < self["bias_db"], self["bias_db"] - self.limit_db, 0.0),
        )
        return np.fmin(np.fmax(np.array(terms), 0.0), sys.float_info.max)

    def excess(self, cause: str) -> Floats:
        """[rows]: of one of CAUSES, as in `excesses`."""
        return self.excesses[CAUSES.index(cause)]

    @property
    def largest_excess(self) -> Floats:
        """[rows]: of any cause."""
        return self._largest[1]

    @cached_property
    def _largest(self) -> tuple[npt.NDArray[np.intp], Floats]:
        """[rows], twice: place among CAUSES of the largest excess, and that excess."""
        places, largest = np.zeros(len(self.layout.rows), np.intp), self.excesses[0]
        # `argmax` over so few takes three times as long.
        for place, excess in enumerate(self.excesses[1:], 1):
            places[excess > largest] = place
            largest = np.maximum(largest, excess)
        return places, largest

    @cached_property
    def decomposed(self) -> Bools:
        """[rows]: whether it is known what a row's level is made of."""
        return np.isfinite(self["gain_db"])

    @cached_property
    def signal_db(self) -> Floats:
        """Level of the pre-activation without its bias."""
        return self["input_db"] + self["gain_db"] + self["coherence_db"]

    @cached_property
    def _cause(self) -> npt.NDArray[np.intp]:
        """[rows]: place among CAUSES of the one whose term holds the largest share of the excess.

        Two terms are the cause by themselves. A bias louder than everything else is. So is an
        input that would overload the layer even with variance-preserving, unaligned weights:
        training on it drives the weights along the mean input within a step or two, and what
        coherence it leaves behind is the consequence.
        """
        cause = self._largest[0].copy()
        cause[self["input_db"] + self.layout.reference_gain_db > self.limit_db] = _INPUT
        cause[self.excess("bias") > 0] = _BIAS
        return cause

    def caused_by(self, cause: str) -> Bools:
        """[rows]: whether one of CAUSES is what makes the row loud, if it is."""
        return self._cause == CAUSES.index(cause)


def anywhere(rows: Bools) -> bool:
    """Whether any of the rows is; in a tenth of the time that `any` takes of a thousand."""
    return 1 in rows.tobytes()


def once(compute: Callable[[View], T]) -> Callable[[View], T]:
    """`compute`, which several rules ask, computed once for each view; nobody may change it."""

    @wraps(compute)
    def computed(view: View) -> T:
        if compute not in view.known:
            view.known[compute] = compute(view)
        return view.known[compute]

    return computed
