"""The short forms of the benchmarks: that they run and say what they measure."""

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from benchmarks import overhead
from benchmarks.overhead import arms, claims, figures, homemade, measure, memory
from benchmarks.overhead.fits import Block, Watch
from benchmarks.overhead.workloads import workloads

from gainstage.cases import make_ready


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
    assert found.share.low > 0.01  # more than is claimed
    # The bounds of these are wide where others use the same cores.
    assert found.share.value > 0.1
    assert found.wall.value > 0.5
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
    # By SGD: Adam's variables are most of what there is to trace.
    workload = replace(workloads(25, batch=4)[name], optimizer="sgd")
    model, (x, y) = workload.build(), workload.data(1)
    callback = homemade.Fetched(x, lambda step: True)
    make_ready(model, x, y)

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
