"""Levels, or gradients, that grow from layer to layer until nothing can be learned from them."""

import numpy as np

from gainstage.contractions import TABLE
from gainstage.diagnosis.blocking import first
from gainstage.diagnosis.growth import CLOSING_DB, LOUD_DB, grown
from gainstage.diagnosis.insides import maker, means
from gainstage.diagnosis.rule import Case, Prescription, Rule
from gainstage.diagnosis.source import layer, replacement
from gainstage.diagnosis.view import Bools, Floats, View, once
from gainstage.finding import Alternative

# A hundredfold too: healthy networks stayed within a factor of 5 of the last layer's gradient.
STEEP = 100.0
CLOSING_STEEP = 30.0
# A gain that far above its reference is at fault by itself; the largest of the healthy ones is 7.
GAIN_DB = 6.0


def _steep(view: View, limit: float) -> Bools:
    """[rows]: gradient of the data, as penalties reach their own layer by a way of their own."""
    return (view["gradient_ratio"] > limit) & ~(view["penalty_ratio"] > 1)


def symptom(view: View) -> Bools:
    """[rows]: the first row, in order of data flow, beyond either limit.

    Not where a saturated layer is found: its cause says more.
    """
    return first(view, grown(view, LOUD_DB) | _steep(view, STEEP))


@once
def holds(view: View) -> Bools:
    """[rows]: still beyond either of the closing limits."""
    return grown(view, CLOSING_DB) | _steep(view, CLOSING_STEEP)


def limits(case: Case) -> dict[str, float | None]:
    """The level and the gradient against their limits."""
    level = "output_db" if np.isnan(case["pre_db"]) else "pre_db"
    shown: dict[str, float | None] = {level: LOUD_DB}
    if np.isfinite(case["gradient_ratio"]):
        shown["gradient_ratio"] = STEEP
    return shown | {id: None for id in ("gain_db", "recurrent_gain_db") if np.isfinite(case[id])}


def summary(case: Case) -> str:
    """What grew, and how far."""
    if case["gradient_ratio"] > STEEP:
        return (
            f"The gradient at {case.row.path} is {case['gradient_ratio']:.1g} times that of the "
            "last layer: it grows on its way back."
        )
    levels = case.view["output_db"][case.view.layout.last]
    return (
        f"Levels grow from layer to layer: {case.row.path} is the first beyond {LOUD_DB:+.0f} dB, "
        f"and the outputs stand at {np.nanmax(levels):+.0f} dB."
    )


def _excess(view: View) -> Floats:
    """[rows]: how far the louder of the gains stands above its reference, in dB."""
    own = view["gain_db"] - view.layout.reference_gain_db
    return np.fmax(own, view["recurrent_gain_db"])


def prescribe(case: Case) -> Prescription:
    """Weights of the size that keeps the variance; where they are, a shorter step."""
    excess = _excess(case.view)
    large = np.flatnonzero(excess > GAIN_DB).tolist()
    rows = case.view.layout.rows
    clip = "`clipnorm=1.0` in the optimizer keeps a single step from doing harm meanwhile."
    inside = means(rows, rows[large[0]] if len(large) == 1 else case.row)
    if not large:
        return Prescription(
            "No layer's weights are too large: lower the learning rate, or warm it up, and put a "
            f"normalisation layer in front of the activations. {clip}{inside}"
        )
    paths = ", ".join(rows[place].path for place in large[:5])
    remedy = (
        f"Begin {paths}{' and others' if len(large) > 5 else ''} from the default initializer: "
        f"their gain stands up to {np.max(excess[large]):.0f} dB above what keeps the variance, "
        f"which multiplies from layer to layer and from step to step. {clip}{inside}"
    )
    others = (
        Alternative(
            "kernel penalty",
            f"A kernel penalty would come too late for weights {excess[large].max():.0f} dB too "
            "large.",
        ),
        Alternative(
            "activity penalty",
            "An activity penalty would only shrink what layers put out, which stands at up to "
            f"{np.nanmax(case.view['output_db'], initial=-np.inf):+.0f} dB.",
        ),
    )
    if len(large) > 1:
        return Prescription(remedy, alternatives=others)
    row = case.view.layout.wholes[large[0]]
    if made_by := maker(rows, row):
        set_there = (
            f" Set it in {made_by.path}, as the `kernel_initializer` of all its projections."
        )
        return Prescription(f"{remedy}{set_there}", alternatives=others)
    names = TABLE[row.kind].arguments if row.kind in TABLE else ("kernel", "recurrent")
    changes = {f"{name}_initializer": None for name in names}
    return Prescription(remedy, replacement(row, layer(row, **changes)), alternatives=others)


RULE = Rule(
    verdict="exploding",
    title="Exploding levels or gradients",
    meaning="Levels or gradients grow from layer to layer beyond what can be learned from.",
    threshold=(
        f"The level is more than {LOUD_DB:g} dB above the data's, or above 0 dB where these are "
        "quieter, in this layer and in an output, or the probe's gradient is more than "
        f"{STEEP:g} times the last layer's, and no layer is saturated, in 3 samples in a row; "
        f"closes below {CLOSING_DB:g} dB and {CLOSING_STEEP:g} times. The first such layer is "
        "named."
    ),
    symptom=symptom,
    holds=holds,
    limits=limits,
    summary=summary,
    prescribe=prescribe,
    spreads=True,
)
