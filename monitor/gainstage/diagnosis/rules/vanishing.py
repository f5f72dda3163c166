"""Gradients that are all but gone before they reach the first layers."""

import numpy as np

from gainstage.diagnosis.blocking import first
from gainstage.diagnosis.rule import Case, Prescription, Rule
from gainstage.diagnosis.view import Bools, View, anywhere, once

# Three orders of magnitude below the last layer's. In healthy networks of up to 30 layers the
# ratio stays between 0.05 and 20.
VANISHED = 1e-3
CLOSING = 1e-2
SQUASHING = {"sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softsign"}


@once
def symptom(view: View) -> Bools:
    """[rows]: the first row with a gradient, in order of data flow, where that has vanished.

    A layer further on whose gradient is small has not lost it on the way: the keys of an attention
    that has learned all it needs are such a one. A saturated or dead layer lets no gradient pass:
    it is the fault then, not what lies before. Neither does a layer that has none, such as
    `stop_gradient`: then there is nothing left at once.
    """
    ratio = view["gradient_ratio"]
    gone = ratio < VANISHED
    fading = gone & (ratio > 0)
    return first(view, ~np.isnan(ratio)) & gone if anywhere(fading) else fading


@once
def holds(view: View) -> Bools:
    """[rows]: not yet within two orders of magnitude."""
    return view["gradient_ratio"] < CLOSING


def limits(case: Case) -> dict[str, float | None]:
    """The gradient's ratio against its limit, beside what the weights made of it."""
    shown = (id for id in ("gradient_rms", "update_ratio") if np.isfinite(case[id]))
    return {"gradient_ratio": VANISHED, **dict.fromkeys(shown)}


def summary(case: Case) -> str:
    """How little is left."""
    return (
        f"Of the gradient at the last layer, {case['gradient_ratio']:.1g} of it reaches "
        f"{case.row.path}: the first layers learn nothing."
    )


def prescribe(case: Case) -> Prescription:
    """What keeps a gradient's size on its way; no change of one layer does."""
    functions = {row.activation for row in case.view.layout.rows if row.activation}
    squashing = ", ".join(sorted(functions & SQUASHING))
    remedy = "No layer behind it is saturated or dead, so each takes a part of the gradient. "
    if squashing:
        remedy += (
            f"The derivative of {squashing} is below 1 nearly everywhere: use `relu` or `gelu` "
            "with the He initializer in hidden layers. "
        )
    return Prescription(
        remedy + "Weights below the variance-preserving size take more of it: begin from the "
        "default initializer. A normalisation layer in front of each activation, or additions that "
        "bypass the layers, keep the gradient's size at any depth. A penalty on kernels or outputs "
        "would only take away more of the signal."
    )


RULE = Rule(
    verdict="vanishing",
    title="Vanishing gradients",
    meaning="The gradient is all but gone before it reaches this layer and those before it.",
    threshold=(
        f"The rms of the probe's gradient is below {VANISHED:g} of the last layer's, in the "
        "first layer that has one and in 2 samples of the gradient in a row, and no layer is "
        f"saturated or dead; closes above {CLOSING:g}."
    ),
    symptom=symptom,
    holds=holds,
    limits=limits,
    summary=summary,
    prescribe=prescribe,
    opens_after=2,
    closes_after=2,
    block="gradients",
    spreads=True,
)
