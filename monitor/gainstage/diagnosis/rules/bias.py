"""A bias that drives the layer out of range by itself."""

from gainstage.contractions import TABLE
from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription
from gainstage.diagnosis.source import call, layer, replacement
from gainstage.diagnosis.strength import amplitude, penalty


def prescribe(case: Case) -> Prescription:
    """A bias of 0 to begin with, and a penalty that keeps it small."""
    row = case.row
    wanted = case.wanted_db
    strength = penalty(case.training, excess_db=case["bias_db"] - wanted, target=amplitude(wanted))
    name = TABLE[row.kind].bias_argument if row.kind in TABLE else "bias"
    regularizer = call("keras.regularizers.L2", l2=float(f"{strength:.2g}"))
    changes = {f"{name}_initializer": None, f"{name}_regularizer": regularizer}
    return Prescription(
        f"Begin {row.path} with a bias of 0 and penalise it: L2({strength:.2g}). The bias alone "
        "uses up the headroom; weights and inputs are within it.",
        replacement(row, layer(row, **changes)),
    )


RULE = overload_rule(
    verdict="bias",
    title="Outputs out of range by the bias",
    meaning="The bias alone drives the layer out of range.",
    guilty="its bias alone uses up the headroom",
    limit="bias_db",
    prescribe=prescribe,
)
