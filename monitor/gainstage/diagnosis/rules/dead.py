"""Units that put out the same value whatever comes in."""

import numpy as np

from gainstage.diagnosis.rule import Case, Prescription, Rule, effects
from gainstage.diagnosis.scaling import standardising
from gainstage.diagnosis.source import layer, replacement
from gainstage.diagnosis.view import Bools, Floats, View, anywhere, once
from gainstage.windows import WINDOW

# Behind inputs that are all positive, a ReLU layer loses about half of its units at once, by the
# sign of their weights' sum, and learns well with the rest (44 to 55 % of 64 units in the healthy
# ReLU cases of `cases.py`). Three quarters are four standard deviations of that away; of fewer than
# 64 units, four standard deviations are more.
DEAD_SHARE = 0.75
DEVIATIONS = 4.0
# Above this share of a layer's units are all of them.
ALL = 0.999
CLOSING_SHARE = 0.5
# At ten times the unit rms that initializers and learning rates are made for, a step moves what a
# unit puts out a hundred times as far: the first ones throw it past its zero for good, and would
# throw a `leaky_relu` to infinity.
LOUD_DB = 20.0
# A hundredth of unit spread: what enters is all but the same for every example, and so is what any
# unit makes of it. The fault lies before the layer then, where the signal was lost.
SILENT_DB = -40.0
# Weights that were begun at the variance-preserving size and have doubled it within the samples
# that a verdict takes were thrown there: the step is too long, and no change of the layer helps.
THROWN_DB = 6.0


@once
def hears(view: View) -> Bools:
    """[rows]: whether what enters differs from example to example."""
    with np.errstate(divide="ignore"):
        return ~(20 * np.log10(view["input_std"]) < SILENT_DB)


@once
def _silent(view: View) -> Bools:
    """[rows]: every value of so many rectifiers is 0 that one sample is enough.

    A single one that says 0 to most examples, and rightly so, says it to all of a sample.
    """
    silent = view["zero_rate"] == 1
    return silent & view.layout.rectified & (view.layout.units >= WINDOW)


def _dead(view: View, share: Floats | float) -> Bools:
    constant = (view["dead_units"] > share) & (view.samples >= WINDOW)
    dead = view.layout.judged & view.layout.nonlinear & (constant | _silent(view))
    return dead & hears(view) if anywhere(dead) else dead


@once
def symptom(view: View) -> Bools:
    """[rows]: too many units are constant over a whole window of samples, or all of them are 0."""
    if not anywhere(holds(view)):
        return holds(view)
    by_chance = (1 + DEVIATIONS / np.sqrt(view.layout.units)) / 2
    return _dead(view, np.clip(by_chance, DEAD_SHARE, ALL))


@once
def holds(view: View) -> Bools:
    """[rows]: not yet down to half."""
    return _dead(view, CLOSING_SHARE)


def limits(case: Case) -> dict[str, float | None]:
    """The share of dead units against its limit, and what the units are held at."""
    shown = (id for id in ("zero_rate", "bias_mean", "pre_mean") if np.isfinite(case[id]))
    return {"dead_units": DEAD_SHARE, **dict.fromkeys(shown)}


def summary(case: Case) -> str:
    """What, and how much of it."""
    if _silent(case.view)[case.position]:
        return f"{case.row.path} puts out 0 for whatever comes in: no gradient passes through it."
    return (
        f"{case['dead_units']:.0%} of the units of {case.row.path} put out one and the same value "
        f"in each of the last {WINDOW} samples, whatever came in. They died before the step that "
        "this is dated to, where the first such window ends."
    )


def prescribe(case: Case) -> Prescription:
    """A function without a flat side, so that a gradient reaches the units again.

    Where the layer's input is far too loud, that killed the units, and comes first.
    """
    row, front = case.row, []
    remedy = (
        f"Begin {row.path} with the He initializer and a bias of 0, and give its units a slope on "
        "both sides; lower the learning rate if they die again. A penalty cannot revive a unit "
        "through which no gradient passes."
    )
    louder = _loud_before(case)
    if louder:
        remedy = (
            f"Standardise what enters {louder} first: it is far too loud, and {row.path} lives on "
            f"what that layer makes of it. {remedy}"
        )
    elif case["input_db"] >= LOUD_DB:
        words, scaling = standardising(case)
        remedy = (
            f"{words} That comes first: at {case['input_db']:+.0f} dB a step is long enough to "
            f"kill a unit, and the units below would diverge. {remedy}"
        )
        front = [scaling]
    if _thrown(case) and not front:
        return Prescription(
            f"Lower the learning rate tenfold, and begin again. {row.path} began with weights of "
            f"the usual size, and they stand {case['gain_db']:+.0f} dB above unit gain now: a step "
            "threw its units past their zero. Others would die of the same step, whatever their "
            "activation, and a penalty cannot revive a unit through which no gradient passes."
        )
    if not row.fused and not front:
        return Prescription(remedy)
    changes = {"activation": "leaky_relu"} if row.fused else {}
    revived = layer(row, **changes, kernel_initializer="he_normal", bias_initializer=None)
    quieter = effects(input=-case["input_db"]) if front else ()
    return Prescription(remedy, replacement(row, *front, revived), quieter)


def _thrown(case: Case) -> bool:
    """Whether steps, and not what it began with, made the layer's weights that large."""
    grown = float(case.view.excess("kernel")[case.position]) > THROWN_DB
    return grown and "kernel_initializer" not in case.row.arguments


def _loud_before(case: Case) -> str:
    """The path of the first row before this one that gets too loud an input; empty: none does."""
    rows, before = case.view.layout.rows, set[int]()
    waiting = list(case.row.inputs)
    while waiting:
        place = waiting.pop()
        if place not in before:
            before.add(place)
            waiting += rows[place].inputs
    loud = (place for place in sorted(before) if case.view["input_db"][place] >= LOUD_DB)
    return next((rows[place].path for place in loud), "")


RULE = Rule(
    verdict="dead",
    title="Dead units",
    meaning="Units put out the same value whatever comes in.",
    threshold=(
        f"More than {DEAD_SHARE:.0%} of the units (of fewer than 64, {DEVIATIONS:g} standard "
        f"deviations above a half, or all) are constant over the last {WINDOW} samples, or every "
        f"value that {WINDOW} or more rectifiers put out is 0, in 3 samples in a row; closes at "
        f"{CLOSING_SHARE:.0%}. Not where what enters has a spread below "
        f"{SILENT_DB:g} dB. About half die harmlessly behind all-positive inputs."
    ),
    symptom=symptom,
    holds=holds,
    limits=limits,
    summary=summary,
    prescribe=prescribe,
)
