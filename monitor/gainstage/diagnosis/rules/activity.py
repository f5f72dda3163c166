"""Weights that line up with the inputs: small weights, small inputs, loud outputs."""

from collections.abc import Mapping
from typing import Any

from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription
from gainstage.diagnosis.source import call, layer, replacement
from gainstage.diagnosis.strength import ADAPTIVE, activity_penalty, amplitude


def prescribe(case: Case) -> Prescription:
    """An activity penalty on the pre-activation, in front of the activation function."""
    row, training = case.row, case.training
    strength = activity_penalty(
        row,
        training,
        excess_db=case["pre_db"] - case.wanted_db,
        target=amplitude(case.wanted_db),
        eigenvalue=case["input_eigenvalue"],
    )
    initializer = row.arguments.get("kernel_initializer") if case.from_the_first else None
    changes: dict[str, Any] = {} if initializer is None else {"kernel_initializer": None}
    penalised = layer(
        row,
        activation=None,
        activity_regularizer=call("keras.regularizers.L2", l2=float(f"{strength:.2g}")),
        **changes,
    )
    layers = [penalised]
    before = f", before its {row.activation}" if row.activation else ""
    remedy = f"Penalise what {row.path} puts out{before}: L2({strength:.2g})."
    if row.fused:
        layers.append(call("keras.layers.Activation", activation=row.activation))
        remedy += (
            " The activation becomes a layer of its own, because a penalty behind it acts on "
            "bounded values, whose gradient is 0 just where the unit is saturated."
        )
    gain = float(case.view.excess["kernel"][case.position])
    remedy += (
        f" The alignment stands {case['coherence_db']:.0f} dB above its reference, the weights' "
        f"size {gain:.0f} dB: a kernel penalty would have to shrink every weight for both, "
        "features and all. The strength is a first guess; whether it is right, a trial decides."
    )
    if initializer is not None:
        remedy += (
            f" It has been so since the first sample: {_name(initializer)}, the initializer of the "
            "kernel, put it there. The patch begins from the default one as well, so that the "
            "penalty has only to keep the level where it is; by itself it has to undo the weights "
            "first, and may silence a layer in front meanwhile. If the weights were loaded, leave "
            "the initializer alone."
        )
    if case["common_mode"] > case["aligned"]:
        remedy += (
            " Most of it is common to all examples: centring the input of the layer, or "
            "BatchNormalization in front of it, may do as well."
        )
    if training.optimizer in ADAPTIVE:
        remedy += (
            f" {training.optimizer} rescales each penalty's gradient, so that a kernel penalty "
            "comes close under it."
        )
    return Prescription(remedy, replacement(row, *layers))


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
