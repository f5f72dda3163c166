"""Trials on real trainings: what each arm does, and that the user's model is left alone."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import pytest

from gainstage import Finding, cases, run_trial
from gainstage.arms import ARM_NAMES
from gainstage.examples import halves
from gainstage.outcome import CHOICE, Contestant
from gainstage.rehearsal import Rehearsal
from gainstage.trial import usual_steps

from .builders import SGD

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.random((160, 64)).astype(np.float32)
Y = (X[:, :32].sum(axis=1) > X[:, 32:].sum(axis=1)).astype(np.int64)


def aligned(*, dropout: bool = False, metrics: Sequence[str] = ()) -> Any:
    """A sigmoid layer whose positive weights line up with positive inputs.

    Without metrics each copy is faster: TensorFlow traces a step twice in which they are made.
    """
    keras.utils.set_random_seed(0)
    kernel: Any = keras.initializers.RandomNormal(0.4, 0.4)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(8, activation="sigmoid", kernel_initializer=kernel, name="hidden"),
            *([layers.Dropout(0.5)] if dropout else []),
            layers.Dense(2, activation="softmax", name="classes"),
        ],
        name="model",
    )
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        "sparse_categorical_crossentropy",
        metrics=list(metrics),
    )
    return model


def weights(model: Any) -> list[Any]:
    return [np.array(keras.ops.convert_to_numpy(one)) for one in model.variables]


def tried(model: Any, **options: Any) -> Any:
    given = {"layer": "model/hidden", "steps": 20, "seeds": 2, "progress": False} | options
    return run_trial(model, (X, Y), **given)


@pytest.mark.every_backend
def test_every_arm_starts_from_the_same_weights_and_leaves_the_model_as_it_was() -> None:
    model = aligned()
    before, names = weights(model), [one.name for one in model.layers]

    trial = tried(model, strengths=(1.0,), steps=4)

    assert [one.arm for one in trial.contestants] == [name for name in ARM_NAMES if name != "patch"]
    assert trial.outcomes.shape == (7, 2, 5, len(trial.columns))
    assert np.isfinite(trial.outcomes).all()
    alike = [trial.best(arm) for arm in ("nothing", "kernel", "activity")]
    starts = {float(trial.course(one, "loss")[0, 0]) for one in alike if one}
    assert len(starts) == 1
    assert all(map(np.array_equal, before, weights(model)))
    assert [one.name for one in model.layers] == names


def test_each_arm_does_to_the_levels_what_it_is_for() -> None:
    trial = tried(aligned(), strengths=(3.0,), steps=60, seeds=1)

    courses = {
        (one.arm, column): trial.course(one, column)[0]
        for one in trial.contestants
        for column in trial.columns
    }
    change = {key: float(course[-1] - course[0]) for key, course in courses.items()}
    start = {key: float(course[0]) for key, course in courses.items()}
    assert change["activity", "coherence_db"] < -6 < change["activity", "gain_db"]
    assert change["kernel", "gain_db"] < -6
    assert start["centred", "coherence_db"] < start["nothing", "coherence_db"] - 6
    assert start["scaled", "input_db"] == pytest.approx(0, abs=0.2)


def test_trial_is_the_same_when_it_is_repeated_whatever_was_drawn_in_between() -> None:
    model = aligned(dropout=True)

    options = {"arms": ["kernel"], "strengths": (1.0,), "steps": 4}
    first = tried(model, **options)
    keras.utils.set_random_seed(7)
    again = tried(model, **options)

    assert np.array_equal(first.outcomes, again.outcomes)
    one, other = first.course(Contestant("nothing"), "loss")
    assert not np.array_equal(one, other)


def test_loss_is_the_task_s_alone_whatever_penalties_the_model_has() -> None:
    bare, penalised = aligned(), aligned()
    penalised.get_layer("hidden").kernel.regularizer = keras.regularizers.L2(1.0)
    penalised.get_layer("classes").activity_regularizer = keras.regularizers.L2(1.0)

    losses = [
        tried(model, arms=[], steps=1, seeds=1).course(Contestant("nothing"), "loss")[0, 0]
        for model in (bare, penalised)
    ]

    assert losses[0] == losses[1]


def test_weights_of_examples_count() -> None:
    weight = np.where(Y == 1, 1.0, 0.0).astype(np.float32)

    trial = run_trial(
        aligned(), (X, Y, weight), layer="hidden", arms=[], steps=1, seeds=1, progress=False
    )
    plain = tried(aligned(), arms=[], steps=1, seeds=1)

    one, other = (each.course(Contestant("nothing"), "loss")[0, 0] for each in (trial, plain))
    assert np.isfinite(one)
    assert one != other


def test_normalisation_that_was_adapted_goes_on_as_it_was() -> None:
    normalisation = layers.Normalization()
    normalisation.adapt(100 * X)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            normalisation,
            layers.Dense(4, activation="tanh", name="hidden"),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    held = (100 * X[:40], Y[:40])

    trial = run_trial(
        model,
        (100 * X, Y),
        validation_data=held,
        layer="hidden",
        arms=[],
        steps=1,
        seeds=1,
        progress=False,
    )

    expected = model.evaluate(*held, verbose=0)
    assert trial.course(Contestant("nothing"), "loss")[0, 0] == pytest.approx(expected, rel=1e-5)


def test_strengths_are_chosen_by_one_half_of_what_is_held_out_and_reported_on_the_other() -> None:
    held: list[Any] = []

    def halved(examples: Any, **options: Any) -> Any:
        held.extend(halves(examples, **options))
        return held

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gainstage.trial.halves", halved)
        options = {"arms": ["kernel"], "strengths": (0.3, 3.0), "steps": 1, "seeds": 1}
        judged = aligned(metrics=["accuracy"])
        trial = run_trial(
            judged, (X, Y), validation_data=(X, Y), layer="hidden", progress=False, **options
        )

    expected = [judged.evaluate(*half.parts, verbose=0) for half in held]
    start = trial.course(Contestant("nothing"), "loss")[0, 0]
    assert start == pytest.approx(expected[0][0], rel=1e-5)
    choice = trial.course(Contestant("nothing"), CHOICE)[0]
    assert np.isnan(choice[0])
    assert choice[-1] * 80 == pytest.approx(round(choice[-1] * 80))  # an accuracy over 80
    assert "Strengths were chosen" not in trial.summary


def test_few_held_out_examples_choose_and_judge_and_it_is_said() -> None:
    trial = tried(aligned(), arms=["kernel"], strengths=(0.3, 3.0), steps=1, seeds=1)

    assert CHOICE not in trial.columns
    assert "Strengths were chosen by the examples that they are reported on" in trial.summary


def test_steps_where_an_optimizer_rescales_move_weights_by_twice_their_size() -> None:
    dense = layers.Dense(4, kernel_initializer="ones")
    dense.build((None, 8))
    training = msgspec.structs.replace(SGD, optimizer="Adam", learning_rate=0.004)

    assert usual_steps(dense, training) == 500  # 2 * 1 / 0.004
    assert usual_steps(layers.ReLU(), training) == 300
    assert usual_steps(dense, msgspec.structs.replace(training, optimizer="SGD")) == 300
    assert usual_steps(dense, msgspec.structs.replace(training, learning_rate=1e-5)) == 1_500


@pytest.mark.every_backend
def test_random_numbers_of_the_user_are_as_if_there_had_been_no_trial() -> None:
    model = aligned(dropout=True)
    random.seed(5)
    expected = random.random()

    random.seed(5)
    tried(model, arms=[], steps=1, seeds=1)

    assert random.random() == expected


def test_trained_model_without_other_examples_is_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = aligned()
    model.fit(X, Y, verbose=0)

    tried(model, arms=[], steps=1, seeds=1)

    assert "flatters the arm" in caplog.text


def test_patch_of_a_finding_is_an_arm_of_its_own() -> None:
    code = """
