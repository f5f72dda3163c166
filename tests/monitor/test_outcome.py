"""Who wins a trial: rankings and sentences over outcomes made by hand."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from rich.console import Console

from gainstage.charts import print_trial
from gainstage.outcome import CHOICE, CHOICE_LOSS, LEVELS, Contestant, Trial, more_is_better

NOTHING, KERNEL = Contestant("nothing"), Contestant("kernel", 0.5)
WEAK, STRONG = Contestant("activity", 0.01), Contestant("activity", 0.1)


def trial(
    scores: dict[Contestant, Sequence[float]],
    metric: str = "accuracy",
    losses: float | dict[Contestant, float] = 1.0,
    *,
    layer: str = "model/hidden",
    interrupted: bool = False,
    choices: dict[Contestant, tuple[float, float]] | None = None,
) -> Trial:
    """A trial of one measurement with the given finals, one for each seed."""
    chosen = [] if choices is None else [CHOICE, CHOICE_LOSS]
    columns = ("loss", *([metric] if metric != "loss" else []), *LEVELS, *chosen)
    seeds = len(next(iter(scores.values())))
    outcomes = np.zeros((len(scores), seeds, 1, len(columns)), np.float32)
    for place, (one, finals) in enumerate(scores.items()):
        outcomes[place, :, 0, 0] = losses if isinstance(losses, float) else losses.get(one, 1.0)
        outcomes[place, :, 0, columns.index(metric)] = finals
        if choices is not None:
            outcomes[place, :, 0, -2:] = choices[one]
    return Trial(layer, tuple(scores), tuple(range(seeds)), (300,), columns, outcomes, interrupted)


def test_each_arm_is_ranked_at_its_best_strength() -> None:
    found = trial({NOTHING: [0.1] * 3, WEAK: [0.5] * 3, KERNEL: [0.7] * 3, STRONG: [0.9] * 3})

    assert found.ranking == (STRONG, KERNEL, NOTHING)
    assert (found.winner, found.best("activity"), found.best("centred")) == (STRONG, STRONG, None)


def test_strength_is_chosen_by_other_examples_than_it_is_reported_on() -> None:
    scores = {NOTHING: [0.1] * 3, WEAK: [0.5] * 3, KERNEL: [0.7] * 3, STRONG: [0.9] * 3}
    choices = {NOTHING: (0.9, 1), WEAK: (0.8, 1), KERNEL: (0.1, 1), STRONG: (0.7, 0)}
    losses = {one: -2 * finals[0] for one, finals in scores.items()}

    found = trial(scores, choices=choices)
    by_loss = trial({one: [loss] * 3 for one, loss in losses.items()}, "loss", choices=choices)

    assert found.ranking == (KERNEL, WEAK, NOTHING)
    assert by_loss.ranking == (STRONG, KERNEL, NOTHING)
    assert "Strengths were chosen" not in found.summary


def test_strengths_that_are_alike_in_the_metric_are_chosen_by_the_loss_there() -> None:
    scores = {WEAK: [0.9] * 3, STRONG: [0.8] * 3}

    found = trial(scores, choices={WEAK: (1.0, 0.4), STRONG: (1.0, 0.01)})

    assert found.ranking == (STRONG,)


def test_it_is_said_where_strengths_were_chosen_by_the_examples_they_are_reported_on() -> None:
    found = trial({NOTHING: [0.1] * 3, WEAK: [0.5] * 3, STRONG: [0.9] * 3})

    assert found.summary.endswith(
        ", +0.800 over the next, nothing. Strengths were chosen by the examples that they are "
        "reported on, which flatters penalties."
    )
    assert "Strengths" not in trial({NOTHING: [0.1] * 3, WEAK: [0.5] * 3}).summary


def test_less_loss_is_better_where_there_is_no_metric_of_known_direction() -> None:
    by_loss = trial({NOTHING: [2.0] * 3, WEAK: [1.0] * 3}, "loss")
    unknown = trial({NOTHING: [9.0] * 3, WEAK: [1.0] * 3}, "mae", {NOTHING: 1.0, WEAK: 2.0})

    assert (by_loss.metric, by_loss.winner) == ("loss", WEAK)
    assert by_loss.lead(WEAK, NOTHING).mean == 1.0
    assert (unknown.metric, unknown.winner) == ("loss", NOTHING)


def test_arms_that_are_alike_in_the_metric_are_told_apart_by_their_loss() -> None:
    scores = {NOTHING: [0.1] * 3, WEAK: [1.0] * 3, KERNEL: [1.0] * 3}

    first = trial(scores, losses={NOTHING: 0.0, WEAK: 0.2, KERNEL: 0.3})
    second = trial(scores, losses={NOTHING: 0.0, WEAK: 0.3, KERNEL: 0.2})

    assert first.ranking == (WEAK, KERNEL, NOTHING)
    assert second.ranking == (KERNEL, WEAK, NOTHING)


@pytest.mark.parametrize("metric", ["accuracy", "auc_1", "out_accuracy", "mean_io_u", "recall_12"])
def test_more_of_these_metrics_is_better(metric: str) -> None:
    assert more_is_better(metric)


@pytest.mark.parametrize("metric", ["loss", "out_loss", "mae", "mean_squared_error", "pre_db"])
def test_of_these_it_is_not_known_or_less_is_better(metric: str) -> None:
    assert not more_is_better(metric)


def test_what_diverged_is_last_even_with_a_finite_metric_and_told_apart() -> None:
    scores = {NOTHING: [0.5] * 3, KERNEL: [0.9] * 3, WEAK: [0.8] * 3}

    found = trial(scores, losses={KERNEL: float("nan")})

    assert found.ranking[-1] == KERNEL
    assert found.summary == (
        "activity L2(0.01) is the best for model/hidden: accuracy 0.800 (0.800 to 0.800), "
        "+0.300 over nothing, +0.300 over the next, nothing. Diverged: kernel L2(0.5)."
    )


def test_difference_that_not_every_seed_shows_is_none() -> None:
    found = trial({NOTHING: [0.1] * 3, WEAK: [0.8, 0.8, 0.8], KERNEL: [0.9, 0.7, 0.7]})

    assert found.summary.startswith("activity L2(0.01) came first for model/hidden: ")
    assert found.summary.endswith("Not told apart from it over 3 seeds: kernel L2(0.5).")


@pytest.mark.parametrize(
    ("scores", "standings"),
    [
        ({WEAK: [0.9, 0.8, 0.7], KERNEL: [0.8, 0.7, 0.6]}, {WEAK: "best"}),
        (
            {WEAK: [0.9, 0.8, 0.7], KERNEL: [0.7, 0.7, 0.71], NOTHING: [0.2] * 3},
            {WEAK: "first", KERNEL: "alike"},
        ),
        ({WEAK: [0.9] * 3, KERNEL: [0.9] * 3}, {WEAK: "first", KERNEL: "alike"}),
        ({WEAK: [0.9, 0.8], KERNEL: [0.1, 0.2]}, {WEAK: "few"}),
        ({WEAK: [0.9, 0.8, 0.7], KERNEL: [0.8, float("nan"), 0.9]}, {WEAK: "best"}),
        ({WEAK: [float("nan"), 0.8, 0.7]}, {}),
    ],
    ids=["leads", "overtaken", "level", "few", "diverged", "all diverged"],
)
def test_what_the_seeds_tell_of_the_first_and_of_those_beside_it(
    scores: dict[Contestant, list[float]], standings: dict[Contestant, str]
) -> None:
    assert trial(scores).standings == standings


def test_of_a_loss_the_one_that_is_less_in_every_seed_is_the_best() -> None:
    found = trial({KERNEL: [2.0, 3.0, 4.0], WEAK: [1.0, 2.0, 3.0]}, "loss")

    assert found.standings == {WEAK: "best"}


def test_where_all_diverged_none_is_called_the_best() -> None:
    found = trial({NOTHING: [float("nan")] * 3, WEAK: [float("nan")] * 3})

    assert "is the best" not in found.summary


def test_few_seeds_tell_nothing_of_chance() -> None:
    found = trial({NOTHING: [0.1, 0.1], WEAK: [0.8, 0.9]})

    assert found.summary.endswith("Fewer than 3 seeds do not tell merit from chance.")


def test_model_as_it_is_may_win() -> None:
    found = trial({NOTHING: [0.9] * 3, WEAK: [0.8] * 3})

    assert found.summary.startswith(
        "Nothing tried is better for model/hidden than the model as it is: accuracy 0.900"
    )


def test_table_says_what_diverged_and_that_arms_are_missing_and_shows_names_as_they_are() -> None:
    file = io.StringIO()
    scores = {NOTHING: [0.5] * 3, WEAK: [float("nan")] * 3}

    print_trial(trial(scores, layer="[/x]/hidden", interrupted=True), Console(file=file, width=100))

    text = file.getvalue()
    assert "[/x]/hidden after 300 steps" in text
    assert "diverged" in text
    assert "The trial was stopped: arms and strengths are missing." in text
