"""Weights that are too large for their number."""

from typing import Any

from gainstage.contractions import TABLE
from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription
from gainstage.diagnosis.source import call, layer, replacement
from gainstage.diagnosis.strength import HOLDING_STEPS, amplitude, penalty


def prescribe(case: Case) -> Prescription:
    """The default initializer, and a kernel penalty that keeps the gain where that puts it."""
    row = case.row
    excess = float(case.view.excess["kernel"][case.position])
    strength = penalty(
        case.training,
        excess_db=excess,
        target=case["kernel_rms"] * amplitude(-excess),
        steps=HOLDING_STEPS,
    )
    changes: dict[str, Any] = {}
    for name in TABLE[row.kind].arguments if row.kind in TABLE else ("kernel",):
        regularizer = call("keras.regularizers.L2", l2=float(f"{strength:.2g}"))
        changes |= {f"{name}_regularizer": regularizer, f"{name}_initializer": None}
    # RMSNormalization takes no penalty on its scale: there is nothing to paste.
    code = replacement(row, layer(row, **changes)) if changes else ""
    return Prescription(
        f"Begin {row.path} from the default initializer and penalise its kernel: "
        f"L2({strength:.2g}). Its gain stands {excess:.0f} dB above what keeps the variance. A "
        "penalty on the outputs would only teach it to cancel large weights against each other.",
        code,
    )


RULE = overload_rule(
    verdict="kernel",
    title="Outputs out of range by large weights",
    meaning="The weights are too large for their number: the kernel needs the penalty.",
    guilty="its weights are too large for their number",
    limit="gain_db",
    prescribe=prescribe,
)
