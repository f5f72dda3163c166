"""Each rule by itself: where it trips, where it stays silent, and what it says."""

import json

import numpy as np
import pytest

from gainstage import wire
from gainstage.diagnosis import RULES, VERDICTS, Rule, begin, describe
from gainstage.diagnosis.fold import seen
from gainstage.diagnosis.overload import CLOSING_DB, CLOSING_SHARE, SATURATED_SHARE, TAKEOVER_DB
from gainstage.diagnosis.rule import Case
from gainstage.diagnosis.rules import dead
from gainstage.diagnosis.view import GATE_MARGIN_DB, LEAST_LIMIT_DB
from gainstage.statistics import BY_ID
from gainstage.windows import WINDOW

from .builders import BY_VERDICT, CALM, GUILTY, HEADROOM, LOUD, row, symptoms, view

OVERLOAD = ("activity", "kernel", "input", "bias")


def test_every_verdict_but_healthy_has_one_rule() -> None:
    assert sorted(BY_VERDICT) == sorted({verdict.name for verdict in VERDICTS} - {"healthy"})
    assert len(BY_VERDICT) == len(RULES)


@pytest.mark.parametrize("verdict", GUILTY)
def test_rule_trips_on_its_symptom_and_on_no_others(verdict: str) -> None:
    assert symptoms(view(GUILTY[verdict], CALM)) == [[verdict], []]


@pytest.mark.parametrize("verdict", OVERLOAD)
@pytest.mark.parametrize(
    "change",
    [{"pre_db": HEADROOM - 0.01}, {"saturation_rate": SATURATED_SHARE - 0.001}],
    ids=["level", "share"],
)
def test_overload_is_silent_just_under_either_of_its_thresholds(
    verdict: str, change: dict[str, float]
) -> None:
    just_over = {"pre_db": HEADROOM + 0.01, "saturation_rate": SATURATED_SHARE + 0.001}

    assert symptoms(view({**GUILTY[verdict], **just_over})) == [[verdict]]
    assert symptoms(view({**GUILTY[verdict], **just_over, **change})) == [[]]


@pytest.mark.parametrize("verdict", OVERLOAD)
@pytest.mark.parametrize("missing", ["pre_db", "saturation_rate"])
def test_overload_is_not_guessed_from_half_of_its_statistics(verdict: str, missing: str) -> None:
    known = {id: value for id, value in GUILTY[verdict].items() if id != missing}

    assert symptoms(view(known)) == [[]]


@pytest.mark.parametrize("activation", [None, "linear", "relu", "softmax", "?", "unheard-of"])
def test_layer_without_headroom_is_never_overloaded(activation: str | None) -> None:
    rows = [row(activation=activation)]

    assert [symptoms(view(GUILTY[verdict], rows=rows)) for verdict in OVERLOAD] == [[[]]] * 4


@pytest.mark.parametrize("verdict", [*OVERLOAD, "dead"])
def test_row_that_is_not_judged_has_no_symptom_of_range(verdict: str) -> None:
    rows = [row(unjudged="an output under cross-entropy")]

    assert symptoms(view(GUILTY[verdict], rows=rows)) == [[]]


def test_cause_is_the_term_that_stands_highest_above_its_reference() -> None:
    terms = {"coherence_db": 12.0, "gain_db": 11.0, "input_db": 10.0}

    causes = [
        symptoms(view({**LOUD, **terms, louder: 13.0}))
        for louder in ("coherence_db", "gain_db", "input_db")
    ]

    assert causes == [[["activity"]], [["kernel"]], [["input"]]]


def test_gain_is_held_against_what_keeps_the_variance_behind_its_activation() -> None:
    # He's gain for relu6 is 3 dB: above it, 12.5 dB are 9.5 dB, less than the coherence's 11.
    terms = {**LOUD, "coherence_db": 11.0, "gain_db": 12.5}

    found = symptoms(view(terms, terms, rows=[row("a"), row("b", activation="relu6")]))

    assert found == [["kernel"], ["activity"]]


def test_bias_is_the_cause_only_where_it_is_louder_than_everything_else() -> None:
    signal = {**LOUD, "bias_db": 20.0, "gain_db": 25.0, "coherence_db": 0.0, "input_db": -6.0}

    assert symptoms(view({**signal, "input_db": -4.9})) == [["kernel"]]
    assert symptoms(view({**signal, "input_db": -5.1})) == [["bias"]]


