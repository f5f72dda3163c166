"""The patch of each finding, executed, and held against training."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import msgspec
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from gainstage import LayerMonitor, wire
from gainstage.diagnosis import RULES
from gainstage.diagnosis.rule import Case
from gainstage.diagnosis.rules.dead import LOUD_DB
from gainstage.layers import arguments

from .builders import CALM, GUILTY, SGD, row, view

BY_VERDICT = {rule.verdict: rule for rule in RULES}

HIDDEN = keras.layers.Dense(
    64,
    activation="sigmoid",
    kernel_initializer=keras.initializers.RandomNormal(0.3, 0.05),
    kernel_constraint="non_neg",
    name="hidden",
)

ADAM = msgspec.structs.replace(SGD, optimizer="Adam")


def patch(
    verdict: str,
    measured: Mapping[str, float] = {},
    training: wire.Training = SGD,
    **changes: Any,
) -> list[Any]:
    """The layers that the prescription for `verdict` puts in the place of HIDDEN."""
    usual = {"arguments": arguments(HIDDEN), "output_shape": (64,), **changes}
    seen = view({**GUILTY[verdict], **measured}, rows=[row("hidden", **usual)], training=training)
    case = Case(seen, 0)
    scope: dict[str, Any] = {"keras": keras}
    exec(BY_VERDICT[verdict].prescribe(case).code, scope)
    return scope["replacement"]


def settings_of(layer: Any, *changed: str) -> dict[str, Any]:
    return {name: value for name, value in layer.get_config().items() if name not in changed}


def test_activity_patch_splits_the_activation_off_so_that_the_penalty_sees_the_level() -> None:
    penalised, activation = patch("activity")

    assert penalised.activation is keras.activations.linear
    assert penalised.activity_regularizer.l2 > 0
    assert activation.activation is keras.activations.sigmoid
    changed = ("activation", "activity_regularizer")
    assert settings_of(penalised, *changed) == settings_of(HIDDEN, *changed)


@pytest.mark.parametrize(("optimizer", "patient"), [("Adam", True), ("SGD", False)])
def test_remedy_says_how_long_weights_take_that_are_not_begun_anew(
    optimizer: str, patient: bool
) -> None:
    training = msgspec.structs.replace(SGD, optimizer=optimizer, learning_rate=0.001)
    kept = view({**GUILTY["activity"], "kernel_rms": 0.25}, training=training)

    remedy = BY_VERDICT["activity"].prescribe(Case(kept, 0)).remedy

    assert ("weights of this size, 0.25, take some 250 steps" in remedy) == patient


@pytest.mark.parametrize(
    ("layer", "axes"), [(keras.layers.Dense(8), 0), (keras.layers.Conv2D(8, 3), (0, 1, 2))]
)
def test_activity_patch_bounds_weights_that_are_kept_where_gradients_are_rescaled(
    layer: Any, axes: Any
) -> None:
    known = {"kind": type(layer).__name__, "arguments": arguments(layer)}

    (bounded,) = patch("activity", training=ADAM, fused=False, **known)

    # The level stands 30 - 15.5 dB above the headroom, at a gain of 0 dB.
    loaded = np.ones((3, 3, 4, 8)[-2 if axes == 0 else 0 :], np.float32)
    norms = np.sqrt(np.sum(np.square(bounded.kernel_constraint(loaded)), axis=axes))
    assert 20 * np.log10(norms) == pytest.approx(-14.5, abs=0.3)
    assert bounded.activity_regularizer.l2 > 0


@pytest.mark.parametrize(
    ("training", "layer"),
    [
        (SGD, keras.layers.Dense(8)),
        (ADAM, HIDDEN),  # has a constraint
        (ADAM, keras.layers.EinsumDense("ab,bc->ac", 8)),
    ],
)
def test_activity_patch_bounds_no_others(training: wire.Training, layer: Any) -> None:
    known = {"kind": type(layer).__name__, "arguments": arguments(layer)}

    (penalised, *_) = patch("activity", training=training, **known)

    assert not isinstance(penalised.kernel_constraint, keras.constraints.MaxNorm)


def test_activity_patch_bounds_no_weights_that_it_begins_anew() -> None:
    given = keras.layers.Dense(8, kernel_initializer=keras.initializers.Constant(0.3), name="a")
    seen = view(GUILTY["activity"], rows=[row(arguments=arguments(given))], training=ADAM)

    begun, kept = (
        BY_VERDICT["activity"].prescribe(Case(seen, 0, from_the_first=first)).code
        for first in (True, False)
    )

    assert "MaxNorm" not in begun
    assert "MaxNorm" in kept


def test_activity_patch_leaves_an_activation_that_is_a_layer_already() -> None:
    plain = arguments(keras.layers.Dense(64, name="hidden"))

    (penalised,) = patch("activity", fused=False, arguments=plain)

    assert penalised.activity_regularizer.l2 > 0


def test_kernel_patch_penalises_the_kernel_and_begins_it_anew() -> None:
    (penalised,) = patch("kernel")

    assert penalised.kernel_regularizer.l2 > 0
    assert isinstance(penalised.kernel_initializer, keras.initializers.GlorotUniform)
    changed = ("kernel_regularizer", "kernel_initializer")
    assert settings_of(penalised, *changed) == settings_of(HIDDEN, *changed)


@pytest.mark.parametrize(
    ("layer", "axis"), [(keras.layers.Dense(8), 0), (keras.layers.Conv2D(8, 3), (0, 1, 2))]
)
def test_kernel_patch_bounds_weights_that_no_initializer_made(layer: Any, axis: Any) -> None:
    known = {"kind": type(layer).__name__, "arguments": arguments(layer)}

    (bounded,) = patch("kernel", **known)

    loaded = np.full((3, 3, 4, 8)[-2 if axis == 0 else 0 :], 100.0, np.float32)
    norms = np.linalg.norm(np.reshape(bounded.kernel_constraint(loaded), (-1, 8)), axis=0)
    assert norms == pytest.approx(1.0, rel=1e-5)
    assert bounded.kernel_regularizer is None


def test_bias_patch_penalises_the_bias_and_begins_it_at_0() -> None:
    loud = {**arguments(HIDDEN), "bias_initializer": "ones"}

    (penalised,) = patch("bias", arguments=loud)

    assert penalised.bias_regularizer.l2 > 0
    assert isinstance(penalised.bias_initializer, keras.initializers.Zeros)
    assert settings_of(penalised, "bias_regularizer") == settings_of(HIDDEN, "bias_regularizer")


@pytest.mark.parametrize(
    ("layer", "kernels", "bias"),
    [
        (keras.layers.Conv2D(4, 3, kernel_initializer="ones"), ["kernel"], "bias"),
        (keras.layers.DepthwiseConv2D(3), ["depthwise"], "bias"),
        (keras.layers.SeparableConv2D(4, 3), ["depthwise", "pointwise"], "bias"),
        (keras.layers.BatchNormalization(), ["gamma"], "beta"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else str(value),
)
def test_patches_name_the_arguments_that_the_layer_has(
    layer: Any, kernels: list[str], bias: str
) -> None:
    known = {"kind": type(layer).__name__, "arguments": arguments(layer)}

    (less_kernel,) = patch("kernel", **known)
    (less_bias,) = patch("bias", **known)

    assert all(getattr(less_kernel, f"{name}_regularizer").l2 > 0 for name in kernels)
    assert getattr(less_bias, f"{bias}_regularizer").l2 > 0


def test_scale_that_takes_no_penalty_gets_no_patch() -> None:
    case = Case(view(GUILTY["kernel"], rows=[row(kind="RMSNormalization")]), 0)

    assert BY_VERDICT["kernel"].prescribe(case).code == ""


def test_input_patch_standardises_in_front_of_the_layer() -> None:
    scaling, layer = patch("input", {"input_rms": 50.0, "input_mean": 40.0, "input_std": 30.0})

    assert scaling(np.array([10.0, 40.0, 70.0])).numpy() == pytest.approx([-1, 0, 1], abs=0.01)
    assert layer.get_config() == HIDDEN.get_config()


def test_input_patch_of_a_constant_scales_to_unit_rms() -> None:
    scaling, _ = patch("input", {"input_rms": 50.0, "input_mean": 50.0, "input_std": 0.01})

    assert scaling(np.array([50.0])).numpy() == pytest.approx([1])


def test_dead_patch_gives_the_units_a_slope_on_both_sides() -> None:
    (layer,) = patch("dead")

    changed = ("activation", "kernel_initializer", "bias_initializer")
    assert layer.activation is keras.activations.leaky_relu
    assert isinstance(layer.kernel_initializer, keras.initializers.HeNormal)
    assert isinstance(layer.bias_initializer, keras.initializers.Zeros)
    assert settings_of(layer, *changed) == settings_of(HIDDEN, *changed)


@pytest.mark.parametrize(("given", "patched"), [({}, False), ({"kernel_initializer": "x"}, True)])
def test_dead_layer_whose_weights_have_grown_needs_a_shorter_step(
    given: dict[str, str], patched: bool
) -> None:
    grown = {**GUILTY["dead"], "gain_db": 25.0}
    rows = [row(activation="relu", arguments={"name": "hidden", "units": 8, **given})]

    prescription = BY_VERDICT["dead"].prescribe(Case(view(grown, rows=rows), 0))

    assert bool(prescription.code) == patched
    assert prescription.remedy.startswith("Lower the learning rate") != patched


LOUD = {"input_db": 40.0, "input_rms": 100.0, "input_mean": 40.0, "input_std": 90.0}


def test_dead_patch_standardises_first_where_what_enters_is_far_too_loud() -> None:
    scaling, revived = patch("dead", LOUD)
    (alone,) = patch("dead", {**LOUD, "input_db": LOUD_DB - 0.1})

    assert scaling(np.array([-50.0, 40.0, 130.0])).numpy() == pytest.approx([-1, 0, 1], abs=0.01)
    for layer in (revived, alone):
        assert layer.activation is keras.activations.leaky_relu


def test_remedy_for_dead_units_names_the_loud_input_before_the_units() -> None:
    remedy = remedy_for("dead", {**GUILTY["dead"], **LOUD})

    assert remedy.startswith("Standardise what enters model/hidden")
    assert remedy.index("That comes first") < remedy.index("He initializer")
    assert "Standardise" not in remedy_for("dead", GUILTY["dead"])


def test_dead_layer_behind_a_layer_with_a_loud_input_is_sent_there_and_not_scaled_twice() -> None:
    rows = [row("first"), row("between", inputs=(0,)), row("last", inputs=(1,), fused=True)]
    dead = {**GUILTY["dead"], **LOUD}
    case = Case(view({**CALM, "input_db": 46.0}, CALM, dead, rows=rows), 2)

    prescription = BY_VERDICT["dead"].prescribe(case)

    assert prescription.remedy.startswith("Standardise what enters model/first first")
    assert "Rescaling" not in prescription.code


def test_dead_patch_in_front_of_an_activation_layer_is_of_the_input_alone() -> None:
    plain = arguments(keras.layers.Dense(64, name="hidden"))

    scaling, layer = patch("dead", LOUD, fused=False, arguments=plain)

    assert isinstance(scaling, keras.layers.Rescaling)
    assert layer.activation is keras.activations.linear


@pytest.mark.parametrize("verdict", ["input", "dead"])
def test_remedy_says_that_its_scaling_treats_all_features_alike(verdict: str) -> None:
    loud = {**GUILTY[verdict], **LOUD}

    by_data = remedy_for(verdict, loud)
    by_a_row = remedy_for(verdict, loud, row("before"), row("hidden", inputs=(0,)))

    for remedy in (by_data, by_a_row):
        assert "all features alike" in remedy
    assert "normalization.adapt(x)" in by_data
    assert "what model/before puts out" in by_a_row
    assert "BatchNormalization" in by_a_row


def remedy_for(verdict: str, measured: Mapping[str, float], *rows: wire.Row) -> str:
    """The remedy for the last of `rows`, the others being calm."""
    rows = rows or (row("hidden"),)
    seen = view(*[CALM] * (len(rows) - 1), measured, rows=rows)
    return BY_VERDICT[verdict].prescribe(Case(seen, len(rows) - 1)).remedy


def test_patch_for_units_that_raw_data_killed_trains_where_the_model_did_not() -> None:
    x, y = load_breast_cancer(return_X_y=True)  # features from 0.001 to 4,000, as they come
    x, y = x.astype(np.float32), y.astype(np.float32)

    def trained(hidden: list[Any], monitor: LayerMonitor) -> float:
        keras.utils.set_random_seed(0)
        second = keras.layers.Dense(32, activation="relu", name="second")
        output = keras.layers.Dense(1, activation="sigmoid")
        model = keras.Sequential([keras.Input((30,)), *hidden, second, output])
        model.compile(keras.optimizers.SGD(0.01), "binary_crossentropy", metrics=["accuracy"])
        model.fit(x, y, epochs=12, verbose=0, callbacks=[monitor])
        loss, accuracy = model.evaluate(x, y, verbose=0)
        assert math.isfinite(loss)
        return accuracy

    monitor = LayerMonitor(False, every=5)
    before = trained([keras.layers.Dense(32, activation="relu", name="first")], monitor)
    finding = monitor.findings()[0]
    scope: dict[str, Any] = {"keras": keras}
    exec(finding.code, scope)

    after = trained(scope["replacement"], LayerMonitor(False))

    assert (finding.verdict, finding.layer.rpartition("/")[2]) == ("dead", "first")
    assert before < 0.7
    assert after > 0.8


def test_no_patch_is_made_up_where_no_change_of_the_layer_helps() -> None:
    separate = Case(view(GUILTY["dead"], rows=[row(fused=False)]), 0)
    broken = Case(view(GUILTY["nonfinite"]), 0)

    assert BY_VERDICT["dead"].prescribe(separate).code == ""
    assert BY_VERDICT["nonfinite"].prescribe(broken).code == ""