replacement = [
    keras.layers.Dense(8, activity_regularizer=keras.regularizers.L2(0.01), name="hidden"),
    keras.layers.Activation("sigmoid"),
]
"""
    finding = Finding(
        id="0",
        row="0",
        layer="model/hidden",
        verdict="activity",
        severity="warning",
        since_step=0,
        last_step=0,
        code=code,
    )

    trial = tried(aligned(), layer=finding, arms=["patch"], seeds=1, steps=2)

    assert trial.contestants == (Contestant("nothing"), Contestant("patch"))
    # The patch begins from the default initializer, whose level is another.
    first = [trial.course(one, "pre_db")[0, 0] for one in trial.contestants]
    assert first[1] < first[0] - 10


def test_activity_penalty_beats_the_kernel_penalty_in_the_canonical_case() -> None:
    data, case = cases.load("digits"), cases.CANONICAL
    keras.utils.set_random_seed(0)
    model = cases.build(data, case, case.hidden())

    trial = run_trial(
        model,
        (data.train_x, data.train_y),
        validation_data=(data.test_x, data.test_y),
        layer="sequential/hidden",
        arms=["kernel", "activity"],
        strengths=(0.3, 3.0),
        seeds=1,
        progress=False,
    )

    assert trial.winner.arm == "activity"
    kernel = trial.best("kernel")
    assert kernel is not None
    assert trial.final(trial.winner, "gain_db") > trial.final(kernel, "gain_db") + 10
    assert trial.final(Contestant("nothing"), "saturation_rate") == 1


def stopped_at(arm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the first training of that arm."""
    run = Rehearsal.run

    def interrupted(self: Rehearsal, *arguments: Any) -> Any:
        if self.arm.name == arm:
            raise KeyboardInterrupt
        return run(self, *arguments)

    monkeypatch.setattr(Rehearsal, "run", interrupted)


