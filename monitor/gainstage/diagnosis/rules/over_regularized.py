"""Penalties that rival the loss and have silenced the layer."""

import math

import numpy as np

from gainstage.diagnosis.carried import ACTIVITY, Penalty, penalties
from gainstage.diagnosis.insides import maker
from gainstage.diagnosis.overload import still_overloaded
from gainstage.diagnosis.rule import Case, Prescription, Rule
from gainstage.diagnosis.rules import vanishing
from gainstage.diagnosis.source import layer, replacement
from gainstage.diagnosis.strength import (
    HOLDING_STEPS,
    NEPER_DB,
    activity_penalty,
    amplitude,
    penalty,
)
from gainstage.diagnosis.view import UNSOLVED, Bools, Floats, View, anywhere, once

# What penalties ask is then a third of all that is asked of the weights.
RIVALS = 0.5
# At such a multiple, penalties alone decide where weights go.
OUTWEIGHS = 5.0
CLOSING_OUTWEIGHS = 2.0
# A quarter of unit spread. A layer that a penalty only keeps within its headroom is louder, however
# large the penalty's part in the gradient is.
QUIET_DB = -12.0
CLOSING_DB = -6.0
# What a penalty is weakened to whose strength cannot be computed.
TENTH = 0.1


@once
def pressure(view: View) -> Floats:
    """[rows]: what penalties and decay ask of the weights, relative to what moves them besides."""
    decay = view.layout.schema.training.weight_decay * (view.rate or 0.0)
    # Until it can have taken a factor e off weights, decay has silenced nothing: it is all that
    # moves a layer which no gradient reaches.
    if decay * view.steps < 1:
        return view.penalties_share
    with np.errstate(divide="ignore", invalid="ignore"):
        of_decay = np.fmax(decay / view["update_ratio"], 0.0)
    return np.maximum(view.penalties_share, np.where(view.layout.trainable, of_decay, 0.0))


def _spread(view: View) -> Floats:
    """[rows]: of what the layer says, before its activation bounds it.

    Behind a rectifier, which is linear where it passes anything, the quieter side of it.
    """
    rectified = np.where(view.layout.rectified, view["output_std"], np.nan)
    of_pre = np.fmin(view["pre_std"], rectified)
    return np.where(np.isnan(of_pre), view["output_std"], of_pre)


def _quiet(view: View, limit_db: float) -> Bools:
    with np.errstate(divide="ignore"):
        return 20 * np.log10(_spread(view)) < limit_db


def _pressed(view: View, quiet_db: float, outweighs: float) -> Bools:
    pressed = pressure(view) > RIVALS
    if not anywhere(pressed):
        return pressed
    silenced = pressed & _quiet(view, quiet_db)
    # Where hardly any gradient of the data arrives, anything outweighs it.
    arrives = ~(view["gradient_ratio"] < vanishing.CLOSING) & (view.asked > 0)
    # What outweighs the data in a layer without a penalty is the fault of one that carries it.
    outweighed = arrives & view.layout.penalised & (view.penalties_share > outweighs)
    return (silenced | outweighed) & ~still_overloaded(view)


def symptom(view: View) -> Bools:
    """[rows]: pressed by a penalty, and all but silent, or about to be."""
    return _pressed(view, QUIET_DB, OUTWEIGHS)


@once
def holds(view: View) -> Bools:
    """[rows]: still pressed, and not yet audible."""
    return _pressed(view, CLOSING_DB, CLOSING_OUTWEIGHS)


def limits(case: Case) -> dict[str, float | None]:
    """What presses the weights, and how little the layer says."""
    shown = (id for id in ("pre_std", "output_std", "gain_db") if np.isfinite(case[id]))
    pressing: dict[str, float | None] = {"penalty_ratio": RIVALS}
    if not _asks(case) > RIVALS:
        pressing = {"update_ratio": None}
    return pressing | dict.fromkeys(shown)


def summary(case: Case) -> str:
    """Which penalty, and what it has done."""
    spread = float(_spread(case.view)[case.position])
    if _asks(case) > RIVALS:
        carried = penalties(case.whole)
        names = " and ".join(carried) or "penalties of other layers"
        what = f"{names} ask {_asks(case):.1f} times of its weights what the data ask"
    else:
        what = f"the optimizer's weight decay makes up {pressure_of(case):.0%} of what moves it"
    if not _quiet(case.view, QUIET_DB)[case.position]:
        return f"{case.row.path} follows its penalties rather than the data: {what}."
    return f"{case.row.path} is all but silent, with a spread of {spread:.2g}: {what}."


def pressure_of(case: Case) -> float:
    """Of one layer, as `pressure`."""
    return float(pressure(case.view)[case.position])


