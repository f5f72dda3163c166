"""Weights that are too large for their number."""

import math

from gainstage.contractions import TABLE
from gainstage.diagnosis import alternatives
from gainstage.diagnosis.bounding import boundable, bounded_at
from gainstage.diagnosis.carried import constraint, penalties, strengthened
from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription, effects
from gainstage.diagnosis.source import Call
from gainstage.diagnosis.splitting import amended
from gainstage.diagnosis.strength import HOLDING_STEPS, amplitude, penalty


def prescribe(case: Case) -> Prescription:
    """The default initializer, and a kernel penalty that keeps the gain where that puts it.

    Where the layer began from it already, a bound on the weights that they were given instead.
    """
    excess = float(case.view.excess("kernel")[case.position])
    words, changes = _bounded(case) or _penalised(case, excess)
    # RMSNormalization takes no penalty on its scale: there is nothing to paste.
    moved, code = amended(case, **changes) if changes else ("", "")
    return Prescription(
        f"{words} Its gain stands {excess:.0f} dB above what keeps the variance."
        f"{_max_norm(case)}{_decay(case)}{moved}",
        code,
        effects(gain=-excess),
        alternatives.ranked(case, "kernel"),
    )


def _penalised(case: Case, excess: float) -> tuple[str, dict[str, Call | None]]:
    row = case.row
    strength = penalty(
        case.training,
        excess_db=excess,
        target=case["kernel_rms"] * amplitude(-excess),
        steps=HOLDING_STEPS,
    )
    wanted, said = f"L2({strength:.2g})", ""
    changes: dict[str, Call | None] = {}
    for name in TABLE[row.kind].arguments if row.kind in TABLE else ("kernel",):
        regularizer, present = strengthened(penalties(row).get(f"{name}_regularizer"), strength)
        changes |= {f"{name}_regularizer": regularizer.given, f"{name}_initializer": None}
        wanted, said = str(regularizer), said or present
    words = (
        f"Begin {row.path} from the default initializer and penalise its kernel: {wanted}.{said}"
    )
    return words, changes


def _bounded(case: Case) -> tuple[str, dict[str, Call | None]] | None:
    """A bound on each unit's norm, where weights as large as these were loaded or thrown there."""
    row = case.row
    if not boundable(row) or {"kernel_initializer", "kernel_regularizer"} & row.arguments.keys():
        return None
    norm, limit = bounded_at(row, float(case.view.layout.reference_gain_db[case.position]))
    words = (
        f"Weights of this size are not what {row.path} is initialized with: they were loaded, or "
        "steps that are too long threw them there. Load them with their scale, or lower the "
        f"learning rate. MaxNorm({norm:g}) brings each unit back to the norm that keeps the "
        "variance, whatever the optimizer, and leaves its direction: a penalty would take long."
    )
    return words, {"kernel_constraint": limit}


def _max_norm(case: Case) -> str:
    """What a bound on the norm of each unit's weights, which is its gain, lets pass."""
    found = constraint(case.row)
    norm = found["arguments"].get("max_value")
    if found["class"] != "MaxNorm" or case.row.kind != "Dense" or type(norm) not in {int, float}:
        return ""
    reference = amplitude(float(case.view.layout.reference_gain_db[case.position]))
    if found["arguments"].get("axis", 0) != 0 or not norm > reference:
        return ""
    return (
        f" MaxNorm({norm:g}) lets each unit's norm, which is its gain, rise to "
        f"{20 * math.log10(norm):+.0f} dB: MaxNorm({reference:.2g}) keeps the variance."
    )


def _decay(case: Case) -> str:
    """Why the optimizer's decay has not done it, where it is too slow."""
    training, rate = case.training, case.view.rate or 0.0
    steps = 1 / (training.weight_decay * rate) if training.weight_decay * rate > 0 else 0.0
    if not HOLDING_STEPS < steps < math.inf:
        return ""
    return (
        f" The weight decay of {training.optimizer}, {training.weight_decay:g}, takes a factor e "
        f"off the weights in {steps:,.0f} steps: too slowly to count."
    )


RULE = overload_rule(
    verdict="kernel",
    title="Outputs out of range by large weights",
    meaning="The weights are too large for their number: the kernel needs the penalty.",
    guilty="its weights are too large for their number",
    limit="gain_db",
    prescribe=prescribe,
)
