"""The rules of other tools, from their published thresholds, run over the same recorded frames.

A frame holds statistics of layers, not values of units: where a rule is about the share of a
layer's units, it is applied to the share of the layer's values, read off their quantiles, and a
mean magnitude of gradients is taken from their rms. Of TheDeepChecker, the rule about the histogram
of each unit needs more than a frame holds and is left out. What a tool calls a fault stands for the
verdicts that it could mean; one that stands for several is no finding of the cause.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from benchmarks.diagnosis.record import Recording
from gainstage import wire
from gainstage.diagnosis import State, advance, begin
from gainstage.diagnosis.fold import seen
from gainstage.diagnosis.view import Bools, Floats, View
from gainstage.statistics import QUANTILE_IDS, QUANTILES

OF_RANGE = frozenset({"activity", "kernel", "input", "bias"})


@dataclass(frozen=True)
class PeerRule:
    """When a tool raises an alarm about a layer.

    Attributes:
        means: Verdicts that the alarm could mean.
        alarm: [rows] of a frame.
    """

    means: frozenset[str]
    alarm: Callable[[View], Bools]


def beyond(view: View, low: float, high: float) -> Floats:
    """[rows]: share of the pre-activations below `low` or above `high`, from their quantiles."""
    quantiles = np.stack([view[id] for id in QUANTILE_IDS], axis=1)
    shares = [
        np.interp(low, row, QUANTILES, left=0.0) + 1 - np.interp(high, row, QUANTILES, right=1.0)
        for row in quantiles
    ]
    return np.where(np.isnan(quantiles).any(axis=1), np.nan, shares)


def of(view: View, *activations: str) -> Bools:
    """[rows]: those of one of the activations."""
    return np.array([row.activation in activations for row in view.layout.rows], bool)


def hidden(view: View) -> Bools:
    """[rows]: those that others are fed by."""
    return ~view.layout.last


def first_to_last(view: View) -> Floats:
    """[rows]: the gradient's ratio to the last layer's, of the first layer that has one."""
    ratio = view["gradient_ratio"]
    known = np.flatnonzero(~np.isnan(ratio))
    first = np.full_like(ratio, np.nan)
    first[known[:1]] = ratio[known[:1]]
    return first


def rule(alarm: Callable[[View], Bools], *means: str) -> PeerRule:
    """A rule whose alarm stands for these verdicts."""
    return PeerRule(frozenset(means), alarm)


NOT_A_NUMBER = rule(lambda view: view["nonfinite_rate"] > 0, "nonfinite")
PEERS: dict[str, tuple[PeerRule, ...]] = {
    # The defaults of its built-in rules: SaturatedActivation, DeadRelu, VanishingGradient,
    # WeightUpdateRatio, ExplodingTensor.
    "SageMaker Debugger": (
        NOT_A_NUMBER,
        rule(lambda view: of(view, "sigmoid") & (beyond(view, -23, 17) > 0.5), *OF_RANGE),
        rule(lambda view: of(view, "tanh") & (beyond(view, -9.5, 9.5) > 0.5), *OF_RANGE),
        rule(lambda view: of(view, "relu") & (view["dead_units"] > 0.5), "dead"),
        rule(lambda view: view["gradient_rms"] < 1e-7, "vanishing"),
        rule(lambda view: view["update_ratio"] > 10, "exploding"),
        rule(lambda view: view["update_ratio"] < 1e-8, "untrained"),
    ),
    # Wardat et al. 2022. Its first advice for saturation is to normalise the data.
    "DeepDiagnosis": (
        NOT_A_NUMBER,
        rule(lambda view: of(view, "sigmoid", "tanh") & (beyond(view, -5, 5) > 0.5), "input"),
        rule(lambda view: of(view, "relu") & (view["zero_rate"] == 1), "dead"),
        rule(lambda view: view["update_ratio"] == 0, "untrained"),
    ),
    # Zhang et al. 2021.
    "AutoTrainer": (
        NOT_A_NUMBER,
        rule(lambda view: hidden(view) & (np.abs(view["output_mean"]) >= 10), "input"),
        rule(lambda view: first_to_last(view) < 1e-3, "vanishing"),
        rule(lambda view: first_to_last(view) > 70, "exploding"),
        rule(lambda view: of(view, "relu") & (view["zero_rate"] >= 0.7), "dead"),
    ),
    # Ben Braiek & Khomh 2023.
    "TheDeepChecker": (
        NOT_A_NUMBER,
        rule(lambda view: hidden(view) & (view["output_std"] > 2), *OF_RANGE, "exploding"),
        rule(lambda view: hidden(view) & (view["output_std"] < 0.5), "vanishing", "dead"),
        rule(lambda view: view["penalty_ratio"] >= 2, "over_regularized"),
    ),
}


def views(recording: Recording) -> Iterator[View]:
    """The frames of `recording` as rules see them."""
    state: State | None = None
    for message, blocks in recording.frames():
        if isinstance(message, wire.Schema):
            state = begin(message)
        elif isinstance(message, wire.Frame) and state is not None:
            yield seen(state, message, blocks)
            state, _ = advance(state, message, blocks)


class Alarm(msgspec.Struct, frozen=True):
    """The first thing that a tool says of a training.

    Attributes:
        means: The verdicts that it could mean; empty: it says nothing.
        sample: Samples before the one at which it is said; None: it says nothing.
    """

    means: tuple[str, ...] = ()
    sample: int | None = None


def alarms(recording: Recording) -> dict[str, Alarm]:
    """Tool -> its first alarm."""
    found = {name: Alarm() for name in PEERS}
    for sample, view in enumerate(views(recording)):
        for name in [name for name, alarm in found.items() if not alarm.means]:
            raised = (one.means for one in PEERS[name] if one.alarm(view).any())
            if means := next(raised, None):
                found[name] = Alarm(tuple(sorted(means)), sample)
    return found