def _asks(case: Case) -> float:
    return float(case.view.penalties_share[case.position])


def _usual_size(case: Case, argument: str) -> float:
    """Of what is penalised: outputs at unit rms, weights at the variance-preserving gain."""
    if argument == ACTIVITY:
        return 1.0
    gain = amplitude(float(case.view.layout.reference_gain_db[case.position]))
    return gain / math.sqrt(case.row.fan_in or 1.0)


def _holding(case: Case, argument: str) -> float:
    """The strength of an L2 that only keeps what it penalises from growing."""
    training, size, steps = case.training, _usual_size(case, argument), HOLDING_STEPS
    if argument != ACTIVITY:
        return penalty(training, excess_db=NEPER_DB, target=size, steps=steps)
    row, eigenvalue = case.whole, case["input_eigenvalue"]
    return activity_penalty(
        row, training, excess_db=NEPER_DB, target=size, eigenvalue=eigenvalue, steps=steps
    )


def _factor(case: Case, argument: str, carried: Penalty) -> float:
    """What to multiply a penalty by, so that it pulls at the usual size as one that only holds."""
    size = _usual_size(case, argument)
    pull = carried.pull(size)
    return min(1.0, 2 * _holding(case, argument) * size / pull) if pull else 1.0


def prescribe(case: Case) -> Prescription:
    """The same penalties, as weak as one has to be that only keeps weights from growing."""
    training, row = case.training, case.whole
    if not _asks(case) > RIVALS:
        return Prescription(
            f"Lower `weight_decay` of {training.optimizer} from {training.weight_decay:g} to "
            f"{training.weight_decay / (10 * pressure_of(case)):.1g}, a tenth of what then moves "
            "the weights, and begin again: what is gone does not come back by itself."
        )
    carried = penalties(row)
    if not carried:
        return Prescription(
            "The penalty is none of this layer's arguments: look for `add_loss` and for the "
            "penalties on outputs of the layers behind it, and weaken them tenfold."
        )
    factors = {name: _factor(case, name, one) for name, one in carried.items()}
    held = {name: carried[name].times(one) for name, one in factors.items() if one < 1}
    rest = {name: one for name, one in carried.items() if name not in held}
    tenth = {name: one.times(TENTH) for name, one in rest.items() if one.strengths}
    own = [f"{one} of {name}" for name, one in rest.items() if not one.strengths]
    remedy = ""
    if held:
        remedy += (
            f" Weaken what {row.path} carries: {_shown(held, carried)}. At the usual size, that "
            "pulls as an L2 does which takes a factor e off weights that no data hold against it "
            f"in {HOLDING_STEPS:,} steps, a training's length, where it now outweighs the data in "
            "each."
        )
    if tenth:
        remedy += (
            f" Try a tenth of what {row.path} carries as {_shown(tenth, carried)}: it "
            "does not act on sizes, or is as weak already as one that only holds."
        )
    if own:
        remedy += f" Weaken {' and '.join(own)} tenfold in its code, which is not known here."
    made_by = maker(case.view.layout.rows, row)
    if made_by is not None:
        remedy += f" Set it in {made_by.path}, from which all its projections have it."
    remedy += " Begin again rather than go on: what is gone does not come back by itself."
    changes = {name: one.given for name, one in (held | tenth).items()}
    code = replacement(row, layer(row, **changes)) if changes and made_by is None else ""
    return Prescription(remedy.lstrip(), code)


def _shown(changed: dict[str, Penalty], carried: dict[str, Penalty]) -> str:
    return ", ".join(f"{name}={one}, now {carried[name]}" for name, one in changed.items())


RULE = Rule(
    verdict="over_regularized",
    title="Penalties that rival the loss",
    meaning="Regularizers ask as much of the weights as the data do, and have silenced the layer.",
    threshold=(
        f"The penalties' gradient is above {RIVALS:g} of the data's (of the most that this has "
        f"been, where it is below {UNSOLVED:g} of that), or weight decay above that share of what "
        f"moves the weights, and the spread of the pre-activation is below {QUIET_DB:g} dB; or the "
        f"penalties' gradient is above {OUTWEIGHS:g} times the data's, in a layer that carries "
        f"one; in 2 samples of the gradient in a row. Closes above {CLOSING_DB:g} dB and below "
        f"{CLOSING_OUTWEIGHS:g} times. Not before the layer is back inside its headroom: a "
        "saturated layer has hardly any gradient of the data, and a penalty that is right "
        "outweighs it."
    ),
    symptom=symptom,
    holds=holds,
    limits=limits,
    summary=summary,
    prescribe=prescribe,
    opens_after=2,
    closes_after=2,
    block="gradients",
)
