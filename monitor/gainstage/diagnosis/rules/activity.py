"""Weights that line up with the inputs: small weights, small inputs, loud outputs."""

from collections.abc import Mapping
from typing import Any

from gainstage.contractions import TABLE
from gainstage.diagnosis import alternatives
from gainstage.diagnosis.bounding import boundable, bounded_at
from gainstage.diagnosis.carried import ACTIVITY, constraint, penalties, strengthened
from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription, effects
from gainstage.diagnosis.shield import exposed, loudest, shield
from gainstage.diagnosis.source import layer, replacement
from gainstage.diagnosis.splitting import INERT, activation_of, bounded, misplaced
from gainstage.diagnosis.strength import (
    ADAPTIVE,
    TARGET_DB,
    activity_bound,
    activity_penalty,
    amplitude,
    patience,
)

# No level of what float32 holds is beyond that.
MOST_DB = 771.0
# Arguments that penalise weights which multiply the input.
KERNELS = {f"{name}_regularizer" for one in TABLE.values() for name in one.arguments}


def prescribe(case: Case) -> Prescription:
    """An activity penalty on the pre-activation, in front of the activation function."""
    row, training = case.row, case.training
    excess = case["pre_db"] - case.wanted_db
    shielded = exposed(case.view.layout.rows, case.position)
    eigenvalue = loudest(row, case["input_eigenvalue"], shielded=shielded)
    strength = activity_penalty(
        row,
        training,
        excess_db=excess,
        target=amplitude(case.wanted_db),
        eigenvalue=eigenvalue,
    )
    carried, wrong = penalties(row), misplaced(case)
    penalty, present = strengthened(
        None if wrong else carried.get(ACTIVITY),
        strength,
        bound=activity_bound(row, training, eigenvalue),
    )
    initializer = row.arguments.get("kernel_initializer") if case.from_the_first else None
    changes: dict[str, Any] = {} if initializer is None else {"kernel_initializer": None}
    kept = ""
    if initializer is None:
        kept = patience(training, case["kernel_rms"])
        if not shielded:
            words, constraints = _norm_bound(case)
            kept, changes = kept + words, {**changes, **constraints}
    front = [shield(row)] if shielded else []
    layers = [*front, layer(row, activation=None, activity_regularizer=penalty.given, **changes)]
    before = f", before its {row.activation}" if row.activation else ""
    advice = f"Penalise what {row.path} puts out{before}: {penalty}.{present}"
    if row.fused:
        layers.append(activation_of(case))
        advice += f" The activation becomes a layer of its own, {_why_apart(case)}."
    if shielded:
        advice += (
            " A LayerNormalization in front keeps the layers that feed it out of that: the "
            "penalty's gradient reaches them as well, and they would fall silent for it."
        )
    advice += " The strength is a first guess; whether it is right, a trial decides."
    advice += kept
    advice += "".join(
        f" The {one} that its kernel carries addresses the weights' size, and stays."
        for name, one in carried.items()
        if name in KERNELS
    )
    if constraint(row)["class"] == "NonNeg" and case["input_mean"] > 0:
        advice += (
            " NonNeg, the constraint of its kernel, is a cause of it: weights that cannot be "
            f"negative all add up over inputs whose mean is {case['input_mean']:.2g}."
        )
    if initializer is not None:
        advice += (
            f" It has been so since the first sample: {_name(initializer)}, the initializer of the "
            "kernel, put it there. The patch begins from the default one as well, so that the "
            "penalty has only to keep the level where it is. If the weights were loaded, leave the "
            "initializer alone."
        )
    # A penalty of that strength has not done what was computed for it.
    expected = () if penalty is carried.get(ACTIVITY) else effects(pre=-excess)
    return Prescription(
        advice, replacement(row, *layers), expected, alternatives.ranked(case, "activity")
    )


def _norm_bound(case: Case) -> tuple[str, dict[str, Any]]:
    """A bound on weights that are kept, where no strength makes a penalty bring them down sooner.

    It stands at twice the level that the penalty brings them to. Of four kinds of loaded weights,
    findings about three stayed open without it; a bound at that level itself cost the fourth up to
    7 points of accuracy.
    """
    over = case["pre_db"] - case.wanted_db + TARGET_DB
    limit, optimizer = case["gain_db"] - over, case.training.optimizer
    known = over > 0 and abs(limit) < MOST_DB
    if optimizer not in ADAPTIVE or not boundable(case.row) or not known:
        return "", {}
    norm, bound = bounded_at(case.row, limit)
    words = (
        f" MaxNorm({norm:g}) brings the level to twice what is wanted at once, whatever "
        f"{optimizer} makes of the penalty; it leaves each unit its direction, which is for the "
        "penalty to change."
    )
    return words, {"kernel_constraint": bound}


def _why_apart(case: Case) -> str:
    """Why the activation is split off."""
    wrong = misplaced(case)
    if wrong:
        return f"because the {wrong} behind it {INERT}: it is replaced"
    if bounded(case):
        return f"because a penalty behind it {INERT}"
    return "so that the penalty sees what enters it"


def _name(initializer: Any) -> str:
    """What an initializer is called, as the arguments of a layer hold it."""
    named = initializer.get("class", "") if isinstance(initializer, Mapping) else initializer
    return str(named).rpartition(".")[2]


RULE = overload_rule(
    verdict="activity",
    title="Outputs out of range by alignment",
    meaning="The weights line up with the inputs: the outputs need the penalty.",
    guilty="its weights line up with its inputs",
    limit="coherence_db",
    prescribe=prescribe,
)
