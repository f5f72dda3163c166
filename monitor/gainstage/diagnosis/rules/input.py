"""An input that is too loud."""

from gainstage.diagnosis import alternatives
from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription, effects
from gainstage.diagnosis.scaling import standardising
from gainstage.diagnosis.splitting import amended


def prescribe(case: Case) -> Prescription:
    """Standardising in front of the layer."""
    words, scaling = standardising(case)
    moved, code = amended(case, scaling)
    return Prescription(
        f"{words}{moved}",
        code,
        effects(input=-case["input_db"]),
        alternatives.ranked(case, "input"),
    )


RULE = overload_rule(
    verdict="input",
    title="Outputs out of range by loud inputs",
    meaning="What enters is too loud: it needs scaling.",
    guilty="what enters it is too loud",
    limit="input_db",
    prescribe=prescribe,
)
