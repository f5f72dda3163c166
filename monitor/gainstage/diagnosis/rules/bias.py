"""A bias that drives the layer out of range by itself."""

from gainstage.contractions import TABLE
from gainstage.diagnosis import alternatives
from gainstage.diagnosis.carried import penalties, strengthened
from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription, effects
from gainstage.diagnosis.source import Call
from gainstage.diagnosis.splitting import amended
from gainstage.diagnosis.strength import amplitude, penalty


def prescribe(case: Case) -> Prescription:
    """A bias of 0 to begin with, and a penalty that keeps it small."""
    row = case.row
    wanted = case.wanted_db
    strength = penalty(case.training, excess_db=case["bias_db"] - wanted, target=amplitude(wanted))
    name = TABLE[row.kind].bias_argument if row.kind in TABLE else "bias"
    regularizer, present = strengthened(penalties(row).get(f"{name}_regularizer"), strength)
    changes: dict[str, Call | None] = {
        f"{name}_initializer": None,
        f"{name}_regularizer": regularizer.given,
    }
    moved, code = amended(case, **changes)
    return Prescription(
        f"Begin {row.path} with a bias of 0 and penalise it: {regularizer}.{present} The bias "
        f"alone uses up the headroom; weights and inputs are within it.{moved}",
        code,
        effects(bias=wanted - case["bias_db"]),
        alternatives.ranked(case, "bias"),
    )


RULE = overload_rule(
    verdict="bias",
    title="Outputs out of range by the bias",
    meaning="The bias alone drives the layer out of range.",
    guilty="its bias alone uses up the headroom",
    limit="bias_db",
    prescribe=prescribe,
)
