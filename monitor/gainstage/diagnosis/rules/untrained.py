"""Weights that do not move, though they should."""

import numpy as np

from gainstage.diagnosis.blocking import blocking
from gainstage.diagnosis.rule import Case, Prescription, Rule
from gainstage.diagnosis.rules import vanishing
from gainstage.diagnosis.view import CRAWL, Bools, View, anywhere, once
from gainstage.windows import WINDOW

# At a millionth of their size a step, weights have moved by a tenth of it in 100,000 steps. Slow
# but successful trainings move them by 1e-4 a step and more.
STILL = 1e-6
CLOSING = 1e-5
# A schedule may end at a rate of no account, and a training go on a little at it. Where it has gone
# on so for most of the way, the schedule was meant for more steps.
CRAWLED = 0.75


def _still(view: View, limit: float) -> Bools:
    """[rows]: trainable weights which move less than that a step, and never have moved faster.

    Late in a training they stand still because they have arrived, unless it is the learning rate
    that has brought them to a stop, and did so early. While the rate is 0, in a warm-up, nothing is
    expected of them, nor where the gradient vanishes on its way. Where others move and this one
    gets a gradient, it has little to learn: the queries of an attention that looks everywhere
    alike.
    """
    early = (view.path <= limit * view.steps) | _crawls(view)
    slow = (view["update_ratio"] < limit) & early
    still = view.layout.trainable & slow & (view.samples >= WINDOW)
    paused = view.rate == 0 and not _crawls(view)
    if not anywhere(still) or paused or anywhere(blocking(view) | vanishing.symptom(view)):
        return np.zeros_like(still)
    gradient = view["gradient_rms"]
    cut_off = np.where(np.isnan(gradient), view["update_ratio"], gradient) == 0
    return still & (cut_off | (still | ~view.layout.trainable).all())


def _crawls(view: View) -> bool:
    return view.crawled > CRAWLED * view.steps


def symptom(view: View) -> Bools:
    """[rows]: weights that hardly move."""
    return _still(view, STILL)


@once
def holds(view: View) -> Bools:
    """[rows]: weights that do not move ten times as fast yet."""
    return _still(view, CLOSING)


def limits(case: Case) -> dict[str, float | None]:
    """How far the weights move a step, and what the loss asks of them."""
    shown = (id for id in ("gradient_rms", "kernel_rms") if np.isfinite(case[id]))
    return {"update_ratio": STILL, **dict.fromkeys(shown)}


def summary(case: Case) -> str:
    """How little it moves."""
    ratio = case["update_ratio"]
    return f"The weights of {case.row.path} move by {ratio:.1g} of their size a step: not at all."


def _others_move(case: Case) -> bool:
    ratios = case.view["update_ratio"]
    return bool(np.any(ratios[case.view.layout.trainable] > CLOSING))


def prescribe(case: Case) -> Prescription:
    """Where to look: no change of the layer helps."""
    row, rate = case.row, case.view.rate
    if _others_move(case):
        return Prescription(
            f"No gradient reaches {row.path}. Look behind it for `stop_gradient`, for rounding, "
            "comparisons and `argmax`, which have none, for frozen weights of 0, and whether its "
            "output enters the loss at all."
        )
    if _crawls(case.view) and rate is not None:
        return Prescription(
            f"No layer moves: {case.view.crawled:,} steps ago the learning rate fell below "
            f"{CRAWL:g} of the {case.view.peak_rate:.1g} that it had been. It is {rate:.1g} now. "
            "Schedules count optimizer steps, not epochs: give `decay_steps` as many as the "
            "training has. No regularizer helps."
        )
    told = "" if rate is None else f", now {rate:.1g},"
    return Prescription(
        f"No layer moves: the learning rate{told} is too small for gradients of this size, or "
        "`clipnorm`, `clipvalue` or the loss's scale make them so. Raise it tenfold until the loss "
        "falls. No regularizer helps."
    )


RULE = Rule(
    verdict="untrained",
    title="Weights that do not move",
    meaning="The weights are trainable and hardly move.",
    threshold=(
        f"Trainable weights move by less than {STILL:g} of their size a step, after at least "
        f"{WINDOW} samples, in 3 of them in a row. They have done so since the first sample, at a "
        f"learning rate above 0, or that rate has been below {CRAWL:g} of its highest for more "
        f"than {CRAWLED:.0%} of the steps; and either all layers do, or no gradient at all "
        f"reaches them. Closes above {CLOSING:g}."
    ),
    symptom=symptom,
    holds=holds,
    limits=limits,
    summary=summary,
    prescribe=prescribe,
)
