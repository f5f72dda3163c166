"""A prescription as data: what it is expected to do, and what ranks below it."""

from collections.abc import Mapping

import msgspec
import pytest

from gainstage import wire
from gainstage.diagnosis import begin
from gainstage.diagnosis.alternatives import NOTABLE_DB, OTHERS
from gainstage.diagnosis.rule import MENTIONED, Case, Prescription
from gainstage.diagnosis.strength import ADAPTIVE
from gainstage.finding import Alternative, Effect, Finding

from .builders import BY_VERDICT, CALM, GUILTY, HEADROOM, SGD, fold, row, sample, schema, view

OVERLOAD = ("activity", "kernel", "input", "bias")
ADAM = msgspec.structs.replace(SGD, optimizer="Adam")
# All of the coherence, 30 dB, differs between examples.
ALIGNED = {"aligned": 31.6, "common_mode": 0.1}


def prescribed(
    verdict: str, measured: Mapping[str, float] = {}, training: wire.Training = SGD
) -> Prescription:
    wide = row(kernel_shape=(16, 8), fan_in=16.0)
    seen = view({**GUILTY[verdict], **ALIGNED, **measured}, rows=[wide], training=training)
    return BY_VERDICT[verdict].prescribe(Case(seen, 0))


def names(verdict: str, measured: Mapping[str, float] = {}) -> list[str]:
    return [one.name for one in prescribed(verdict, measured).alternatives]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("activity", Effect("pre", pytest.approx(HEADROOM - 6 - 30, abs=0.01))),
        ("kernel", Effect("gain", pytest.approx(-30))),
        ("input", Effect("input", pytest.approx(-30))),
        ("bias", Effect("bias", pytest.approx(HEADROOM - 6 - 30, abs=0.01))),
    ],
)
def test_patch_is_expected_to_bring_the_guilty_term_to_where_it_should_be(
    verdict: str, expected: Effect
) -> None:
    assert prescribed(verdict).effects == (expected,)


def test_standardising_in_front_of_dead_units_is_expected_to_bring_the_input_to_0_db() -> None:
    loud = {**CALM, "dead_units": 0.9, "input_db": 40.0, "input_rms": 100.0, "input_std": 90.0}

    found = BY_VERDICT["dead"].prescribe(Case(view(loud), 0))

    assert found.effects == (Effect("input", -40.0),)
    assert prescribed("dead").effects == ()


def test_nothing_is_expected_of_levels_that_are_not_finite() -> None:
    assert prescribed("input", {"input_db": float("inf")}).effects == ()


def test_nothing_is_expected_of_a_penalty_that_is_there_already() -> None:
    given = {"class": "keras.regularizers.L2", "arguments": {"l2": 0.1}}
    one = row(fused=False, arguments={"name": "hidden", "units": 8, "activity_regularizer": given})

    found = BY_VERDICT["activity"].prescribe(Case(view(GUILTY["activity"], rows=[one]), 0))

    assert found.effects == ()


@pytest.mark.parametrize("verdict", OVERLOAD)
def test_every_penalty_that_is_not_the_remedy_is_ruled_out_with_the_levels_of_the_layer(
    verdict: str,
) -> None:
    others = {"activity penalty", "kernel penalty"} - {f"{verdict} penalty"}

    found = {one.name: one for one in prescribed(verdict).alternatives}

    assert others <= set(found)
    assert all(" dB" in found[name].reason for name in others)
    level = "14 dB" if verdict == "bias" else "30 dB"  # over the headroom, which it uses up
    assert level in " ".join(one.reason for one in found.values())


def test_alternatives_rank_by_what_they_would_take_off() -> None:
    shared = {"common_mode": 31.6, "aligned": 3.2, "input_db": 12.0, "gain_db": 15.0}

    assert names("activity", shared) == [
        "normalisation",
        "centred input",
        "kernel penalty",
        "scaled input",
    ]
    assert names("activity", {**shared, "gain_db": 25.0})[0] == "kernel penalty"
    assert names("activity", {**shared, "gain_db": 5.0})[-1] == "kernel penalty"