def test_bias_within_the_headroom_is_not_the_cause() -> None:
    quiet = {**LOUD, "input_db": -30.0, "gain_db": 20.0, "coherence_db": 0.0}

    assert symptoms(view({**quiet, "bias_db": HEADROOM - 0.1})) == [["kernel"]]
    assert symptoms(view({**quiet, "bias_db": HEADROOM + 0.1})) == [["bias"]]


@pytest.mark.parametrize("verdict", OVERLOAD)
def test_overload_holds_until_it_is_safely_back_inside(verdict: str) -> None:
    rule = BY_VERDICT[verdict]
    nearly = {"pre_db": HEADROOM + CLOSING_DB + 0.01, "saturation_rate": CLOSING_SHARE + 0.001}
    inside = [{"pre_db": HEADROOM + CLOSING_DB - 0.01}, {"saturation_rate": CLOSING_SHARE - 0.001}]

    assert rule.holds(view({**GUILTY[verdict], **nearly})).tolist() == [True]
    assert [rule.holds(view({**GUILTY[verdict], **nearly, **one}))[0] for one in inside] == [
        False,
        False,
    ]


def test_cause_holds_until_another_stands_well_above_it() -> None:
    def holds(gain_db: float) -> bool:
        terms = {**LOUD, "coherence_db": 20.0, "gain_db": gain_db}
        return bool(BY_VERDICT["activity"].holds(view(terms))[0])

    assert holds(20 + TAKEOVER_DB - 0.01)
    assert not holds(20 + TAKEOVER_DB + 0.01)


@pytest.mark.parametrize(("units", "share"), [(256, 0.75), (64, 0.75), (32, 0.85), (8, 0.99)])
def test_dead_needs_more_units_than_die_by_chance(units: int, share: float) -> None:
    wide = row(output_shape=(units,))

    def found(dead_units: float) -> list[list[str]]:
        return symptoms(view({**CALM, "dead_units": dead_units}, rows=[wide]))

    assert (found(share), found(share + 0.01)) == ([[]], [["dead"]])


def test_dead_needs_a_whole_window_of_samples() -> None:
    assert symptoms(view(GUILTY["dead"], samples=WINDOW - 1)) == [[]]
    assert symptoms(view(GUILTY["dead"], samples=WINDOW)) == [["dead"]]


@pytest.mark.parametrize(
    ("zeros", "units", "activation", "found"),
    [
        (0.99, 16, "relu", []),
        (1.0, 15, "relu", []),
        (1.0, 16, "tanh", []),
        (1.0, 16, "relu", ["dead"]),
    ],
)
def test_rectifiers_that_put_out_nothing_but_zeros_are_dead_at_once_where_they_are_many(
    zeros: float, units: int, activation: str, found: list[str]
) -> None:
    one = row(output_shape=(units,), activation=activation)
    seen = view({**CALM, "zero_rate": zeros}, rows=[one], samples=1)

    assert symptoms(seen) == [found]
    assert ("puts out 0 for whatever comes in" in dead.RULE.summary(Case(seen, 0))) == bool(found)


def test_dead_holds_down_to_half() -> None:
    def holds(share: float) -> bool:
        return bool(dead.RULE.holds(view({**CALM, "dead_units": share}))[0])

    assert holds(dead.CLOSING_SHARE + 0.01)
    assert not holds(dead.CLOSING_SHARE - 0.01)


@pytest.mark.parametrize("activation", [None, "linear"])
def test_linear_layer_is_not_called_dead(activation: str | None) -> None:
    assert symptoms(view(GUILTY["dead"], rows=[row(activation=activation)])) == [[]]


@pytest.mark.parametrize("statistic", ["nonfinite_rate", "weight_nonfinite_rate"])
def test_any_value_that_is_not_finite_counts(statistic: str) -> None:
    assert symptoms(view({**CALM, statistic: 1e-9})) == [["nonfinite"]]


def test_only_the_first_layer_that_is_not_finite_is_accused() -> None:
    bad = {**CALM, "nonfinite_rate": 1.0}

    assert symptoms(view(CALM, bad, bad)) == [[], ["nonfinite"], []]


def test_input_that_is_not_finite_accuses_no_layer() -> None:
    assert symptoms(view({**CALM, "input_nonfinite_rate": 1.0})) == [[]]


