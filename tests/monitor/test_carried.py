"""Penalties and constraints that a layer carries already: what the remedy makes of each."""

from collections.abc import Mapping
from typing import Any

import keras
import msgspec
import pytest

from gainstage import wire
from gainstage.diagnosis.carried import Penalty, constraint, penalties
from gainstage.diagnosis.rule import Case, Prescription
from gainstage.layers import arguments

from .builders import BY_VERDICT, CALM, GUILTY, SGD, row, view

regularizers = keras.regularizers
# What is computed for GUILTY["activity"] and SGD.
COMPUTED = 0.024


class Mine(regularizers.Regularizer):
    """A penalty of the user's own."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def __call__(self, x: Any) -> Any:
        total: Any = keras.ops.sum(x)
        return self.scale * total

    def get_config(self) -> dict[str, float]:
        return {"scale": self.scale}


def prescribed(
    verdict: str,
    measured: Mapping[str, float] = {},
    *,
    fused: bool = True,
    activation: str = "sigmoid",
    training: wire.Training = SGD,
    **given: Any,
) -> Prescription:
    """What the rule says of a Dense layer with the arguments `given`."""
    told = arguments(
        keras.layers.Dense(8, activation=activation if fused else None, name="hidden", **given)
    )
    one = row("hidden", arguments=told, fused=fused, activation=activation)
    seen = view({**GUILTY[verdict], **measured}, rows=[one], training=training)
    return BY_VERDICT[verdict].prescribe(Case(seen, 0))


def patch(prescription: Prescription) -> list[Any]:
    scope: dict[str, Any] = {"keras": keras}
    exec(prescription.code, scope)
    return scope["replacement"]


@pytest.mark.parametrize(
    ("regularizer", "text", "pull"),
    [
        (regularizers.L1(0.02), "L1(0.02)", 0.02),
        (regularizers.L2(0.01), "L2(0.01)", 0.06),
        (regularizers.L1L2(0.1, 0.2), "L1L2(l1=0.1, l2=0.2)", 1.3),
        (regularizers.OrthogonalRegularizer(0.03), "OrthogonalRegularizer(0.03)", None),
        (Mine(), "Mine", None),
    ],
    ids=lambda value: type(value).__name__ if callable(value) else "",
)
def test_regularizer_is_read_with_its_strength_and_its_pull(
    regularizer: Any, text: str, pull: float | None
) -> None:
    layer = keras.layers.Dense(8, kernel_regularizer=regularizer)

    (found,) = penalties(row(arguments=arguments(layer))).values()

    assert str(found) == text
    assert found.pull(3.0) == pytest.approx(pull)


@pytest.mark.parametrize(
    "value", ["my_penalty", 3, {"class": "keras.regularizers.L2"}, {"arguments": {}}, ["L2"]]
)
def test_regularizer_that_cannot_be_read_is_one_of_unknown_strength(value: Any) -> None:
    (found,) = penalties(row(arguments={"kernel_regularizer": value})).values()

    assert found.strengths == {}
    assert found.pull(1.0) is None


@pytest.mark.parametrize("strength", [-1.0, 0.0, float("nan"), float("inf"), "2", True, None])
def test_strength_that_is_no_positive_number_is_not_known(strength: Any) -> None:
    value = {"class": "keras.regularizers.L2", "arguments": {"l2": strength}}

    (found,) = penalties(row(arguments={"kernel_regularizer": value})).values()

    assert found.strengths == {}


def test_constraint_is_read_by_the_name_of_its_class() -> None:
    layer = keras.layers.Dense(8, kernel_constraint=keras.constraints.MaxNorm(3))

    assert constraint(row(arguments=arguments(layer)))["class"] == "MaxNorm"
    assert constraint(row())["class"] == ""


def test_activity_penalty_behind_a_bounded_activation_is_replaced_by_one_in_front_of_it() -> None:
    found = prescribed("activity", activity_regularizer=regularizers.L2(0.5))

    penalised, activation = patch(found)

    assert "because the L2(0.5) behind it acts on bounded values" in found.remedy
    assert "too weak" not in found.remedy
    assert penalised.activity_regularizer.l2 == pytest.approx(COMPUTED)
    assert activation.activity_regularizer is None


@pytest.mark.parametrize("verdict", ["kernel", "input", "bias"])
def test_activity_penalty_on_the_wrong_side_is_moved_whatever_the_cause(verdict: str) -> None:
    found = prescribed(verdict, activity_regularizer=regularizers.L1(0.5))
    without = prescribed(verdict)

    *_, penalised, activation = patch(found)

    assert "The L1(0.5) on its outputs acts on bounded values" in found.remedy
    assert 0 < penalised.activity_regularizer.l2 < COMPUTED
    assert penalised.activation is keras.activations.linear
    assert activation.activation is keras.activations.sigmoid
    assert "bounded values" not in without.remedy


@pytest.mark.parametrize("verdict", ["activity", "kernel", "input", "bias"])
def test_activity_penalty_in_front_of_an_activation_is_on_the_right_side(verdict: str) -> None:
    found = prescribed(verdict, fused=False, activity_regularizer=regularizers.L2(1e-4))

    assert "bounded values" not in found.remedy
    assert not any(isinstance(one, keras.layers.Activation) for one in patch(found))


def test_activity_penalty_that_is_too_weak_is_raised_and_the_factor_told() -> None:
    found = prescribed("activity", fused=False, activity_regularizer=regularizers.L2(1e-4))

    (penalised,) = patch(found)

    assert "The L2(0.0001) that it carries there is too weak by a factor of 240." in found.remedy
    assert penalised.activity_regularizer.l2 == pytest.approx(COMPUTED)


def test_activity_penalty_that_is_strong_enough_stays() -> None:
    found = prescribed("activity", fused=False, activity_regularizer=regularizers.L2(0.1))

    (penalised,) = patch(found)

    assert "L2(0.1). It carries that already, no weaker than L2(0.024)" in found.remedy
    assert penalised.activity_regularizer.l2 == pytest.approx(0.1)


def test_activity_penalty_that_diverges_by_itself_is_weakened() -> None:
    """Beyond (1 + momentum) / (rate * eigenvalue), which is 19 here."""
    carried = [prescribed("activity", fused=False, activity_regularizer=regularizers.L2(strength))
               for strength in (18.9, 19.1)]  # fmt: skip

    strengths = [patch(one)[0].activity_regularizer.l2 for one in carried]

    assert strengths == pytest.approx([18.9, COMPUTED])
    assert "diverges by itself" in carried[1].remedy


@pytest.mark.parametrize(
    ("regularizer", "name"), [(regularizers.L1(0.1), "L1(0.1)"), (Mine(), "Mine")]
)
def test_activity_penalty_of_another_kind_is_named_and_replaced(
    regularizer: Any, name: str
) -> None:
    found = prescribed("activity", fused=False, activity_regularizer=regularizer)

    assert f"It replaces the {name} that the layer carries there." in found.remedy
    assert patch(found)[0].activity_regularizer.l2 == pytest.approx(COMPUTED)


def test_kernel_penalty_stays_where_the_alignment_is_at_fault() -> None:
    found = prescribed("activity", kernel_regularizer=regularizers.L1(0.1))

    assert "The L1(0.1) that its kernel carries addresses the weights' size" in found.remedy
    assert float(patch(found)[0].kernel_regularizer.l1) == pytest.approx(0.1)


@pytest.mark.parametrize(("verdict", "argument"), [("kernel", "kernel"), ("bias", "bias")])
def test_penalty_of_the_guilty_weights_is_raised_where_it_is_too_weak(
    verdict: str, argument: str
) -> None:
    begun = {f"{argument}_initializer": keras.initializers.Ones()}
    plain = patch(prescribed(verdict, **begun))[0]
    computed = getattr(plain, f"{argument}_regularizer").l2
    given: list[dict[str, Any]] = [
        {f"{argument}_regularizer": regularizers.L2(computed * factor)} for factor in (0.1, 100.0)
    ]
    weak, strong = (prescribed(verdict, **one) for one in given)

    strengths = [getattr(patch(one)[0], f"{argument}_regularizer").l2 for one in (weak, strong)]

    assert "too weak by a factor of 10." in weak.remedy
    assert "It carries that already" in strong.remedy
    assert strengths == pytest.approx([computed, 100 * computed])


def test_max_norm_that_lets_the_gain_rise_is_named_and_the_norm_that_does_not() -> None:
    def remedy(norm: int, **given: Any) -> str:
        given = {"kernel_constraint": keras.constraints.MaxNorm(norm), **given}
        return prescribed("kernel", **given).remedy

    assert "MaxNorm(10) lets each unit's norm, which is its gain, rise to +20 dB" in remedy(10)
    assert "MaxNorm(1) keeps the variance" in remedy(10)
    assert "MaxNorm" not in remedy(1)
    assert "MaxNorm" not in remedy(10, kernel_constraint=keras.constraints.MaxNorm(10, axis=1))


def test_weights_that_cannot_be_negative_are_named_behind_inputs_that_are_positive() -> None:
    def remedy(mean: float, **given: Any) -> str:
        return prescribed("activity", {"input_mean": mean}, **given).remedy

    assert "inputs whose mean is 0.5" in remedy(0.5, kernel_constraint="non_neg")
    assert "NonNeg" not in remedy(-0.5, kernel_constraint="non_neg")
    assert "NonNeg" not in remedy(0.5)


def test_weight_decay_that_is_too_slow_to_count_is_said_to_be() -> None:
    def remedy(decay: float) -> str:
        training = msgspec.structs.replace(SGD, optimizer="AdamW", weight_decay=decay)
        return prescribed("kernel", training=training).remedy

    assert "The weight decay of AdamW, 0.001, takes a factor e off the weights in 20,000" in (
        remedy(0.001)
    )
    assert "weight decay" not in remedy(0.01)
    assert "weight decay" not in remedy(0.0)


def weakened(regularizer: Any, argument: str = "kernel_regularizer") -> dict[str, float]:
    """The strengths of what `regularizer`, which has silenced its layer, becomes."""
    found = prescribed("over_regularized", **{argument: regularizer})
    made = getattr(patch(found)[0], argument)
    assert type(made) is type(regularizer)
    config: dict[str, Any] = made.get_config()
    return {name: float(one) for name, one in config.items() if not isinstance(one, str)}


@pytest.mark.parametrize(
    ("argument", "size"),
    [("kernel_regularizer", 0.5), ("activity_regularizer", 1.0)],  # of 4 inputs at unit gain
)
def test_penalty_that_silenced_a_layer_is_weakened_in_its_own_kind(
    argument: str, size: float
) -> None:
    l1 = weakened(regularizers.L1(3.0), argument)["l1"]
    l2 = weakened(regularizers.L2(3.0), argument)["l2"]
    both = weakened(regularizers.L1L2(3.0, 6.0), argument)

    # One digit of each is kept.
    assert l1 == pytest.approx(2 * l2 * size, rel=0.3)
    assert both["l1"] + 2 * both["l2"] * size == pytest.approx(l1, rel=0.3)
    assert both["l2"] / both["l1"] == pytest.approx(2, rel=0.3)
    assert 0 < l1 < 0.01


def test_penalty_whose_pull_is_not_of_sizes_gets_a_tenth() -> None:
    orthogonal = regularizers.OrthogonalRegularizer(0.3)

    remedy = prescribed("over_regularized", kernel_regularizer=orthogonal).remedy

    assert remedy.startswith("Try a tenth of what model/hidden carries")
    assert weakened(orthogonal) == {"factor": pytest.approx(0.03)}


def test_penalty_that_is_weak_already_gets_a_tenth_and_is_never_raised() -> None:
    assert weakened(regularizers.L2(1e-7)) == {"l2": pytest.approx(1e-8)}


def test_penalty_of_the_user_is_weakened_in_words_alone() -> None:
    found = prescribed("over_regularized", kernel_regularizer=Mine())

    assert found.remedy.startswith("Weaken Mine of kernel_regularizer tenfold in its code")
    assert found.code == ""


def test_gate_that_a_penalty_silenced_is_told_of_its_layers_penalty() -> None:
    layer = keras.layers.LSTM(8, name="lstm", kernel_regularizer=regularizers.L2(3.0))
    rows = [
        row("lstm", kind="LSTM", activation=None, fused=False, arguments=arguments(layer)),
        row("lstm/forget", kind="LSTM", arguments={}, state_fan_in=8.0, unjudged="a gate"),
    ]
    seen = view(CALM, GUILTY["over_regularized"], rows=rows)

    found = BY_VERDICT["over_regularized"].prescribe(Case(seen, 1))

    assert found.remedy.startswith("Weaken what model/lstm carries: kernel_regularizer=L2(")
    assert type(patch(found)[0]) is keras.layers.LSTM


def test_penalty_of_a_projection_is_weakened_in_its_attention_layer_without_a_patch() -> None:
    heavy = {"class": "keras.regularizers.L2", "arguments": {"l2": 3.0}}
    rows = [
        row("mha", kind="MultiHeadAttention", unjudged="read by its output only"),
        row("mha/key", kind="EinsumDense", arguments={"name": "key", "kernel_regularizer": heavy}),
    ]

    found = BY_VERDICT["over_regularized"].prescribe(
        Case(view(CALM, GUILTY["over_regularized"], rows=rows), 1)
    )

    assert found.remedy.startswith("Weaken what model/mha/key carries: kernel_regularizer=L2(")
    assert " Set it in model/mha, from which all its projections have it. Begin" in found.remedy
    assert found.code == ""


@pytest.mark.parametrize("verdict", ["exploding", "nonfinite"])
def test_gates_and_logits_are_told_what_helps_them_as_no_argument_penalises_them(
    verdict: str,
) -> None:
    def remedy(*rows: wire.Row) -> str:
        seen = view(*[CALM] * (len(rows) - 1), GUILTY[verdict], rows=rows)
        return BY_VERDICT[verdict].prescribe(Case(seen, len(rows) - 1)).remedy

    attention = row("mha", kind="MultiHeadAttention", unjudged="read by its output only")
    gate = remedy(row("gru/reset", kind="GRU", arguments={}, state_fan_in=8.0))
    logits = remedy(attention)
    query = remedy(attention, row("mha/query", kind="EinsumDense"))

    for means in ("Scale", "LayerNormalization", "bias", "clip"):
        assert means in gate.partition("penalises a gate")[2]
    for text in (logits, query):
        for means in ("Scale", "LayerNormalization", "clip"):
            assert means in text.partition("penalises attention logits")[2]
    assert "No argument" not in remedy(row())
    assert "No argument" not in remedy(attention, row("mha/value", kind="EinsumDense"))


def test_penalty_is_shown_without_the_noise_of_float32() -> None:
    assert str(Penalty("L2", {"l2": 0.019999999552965164}, None)) == "L2(0.02)"
