"""NaN and infinity: the first layer where they appear."""

import numpy as np

from gainstage.diagnosis.insides import means
from gainstage.diagnosis.rule import Case, Prescription, Rule
from gainstage.diagnosis.view import Bools, View, anywhere, once


def symptom(view: View) -> Bools:
    """[rows]: the first row in order of data flow that holds a value which is not finite.

    What lies behind it got the value from it, and is not accused.
    """
    bad = holds(view)
    if not anywhere(bad):
        return bad
    first = np.zeros_like(bad)
    first[np.argmax(bad)] = True
    return first


@once
def holds(view: View) -> Bools:
    """[rows]: there is still such a value in the row."""
    return (view["nonfinite_rate"] > 0) | (view["weight_nonfinite_rate"] > 0)


def limits(case: Case) -> dict[str, float | None]:
    """Any share above 0 is too much."""
    shares = ("nonfinite_rate", "weight_nonfinite_rate", "input_nonfinite_rate")
    return {share: 0.0 for share in shares if np.isfinite(case[share])}


def _data_are_broken(case: Case) -> bool:
    """Whether no layer comes before this one, and what enters it is not finite already."""
    return not case.row.inputs and case["input_nonfinite_rate"] > 0


def summary(case: Case) -> str:
    """Where, and whether the data or the layer can be named for it."""
    if _data_are_broken(case):
        percent = 100 * case["input_nonfinite_rate"]
        return (
            f"The data contain NaN or infinity: {percent:.2g} % of the values that enter "
            f"{case.row.path}, the first layer."
        )
    if case["weight_nonfinite_rate"] > 0:
        return (
            f"NaN or infinity in the weights of {case.row.path}, the first layer: an update since "
            "the last sample was not finite, so any layer or the loss may have caused it."
        )
    return (
        f"NaN or infinity first appears in what {case.row.path} puts out; its weights are still "
        "finite."
    )


def prescribe(case: Case) -> Prescription:
    """Clean data, or what keeps updates finite; no change of the layer itself."""
    if _data_are_broken(case):
        return Prescription(
            "Stop here: nothing is learned from NaN. Find the values in the data, with "
            "`numpy.isfinite(x)`, drop or fill them, and begin again from weights that are still "
            "finite. If operations or layers that are not watched lie between the data and "
            f"{case.row.path}, look there next. No optimizer and no regularizer helps."
        )
    return Prescription(
        "Stop here: nothing is learned from NaN. Begin again from the last good weights with a "
        "lower learning rate or `clipnorm=1.0` in the optimizer, check the data for values that "
        "are not finite, and logarithms and divisions for zeros. No regularizer helps."
        + means(case.view.layout.rows, case.row),
    )


RULE = Rule(
    verdict="nonfinite",
    title="Values that are not finite",
    meaning="NaN or infinity appeared in this layer first.",
    threshold="Any value that is not finite, at once: it spreads to every weight within a step.",
    symptom=symptom,
    holds=holds,
    limits=limits,
    summary=summary,
    prescribe=prescribe,
    severity="critical",
    opens_after=1,
    least_steps=0,
    spreads=True,
)
