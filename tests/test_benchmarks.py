"""The short forms of the benchmarks: that they run and say what they measure."""

import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from benchmarks import diagnosis, ingest, overhead
from benchmarks.diagnosis import command, neighbours, score
from benchmarks.diagnosis.neighbours import Alarm
from benchmarks.diagnosis.remedies import Tried
from benchmarks.overhead import arms, claims, figures, homemade, measure, memory
from benchmarks.overhead.fits import Block, Watch
from benchmarks.overhead.workloads import workloads

from gainstage.diagnosis import RULES
from gainstage.statistics import QUANTILE_IDS, QUANTILES

from .monitor.builders import row, view


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def step_notes(*milliseconds: float, sampled: tuple[int, ...] = ()) -> Block:
    """A block of these steps, of which the first does not count."""
    seconds = np.array([99.0, *milliseconds]) / 1e3
    places = np.arange(seconds.size)
    return Block(seconds, np.full(seconds.size, 3e-6), np.isin(places, sampled), 0.0)


def test_overhead_comes_from_sampled_and_plain_steps() -> None:
    blocks = [
        step_notes(20, 20, 26, 24, 20, 20, 20, 20, 20, 20, sampled=(3,)),
        step_notes(20, 22, 20, 20, 20, 20, 20, 20, 20, 20),
    ]

    # One sample in 20 steps, 6 ms more than a plain one and 4 ms in the next, in a mean of 21 and
    # 20.2 ms.
    assert figures.share(blocks) == pytest.approx(0.05 * (6 + 4) / 20.6)
    assert figures.ratio(blocks) == pytest.approx(26 / 20)
    assert figures.behind(blocks) == pytest.approx(4e-3)
    assert figures.hooks(blocks) == pytest.approx(3e-6)
    assert figures.wall([(blocks[0], blocks[1])]) == pytest.approx(210 / 202 - 1)


def test_interval_of_rounds_that_agree_is_narrow_and_of_others_wide() -> None:
    calm = [step_notes(20, 26, 20, 20, sampled=(2,))] * 8
    wild = [step_notes(20, 20 + extra, 20, 20, sampled=(2,)) for extra in range(8)]

    agreed, spread = (figures.interval(figures.ratio, blocks) for blocks in (calm, wild))

    assert agreed.low == agreed.value == agreed.high == pytest.approx(1.3)
    assert spread.low < spread.value - 0.05 < spread.value + 0.05 < spread.high


def test_overhead_is_printed_for_every_way_to_watch(capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--models", "deep", "--layers", "3", "--rounds", "2", "--samples", "0"]

    overhead.main([*short, "--steps", "40", "--arms", "submodel", "--json"])

    found = printed(capsys)
    deep = found["models"]["deep"]
    assert list(deep["arms"]) == ["plain", "no-op", "gainstage", "submodel"]
    assert deep["warm_up_steps"] >= 160
    assert found["server"]
    assert found["machine"]["backend"] == keras.backend.backend()
    assert {claim["about"] for claim in found["claims"]} == {"deep", "in a tight loop"}
    assert all(arm["step_ms"] > 0 for arm in deep["arms"].values())
    assert deep["arms"]["gainstage"]["values"] > deep["arms"]["submodel"]["values"] == 18
    assert 0 < found["loop_us"] < 100


def test_question_whether_a_step_is_sampled_asks_for_the_model_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, asked = SimpleNamespace(train_function="Keras's"), []
    monkeypatch.setattr(
        keras.callbacks.Callback, "model", property(lambda self: asked.append(self) or model)
    )
    watch = arms.gainstage(arms.Surroundings(None, tmp_path))

    found = [watch.sampled(step) for step in range(3)]
    model.train_function = "ours"

    assert [*found, watch.sampled(3)] == [False, False, False, True]
    assert len(asked) == 1


class Sleeper(keras.callbacks.Callback):
    """Takes 2 ms in every step, and 20 ms in a sample."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        time.sleep(2e-3)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if is_tenth(batch):
            time.sleep(20e-3)


def is_tenth(step: int) -> bool:
    return step % 10 == 5


def test_way_to_watch_that_sleeps_is_found_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sleeper = arms.Arm("sleeper", lambda surroundings: Watch([Sleeper()], is_tenth))

    costs = measure.measure(
        workloads(3)["deep"],
        [*arms.ALWAYS, sleeper],
        rounds=3,
        samples=0,
        steps=40,
        folder=tmp_path,
    )
    capsys.readouterr()

    found = costs.arms["sleeper"]
    assert found.samples == 12
    assert found.hooks_us > 1_900
    assert found.ratio.low > 2
    assert found.share.low > 0.1
    assert found.wall.value > 0.5  # its bounds are wide where others use the same cores
    accused = replace(costs, arms={"gainstage": found})
    verdicts = claims.judge({"deep": accused}, loop_us=1.0, batch=64)
    assert [verdict.outcome for verdict in verdicts] == [
        "does not hold",
        "not claimed",
        "does not hold",
        "holds",
    ]


@pytest.mark.parametrize(
    ("batch", "step_ms", "samples", "outcome"),
    [
        (63, 20.1, 8, "not claimed"),
        (64, 19.9, 8, "not claimed"),
        (64, 20.1, 7, "too few samples"),
        (64, 20.1, 8, "does not hold"),
    ],
)
def test_ratio_is_claimed_of_long_steps_large_batches_and_enough_samples(
    batch: int, step_ms: float, samples: int, outcome: str
) -> None:
    nothing = figures.Interval(0.0, 0.0, 0.0)
    cost = measure.Cost(
        step_ms=step_ms,
        samples=samples,
        every=10.0,
        values=1,
        share=nothing,
        ratio=figures.Interval(1.2, 1.1, 1.3),
        behind_ms=nothing,
        wall=nothing,
        hooks_us=1.0,
        start_up_s=0.0,
        epoch_end_ms=0.0,
    )

    costs = {"a": measure.Costs(0, 0.0, 0.0, {"gainstage": cost})}
    _, ratio, *_ = claims.judge(costs, loop_us=1.0, batch=batch)

    assert ratio.outcome == outcome


@pytest.mark.parametrize("name", workloads(25))
def test_workload_can_be_trained_and_read_by_hand(name: str) -> None:
    workload = workloads(25, batch=4)[name]
    model, (x, y) = workload.build(), workload.data(1)
    callback = homemade.Fetched(x, lambda step: True)

    model.fit(x, y, batch_size=4, verbose=0, callbacks=[callback])

    assert len(callback.figures) == 3 * len(model.layers)
    assert name != "deep" or sum("dense" in layer.name for layer in model.layers) == 26


class Leak(keras.callbacks.Callback):
    """Keeps 256 kB of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.kept.append(np.ones(2**15))


def test_memory_that_grows_is_found_out() -> None:
    growth = memory.train(100, [Leak()])

    assert growth.steps == list(range(10, 101, 10))
    assert growth.growth > 15
    assert claims.judge_memory({"gainstage": growth}).outcome == "does not hold"


def test_memory_of_a_watched_training_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    overhead.main(["--memory", "--steps", "100", "--no-server", "--json"])

    found = printed(capsys)
    assert list(found["memory"]) == ["no-op", "gainstage"]
    assert [claim["about"] for claim in found["claims"]] == ["memory"]


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


def test_ingest_is_measured_against_a_real_server(capsys: pytest.CaptureFixture[str]) -> None:
    ingest.main(["--seconds", "0.5", "--trainers", "1", "--rows", "10", "--json"])

    assert printed(capsys)["rows"] == 10
