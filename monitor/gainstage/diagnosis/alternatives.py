"""What else could be done about a layer that runs out of range, and why it ranks lower."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from gainstage.diagnosis.rule import Case
from gainstage.diagnosis.shield import normalisable
from gainstage.diagnosis.strength import ADAPTIVE
from gainstage.diagnosis.view import CAUSES
from gainstage.finding import Alternative
from gainstage.wire import Row

# Half of the energy: what takes off less is no remedy by itself.
NOTABLE_DB = 3.0


@dataclass(frozen=True)
class Means:
    """A means that is not the remedy.

    Attributes:
        name: As in `Alternative`.
        takes: The term that it would bring to its reference, by which it ranks.
        reason: Why it ranks lower; `{kernel:.0f}` is that term's excess in dB.
        always: Whether it is named even where that term has no excess: people reach for it.
        fits: Whether the row can be treated by it.
    """

    name: str
    takes: str
    reason: str
    always: bool = False
    fits: Callable[[Row], bool] = lambda _row: True


# Verdict -> the means that are ruled out.
OTHERS: dict[str, tuple[Means, ...]] = {
    "activity": (
        Means(
            "kernel penalty",
            "kernel",
            "A kernel penalty would have to shrink every weight for both, features and all: the "
            "alignment stands {activity:.0f} dB above its reference, the weights' size "
            "{kernel:.0f} dB.",
            always=True,
        ),
        Means(
            "normalisation",
            "common",
            "A LayerNormalization in front of the layer may do as well without any penalty: it "
            "takes off what weights of one sign make of positive features, {common:.0f} dB of the "
            "alignment are common to all examples; it also takes from each example its level.",
            fits=normalisable,
        ),
        Means(
            "centred input",
            "common",
            "Centring the input would take off the {common:.0f} dB of the alignment that all "
            "examples share, and leave the other {differing:.0f} dB and the weights' {kernel:.0f} "
            "dB.",
        ),
        Means(
            "scaled input",
            "input",
            "Scaling the input would take off {input:.0f} dB, and leave the alignment's "
            "{activity:.0f} dB.",
        ),
    ),
    "kernel": (
        Means(
            "activity penalty",
            "activity",
            "An activity penalty would only teach the layer to cancel large weights against each "
            "other: their size stands {kernel:.0f} dB above its reference, the alignment "
            "{activity:.0f} dB.",
            always=True,
        ),
        Means(
            "scaled input",
            "input",
            "Scaling the input would take off {input:.0f} dB, and leave the weights {kernel:.0f} "
            "dB too large.",
        ),
        Means(
            "normalisation",
            "none",
            "A normalisation layer in front of the activation would bring the level down, and "
            "leave the weights {kernel:.0f} dB too large.",
            always=True,
        ),
    ),
    "input": (
        Means(
            "kernel penalty",
            "kernel",
            "A kernel penalty would make the weights pay for an input that stands {input:.0f} dB "
            "above its reference: their own size stands {kernel:.0f} dB above it.",
            always=True,
        ),
        Means(
            "activity penalty",
            "activity",
            "An activity penalty would not make the input any quieter: the alignment stands "
            "{activity:.0f} dB above its reference.",
            always=True,
        ),
    ),
    "bias": (
        Means(
            "activity penalty",
            "activity",
            "An activity penalty would press on the weights as well, where the bias alone stands "
            "{bias:.0f} dB above the headroom.",
            always=True,
        ),
        Means(
            "kernel penalty",
            "kernel",
            "A kernel penalty does not reach the bias: the weights' size stands {kernel:.0f} dB "
            "above its reference.",
            always=True,
        ),
    ),
}
# Behind the reason of a kernel penalty. On digits in random features, it fell behind the activity
# penalty by 0.3 to 6 points of accuracy under Adam, by 3 to 44 under plain descent.
ADAPTED = " {optimizer} rescales each penalty's gradient, so that it falls less far behind."


def ranked(case: Case, verdict: str) -> tuple[Alternative, ...]:
    """The means other than the remedy of `verdict`, best first."""
    excess = {cause: float(case.view.excess(cause)[case.position]) for cause in CAUSES}
    aligned = case["aligned"]
    differing = 20 * math.log10(aligned) if aligned > 1 else 0.0
    common = 0.0 if math.isnan(aligned) else max(0.0, excess["activity"] - differing)
    terms = {**excess, "common": common, "differing": differing, "none": 0.0}
    others = [
        one
        for one in OTHERS[verdict]
        if one.fits(case.row) and (one.always or terms[one.takes] >= NOTABLE_DB)
    ]
    others.sort(key=lambda one: -terms[one.takes])
    found = [Alternative(one.name, one.reason.format(**terms)) for one in others]
    if verdict == "activity" and case.training.optimizer in ADAPTIVE:
        adapted = ADAPTED.format(optimizer=case.training.optimizer)
        found = [
            Alternative(one.name, one.reason + adapted) if one.name == "kernel penalty" else one
            for one in found
        ]
    return tuple(found)
