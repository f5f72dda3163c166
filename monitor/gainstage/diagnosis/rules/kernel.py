"""Weights that are too large for their number."""

from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription
from gainstage.diagnosis.source import call, layer, replacement
from gainstage.diagnosis.strength import penalty


def prescribe(case: Case) -> Prescription:
    """A kernel penalty that brings the gain to the variance-preserving one."""
    row = case.row
    excess = float(case.view.excess["kernel"][case.position])
    strength = penalty(row, case.training, excess_db=excess, eigenvalue=1.0)
    code = replacement(
        row,
        layer(
            row,
            kernel_regularizer=call("keras.regularizers.L2", l2=float(f"{strength:.2g}")),
            kernel_initializer=None,
        ),
    )
    return Prescription(
        f"Penalise the kernel of {row.path}: L2({strength:.2g}), and begin from the default "
        f"initializer. Its gain stands {excess:.0f} dB above what keeps the variance. A penalty on "
        "the outputs would only teach it to cancel large weights against each other.",
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