def test_layer_that_is_not_judged_may_still_hold_the_first_nan() -> None:
    rows = [row(unjudged="read by its output only")]

    assert symptoms(view(GUILTY["nonfinite"], rows=rows)) == [["nonfinite"]]


def case(rule: Rule, **fields: object) -> Case:
    seen = view(GUILTY[rule.verdict], rows=[row(**fields)])
    return Case(seen, 0)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.verdict)
def test_words_of_a_rule_name_the_layer_and_hold_no_placeholder(rule: Rule) -> None:
    one = case(rule, path="model/the-layer")

    summary, prescription = rule.summary(one), rule.prescribe(one)

    assert "model/the-layer" in summary
    assert summary.endswith(".")
    assert prescription.remedy.endswith(".")
    for text in (summary, prescription.remedy):
        assert "nan" not in text.split()
        assert "{" not in text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.verdict)
def test_limits_of_a_rule_are_of_statistics_and_at_least_one_was_crossed(rule: Rule) -> None:
    one = case(rule)

    limits = rule.limits(one)

    assert set(limits) <= set(BY_ID)
    sign = -1 if rule.verdict in {"vanishing", "untrained"} else 1
    assert any(limit is not None and sign * one[id] > sign * limit for id, limit in limits.items())


@pytest.mark.parametrize("verdict", OVERLOAD)
def test_evidence_of_overload_shows_every_term_and_limits_the_guilty_one(verdict: str) -> None:
    guilty = {"activity": "coherence_db", "kernel": "gain_db", "input": "input_db"}

    one = case(BY_VERDICT[verdict])
    limits = BY_VERDICT[verdict].limits(one)

    terms = {"input_db", "gain_db", "coherence_db", "bias_db"}
    assert terms <= set(limits)
    assert {id for id in terms if limits[id] is not None} == {guilty.get(verdict, "bias_db")}
    assert limits["pre_db"] == pytest.approx(HEADROOM)
    assert limits["saturation_rate"] == SATURATED_SHARE
    assert set(BY_VERDICT[verdict].references(one)) == terms


def test_layer_without_bias_shows_no_level_of_it() -> None:
    known = {id: value for id, value in GUILTY["activity"].items() if id != "bias_db"}
    one = Case(view(known), 0)

    assert "bias_db" not in BY_VERDICT["activity"].limits(one)
    assert "bias none" in BY_VERDICT["activity"].summary(one)


def test_dead_layer_without_bias_shows_no_mean_of_it() -> None:
    limits = [
        set(dead.RULE.limits(Case(view({**GUILTY["dead"], **bias}), 0)))
        for bias in ({}, {"bias_mean": -3.0})
    ]

    assert limits == [{"dead_units", "zero_rate"}, {"dead_units", "zero_rate", "bias_mean"}]


def test_nan_in_the_weights_names_the_layer_but_not_as_the_cause() -> None:
    rule = BY_VERDICT["nonfinite"]
    weights = Case(view({**CALM, "weight_nonfinite_rate": 0.5}), 0)
    output = Case(view({**CALM, "nonfinite_rate": 0.5}), 0)

    assert "any layer or the loss may have caused it" in rule.summary(weights)
    assert "its weights are still finite" in rule.summary(output)


@pytest.mark.parametrize("weights", [0.0, 1.0])
def test_data_that_are_not_finite_are_accused_before_any_layer_or_optimizer(
    weights: float,
) -> None:
    rule = BY_VERDICT["nonfinite"]
    bad = {**GUILTY["nonfinite"], "weight_nonfinite_rate": weights, "input_nonfinite_rate": 0.021}
    fed_by_data, fed_by_a_row = (
        Case(view(CALM, bad, rows=[row("a"), row("b", inputs=inputs)]), 1) for inputs in ((), (0,))
    )

    assert rule.summary(fed_by_data).startswith("The data contain NaN or infinity: 2.1 %")
    assert "learning rate" not in rule.prescribe(fed_by_data).remedy
    assert "numpy.isfinite" in rule.prescribe(fed_by_data).remedy
    assert "The data" not in rule.summary(fed_by_a_row)
    assert "learning rate" in rule.prescribe(fed_by_a_row).remedy
    assert rule.severity == "critical"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.verdict)
