"""The benchmark of diagnosis: that it judges what it trains, and what its figures are made of."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import keras
import pytest
from benchmarks import diagnosis
from benchmarks.diagnosis import command, neighbours, score
from benchmarks.diagnosis.neighbours import Alarm
from benchmarks.diagnosis.remedies import Tried

from gainstage.diagnosis import RULES
from gainstage.statistics import QUANTILE_IDS, QUANTILES

from .monitor.builders import row, view
from .test_benchmarks import printed


def test_diagnosis_is_held_against_the_fault_that_was_put_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    short = ["--seeds", "1", "--jobs", "2", "--kept", str(tmp_path), "--json", "--families"]

    diagnosis.main([*short, "large bias", "ReLU"])

    found = printed(capsys)
    rows = found["rows"]
    assert [(row["expected"], row["found"], row["layer"]) for row in rows] == [
        ("bias", "bias", "faulty"),
        ("healthy", "healthy", ""),
    ]
    assert rows[0]["cured"]
    assert rows[0]["patched"] > rows[0]["quality"] + 0.2
    assert found["chosen on"]["macro-F1 of the cause"] == "1.000 [1.000, 1.000]"
    assert found["reported"] == {}


def test_recordings_that_are_kept_are_not_made_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["--seeds", "1", "--kept", str(tmp_path), "--json", "--families", "values"]
    diagnosis.main(command)
    first = printed(capsys)
    monkeypatch.setattr(keras.Model, "fit", None)

    diagnosis.main(command)

    assert printed(capsys) == first


def test_reported_half_has_500_healthy_trainings_and_two_families_of_every_verdict() -> None:
    reported = command.families_of("reported")

    cases = command.cases_of(reported, seeds=5)

    verdicts = Counter(command.FAMILIES[name][0] for name in reported)
    assert sum(command.FAMILIES[name][0] == "healthy" for name, _ in cases) == 500
    assert all(verdicts[rule.verdict] >= 2 for rule in RULES)
    assert not set(reported) & set(command.families_of("chosen"))


def scored(family: str, expected: str, found: str, *, right: bool | None = None) -> score.Row:
    return score.Row(
        family=family,
        reported=True,
        expected=expected,
        seed=0,
        found=found,
        layer="",
        right=expected == found if right is None else right,
        grace=0,
        samples=2,
        quality=0.5,
    )


def test_verdict_of_another_layer_than_the_one_at_fault_counts_as_wrong() -> None:
    rows = [scored("a", "dead", "dead"), scored("b", "bias", "bias", right=False)]

    assert score.macro_f1(rows[:1]) == 1.0
    assert score.macro_f1(rows) == 0.5


def test_bounds_are_of_families_and_not_of_cases() -> None:
    bad = [scored("bad", "dead", "healthy")] * 50
    rows = [*bad, *[scored("good", "dead", "dead")] * 50]

    of_two = score.by_family(rows, score.macro_f1)

    assert (of_two.low, of_two.high) == (0.0, 1.0)


def test_alarms_in_healthy_trainings_have_the_interval_of_wilson() -> None:
    rows = [scored("a", "healthy", "healthy")] * 499 + [scored("a", "healthy", "dead")]

    figure = score.false_alarms(rows)

    # (1 + z^2/2 -+ z sqrt(1 - 1/500 + z^2/4)) / (500 + z^2) with z = 1.96
    assert figure.value == 0.002
    assert (figure.low, figure.high) == pytest.approx((0.00035, 0.0112), abs=5e-5)


def test_healthy_training_that_failed_is_left_out_and_a_faulty_one_is_not() -> None:
    well, fault = scored("a", "healthy", "nonfinite"), scored("b", "bias", "bias")
    rows = [replace(row, failed=True) for row in (well, fault)]

    told = command.summary(rows)

    assert told["trainings without a fault that failed, and are left out"] == "1"
    assert told["macro-F1 of the cause"] == "1.000 [1.000, 1.000]"
    assert "healthy trainings with an alarm" not in told


def test_tool_that_cannot_tell_causes_apart_names_none() -> None:
    vague, mute, wrong = Alarm(("bias", "input"), 1), Alarm(), Alarm(("dead",), 5)
    fault = replace(scored("a", "bias", "bias"), peers={"vague": vague, "mute": mute})
    well = replace(
        scored("b", "healthy", "healthy"), samples=None, peers={"vague": wrong, "mute": mute}
    )

    assert score.compared([fault, well]) == {
        "Gainstage": score.Tool(1.0, 1.0, 0.0, 2),
        "vague": score.Tool(1.0, 0.0, 1.0, None),
        "mute": score.Tool(0.0, 0.0, 0.0, None),
    }


def quantiles(low: float, high: float) -> dict[str, float]:
    """Of values that lie evenly between two."""
    return {id: low + q * (high - low) for id, q in zip(QUANTILE_IDS, QUANTILES, strict=True)}


@pytest.mark.parametrize(
    ("statistics", "activation", "tools"),
    [
        (quantiles(-30, -20), "sigmoid", {"SageMaker Debugger", "DeepDiagnosis"}),
        (quantiles(-10, 10), "sigmoid", set()),
        (quantiles(-22, 22), "sigmoid", {"DeepDiagnosis"}),
        (quantiles(-22, 22), "tanh", {"SageMaker Debugger", "DeepDiagnosis"}),
        ({"dead_units": 0.6, "zero_rate": 0.6}, "relu", {"SageMaker Debugger"}),
        ({"zero_rate": 0.8}, "relu", {"AutoTrainer"}),
        ({"gradient_ratio": 1e-4}, "relu", {"AutoTrainer"}),
        ({"gradient_rms": 1e-8}, "relu", {"SageMaker Debugger"}),
        ({"output_mean": -11.0}, "relu", {"AutoTrainer"}),
        ({"output_std": 3.0}, "relu", {"TheDeepChecker"}),
        ({"penalty_ratio": 2.0}, "relu", {"TheDeepChecker"}),
        ({"nonfinite_rate": 0.1}, "relu", set(neighbours.PEERS)),
    ],
)
def test_rules_of_other_tools_trip_where_their_thresholds_say(
    statistics: dict[str, float], activation: str, tools: set[str]
) -> None:
    rows = [row("first", activation=activation), row("last", activation=None, inputs=(0,))]
    given = view({"output_std": 1.0, **statistics}, {"gradient_ratio": 1.0}, rows=rows)

    tripped = {
        name for name, rules in neighbours.PEERS.items() if any(r.alarm(given).any() for r in rules)
    }

    assert tripped == tools


def test_patch_that_costs_accuracy_or_leaves_the_finding_has_not_helped() -> None:
    row = replace(scored("a", "bias", "bias"), patched=0.6, cured=True)
    untried = replace(row, patched=None, cured=None)
    rows = [row, replace(row, patched=0.4), replace(row, cured=False), untried]

    assert score.helped(rows).value == pytest.approx(1 / 3)


def test_activity_penalty_has_won_where_it_is_better_than_the_kernel_penalty() -> None:
    def row(**scores: float | None) -> score.Row:
        losses = {"activity": 0.1, "kernel": 0.2}
        tried = Tried(
            "accuracy", scores, {arm: loss for arm, loss in losses.items() if scores[arm]}
        )
        return replace(scored("a", "activity", "activity"), tried=tried)

    won, lost = row(activity=0.9, kernel=0.8, nothing=0.895), row(activity=0.7, kernel=0.8)
    close, alike = row(activity=0.795, kernel=0.8), row(activity=1.0, kernel=1.0)
    diverged, untried = row(activity=0.5, kernel=None), scored("a", "activity", "activity")
    other = replace(lost, found="kernel")

    figures = score.contested([won, lost, close, alike, diverged, untried, other])

    assert figures is not None
    assert [figure.value for figure in figures] == [pytest.approx(3 / 5), pytest.approx(4 / 5)]
    assert score.contested([untried]) is None
    assert score.winners([won, diverged]) == {
        "best arms of 2 trials after activity": "activity 2, nothing 1"
    }


def test_waits_are_those_of_right_findings() -> None:
    rows = [
        replace(scored("a", "bias", "bias"), grace=grace, samples=samples)
        for grace, samples in ((0, 2), (16, 2), (1, 5))
    ]

    assert score.waits([*rows, scored("b", "bias", "dead")]) == ("1, 16", "2, 5")