def test_few_features_are_not_normalised() -> None:
    shared = {**GUILTY["activity"], "common_mode": 31.6, "aligned": 3.2}
    narrow = view(shared, rows=[row(kernel_shape=(15, 8), fan_in=15.0)])

    found = BY_VERDICT["activity"].prescribe(Case(narrow, 0)).alternatives

    assert [one.name for one in found] == ["centred input", "kernel penalty"]


def test_alternative_that_takes_off_less_than_half_of_the_energy_is_none() -> None:
    def shared(decibels: float) -> dict[str, float]:
        return {"aligned": 10 ** ((30 - decibels) / 20)}

    assert "centred input" in names("activity", shared(NOTABLE_DB + 0.01))
    assert "centred input" not in names("activity", shared(NOTABLE_DB - 0.01))
    assert "scaled input" in names("kernel", {"input_db": NOTABLE_DB + 0.01})
    assert "scaled input" not in names("kernel", {"input_db": NOTABLE_DB - 0.01})


def test_parts_that_are_not_known_are_not_told() -> None:
    assert names("activity", {"aligned": float("nan")}) == ["kernel penalty"]


@pytest.mark.parametrize("optimizer", sorted(ADAPTIVE))
def test_kernel_penalty_falls_less_far_behind_where_gradients_are_rescaled(optimizer: str) -> None:
    adaptive = msgspec.structs.replace(SGD, optimizer=optimizer)

    told, plain = prescribed("activity", {}, adaptive), prescribed("activity", {}, SGD)

    sentence = f"{optimizer} rescales each penalty's gradient, so that it falls less far behind."
    assert sentence in told.remedy
    assert "rescales" not in plain.remedy


def test_words_of_a_remedy_are_its_advice_and_the_reasons_of_the_best_alternatives() -> None:
    reasons = ("First.", "Second.", "Third.")
    others = tuple(Alternative("kernel penalty", reason) for reason in reasons)

    assert Prescription("Do it.", alternatives=others).remedy == "Do it. First. Second."
    assert MENTIONED == 2


@pytest.mark.parametrize("verdict", OVERLOAD)
def test_reason_is_one_sentence(verdict: str) -> None:
    for means in OTHERS[verdict]:
        assert means.reason.endswith(".")
        assert ". " not in means.reason


def test_means_against_an_explosion_are_ruled_out_with_its_levels() -> None:
    loud = {**CALM, "gain_db": 12.0, "gradient_ratio": 1e4, "output_db": 41.0}

    found = BY_VERDICT["exploding"].prescribe(Case(view(loud), 0))

    assert [one.name for one in found.alternatives] == ["kernel penalty", "activity penalty"]
    assert "12 dB too large" in found.remedy
    assert "+41 dB" in found.remedy


def test_finding_carries_what_is_expected_and_what_ranks_below_over_the_wire() -> None:
    frames = [sample(10 * number, {**GUILTY["activity"], **ALIGNED}) for number in range(4)]
    (finding,) = fold(begin(schema()), *frames)[0].findings

    sent, _ = wire.decode(wire.encode(wire.FindingChanged(run="r", finding=finding)))

    assert isinstance(sent, wire.FindingChanged)
    assert sent.finding == finding
    assert [effect.term for effect in sent.finding.effects] == ["pre"]
    assert [one.name for one in sent.finding.alternatives] == ["kernel penalty"]


def test_finding_of_an_earlier_release_expects_nothing_and_one_of_a_later_one_is_read() -> None:
    known = {"id": "0", "row": "0", "layer": "a", "verdict": "dead", "severity": "info"}
    old = {**known, "since_step": 0, "last_step": 0}

    earlier = msgspec.convert(old, Finding)
    later = msgspec.convert({**old, "of_a_later_release": 1}, Finding)

    assert (earlier.effects, earlier.alternatives) == ((), ())
    assert later == earlier