def test_ctrl_c_ends_the_trial_with_the_arms_that_are_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopped_at("kernel", monkeypatch)

    trial = tried(aligned(), strengths=(1.0,), steps=2)

    assert trial.interrupted
    assert [one.arm for one in trial.contestants] == ["nothing", "activity"]


def test_ctrl_c_before_anything_is_complete_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_at("nothing", monkeypatch)

    with pytest.raises(KeyboardInterrupt):
        tried(aligned(), steps=2)


def test_models_of_several_inputs_and_convolutions_are_tried() -> None:
    image, number = layers.Input((6, 6, 2)), layers.Input((3,))
    seen = layers.Conv2D(4, 3, activation="tanh", name="hidden")(image)
    joined = layers.Concatenate()([layers.Flatten()(seen), number])
    model: Any = keras.Model([image, number], layers.Dense(1)(joined), name="model")
    model.compile("adam", "mse")
    x = [RNG.random((40, 6, 6, 2)).astype(np.float32), RNG.random((40, 3)).astype(np.float32)]

    trial = run_trial(
        model,
        (x, RNG.random((40, 1)).astype(np.float32)),
        layer="hidden",
        strengths=(1.0,),
        steps=4,
        seeds=1,
        batch_size=8,
        progress=False,
    )

    assert trial.metric == "loss"
    # A normalisation over two features would leave their sign.
    assert {one.arm for one in trial.contestants} == set(ARM_NAMES) - {"patch", "layer norm"}
    assert np.isfinite(trial.outcomes).all()


def test_embedding_is_tried_without_the_arms_that_need_a_signal() -> None:
    model = keras.Sequential(
        [
            layers.Input((5,), dtype="int32"),
            layers.Embedding(9, 4, name="hidden"),
            layers.Flatten(),
            layers.Dense(1),
        ],
        name="model",
    )
    model.compile("sgd", "mse")
    x = RNG.integers(0, 9, (40, 5))

    trial = run_trial(
        model,
        (x, x[:, :1].astype(np.float32)),
        layer="model/hidden",
        steps=2,
        seeds=1,
        strengths=(1.0,),
        progress=False,
    )

    assert "centred" not in {one.arm for one in trial.contestants}


def test_batches_of_an_iterable_are_taken() -> None:
    batches = ((X[start : start + 40], Y[start : start + 40]) for start in range(0, 160, 40))

    trial = run_trial(
        aligned(), batches, layer="model/hidden", arms=[], steps=3, seeds=1, progress=False
    )

    assert trial.steps == (0, 1, 2, 3)


def test_what_cannot_be_tried_is_refused_with_what_to_do() -> None:
    model = aligned()
    bare = keras.Sequential([layers.Input((64,)), layers.Dense(1)])

    with pytest.raises(
        ValueError, match=r"Received: 'nowhere', of which there are 0. Known: model/hidden,"
    ):
        tried(model, layer="nowhere")
    with pytest.raises(ValueError, match=r"compiled\. Received one that is not: call `model\.co"):
        tried(bare)
    with pytest.raises(ValueError, match=r"`arms` takes names out of nothing, .*Received: magic"):
        tried(model, arms=["magic"])
    with pytest.raises(ValueError, match=r"`steps` must be a whole number from 1\. Received: 0"):
        tried(model, steps=0)
    with pytest.raises(ValueError, match=r"same number of examples, two or more\. Received: 5, 16"):
        run_trial(model, (X, Y[:5]), layer="model/hidden")
    with pytest.raises(ValueError, match=r"iterable of such batches\. Received: int\."):
        run_trial(model, 3, layer="model/hidden")
    with pytest.raises(ValueError, match=r"`run` must be 1 to 128"):
        tried(model, run="no name")


def test_result_waits_in_the_spool_while_there_is_no_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tried(
        aligned(), arms=[], steps=1, seeds=1, run="tried", url="http://127.0.0.1:9", spool=tmp_path
    )

    assert [path.name.split(".")[0] for path in tmp_path.glob("*.spool")] == ["tried"]
    assert "messages of run tried wait in" in caplog.text