def test_rule_describes_itself_as_plain_data(rule: Rule) -> None:
    told = describe(rule)

    assert json.loads(json.dumps(told)) == told
    assert told["verdict"] == rule.verdict
    assert {"title", "meaning", "threshold", "severity", "opens_after"} <= set(told)
    assert all(value not in {"", None} for value in told.values())


def test_matrix_is_read_by_the_names_of_the_columns() -> None:
    columns = tuple(wire.Column(id, 1) for id in ("pre_db", "of_a_later_release", "input_db"))
    mask = np.packbits([1, 1, 1, 1, 1, 0], bitorder="little").tobytes()
    schema = wire.Schema(
        run="r",
        attempt="a",
        seq=1,
        time=0.0,
        rows=(row("a"), row("b")),
        blocks={"layers": wire.BlockSchema(columns, mask)},
        training=wire.Training(backend="jax", keras="3"),
    )
    frame = wire.Frame(run="r", attempt="a", seq=2, time=0.0, schema=1, step=0)
    values = np.array([[1, 2, 3], [4, 5, 6]], np.float32)

    found = seen(begin(schema), frame, {"layers": values})

    assert found["pre_db"].tolist() == [1, 4]
    assert found["input_db"].tolist() == pytest.approx([3, np.nan], nan_ok=True)
    assert np.isnan(found["gain_db"]).all()
    assert np.isnan(found["gradient_ratio"]).all()


def test_function_with_close_edges_is_judged_from_the_edge_of_tanh_on() -> None:
    hard = row(activation="hard_tanh")
    saturated = {**CALM, "saturation_rate": 0.6}

    assert symptoms(view({**saturated, "pre_db": LEAST_LIMIT_DB - 0.1}, rows=[hard])) == [[]]
    beyond = {**saturated, "pre_db": LEAST_LIMIT_DB + 0.1, "coherence_db": 12.0}
    assert symptoms(view(beyond, rows=[hard])) == [["activity"]]


def test_gate_is_judged_far_beyond_its_edge_and_advised_by_its_own_means() -> None:
    gate = row("gru/update", unjudged="a gate", state_fan_in=8.0, arguments={})
    loud = {**LOUD, "input_db": 40.0, "saturation_rate": 0.8}

    usual = symptoms(view({**loud, "pre_db": HEADROOM + GATE_MARGIN_DB - 0.1}, rows=[gate]))
    beyond = view({**loud, "pre_db": HEADROOM + GATE_MARGIN_DB + 0.1}, rows=[gate])

    assert (usual, symptoms(beyond)) == ([[]], [["input"]])
    prescription = BY_VERDICT["input"].prescribe(Case(beyond, 0))
    assert "No argument of Keras penalises a gate" in prescription.remedy
    assert prescription.code == ""


@pytest.mark.parametrize(("share", "found"), [(0.89, []), (0.91, ["bias"])])
def test_gate_of_which_hardly_a_value_is_not_saturated_is_judged_at_its_edge(
    share: float, found: list[str]
) -> None:
    gate = row("gru/update", unjudged="a gate", state_fan_in=8.0, arguments={})
    stuck = {**GUILTY["bias"], "pre_db": HEADROOM + 1, "saturation_rate": share}

    assert symptoms(view(stuck, rows=[gate])) == [found]


@pytest.mark.parametrize(("share", "holds"), [(0.81, True), (0.79, False)])
def test_gate_that_was_stuck_is_let_go_once_it_is_well_below_that(
    share: float, holds: bool
) -> None:
    gate = row("gru/update", unjudged="a gate", state_fan_in=8.0, arguments={})
    easing = {**GUILTY["bias"], "pre_db": HEADROOM + 1, "saturation_rate": share}

    assert bool(BY_VERDICT["bias"].holds(view(easing, rows=[gate]))[0]) == holds


@pytest.mark.parametrize(("function", "found"), [("elu", "exploding"), ("tanh", "kernel")])
def test_levels_that_grow_through_functions_without_an_end_are_an_explosion(
    function: str, found: str
) -> None:
    loud = {**GUILTY["kernel"], "pre_db": 50.0, "output_db": 50.0}
    rows = [row(name, activation=function, inputs=fed) for name, fed in (("a", ()), ("b", (0,)))]

    assert symptoms(view(loud, loud, rows=rows))[0] == [found]
