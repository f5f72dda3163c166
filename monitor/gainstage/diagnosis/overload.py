"""The symptom that four verdicts share: the pre-activation runs beyond what its activation takes.

Only then is a cause sought: a layer whose weights line up with its inputs has learned something,
and that is no fault as long as the activation still passes a gradient.
"""

from collections.abc import Callable

import numpy as np

from gainstage.diagnosis.growth import LOUD_DB, grown
from gainstage.diagnosis.insides import GATE
from gainstage.diagnosis.rule import Case, Prescription, Rule
from gainstage.diagnosis.upstream import source_of
from gainstage.diagnosis.view import (
    GATE_MARGIN_DB,
    LEARNED,
    LEAST_LIMIT_DB,
    REFERENCE_DB,
    STUCK_SHARE,
    Bools,
    View,
    anywhere,
    once,
)

# A Gaussian pre-activation whose rms stands at the edge of saturation has 32 % of its values
# beyond it. Above that the level is no longer the work of a few outliers.
SATURATED_SHARE = 0.32
# Another cause takes an open finding over once it stands this much, a factor of 2, above the first:
# while a remedy works, the terms pass one another.
TAKEOVER_DB = 6.0
# Hysteresis: an open finding closes once the level is 3 dB inside the headroom, which is a factor
# of 1.4, or two thirds of the values that made it open are back.
CLOSING_DB = -3.0
CLOSING_SHARE = 0.1
CLOSING_STUCK = 0.8
THRESHOLD = (
    "The pre-activation's rms is above the headroom of its activation (and above "
    f"{LEAST_LIMIT_DB:g} dB, the headroom of tanh; in a recurrent layer {GATE_MARGIN_DB:g} dB "
    f"higher, unless {STUCK_SHARE:.0%} of the values are saturated) and more than "
    f"{SATURATED_SHARE:.0%} of its values are saturated (what a Gaussian at the headroom has), in "
    f"3 samples in a row, of which the first has more than {LEARNED:.0%} of the training's first "
    f"loss, if that is a cross-entropy; closes 3 dB below that or under {CLOSING_SHARE:.0%} "
    f"saturated, under {CLOSING_STUCK:.0%} where only the share made it open. The cause is the "
    "term that stands highest above its reference; an input that overloads even "
    "variance-preserving weights, and a bias that outweighs all else, are the cause by themselves."
)


@once
def overloaded(view: View) -> Bools:
    """[rows]: level above the limit, with enough values beyond the edge to mean it."""
    loud = (view.overload_db > 0) & (view["saturation_rate"] > SATURATED_SHARE)
    loud &= view.layout.ranged
    # Where levels grow to the end through functions that bound one side alone, that is the fault:
    # what is on their other side is passed on, however large it is.
    open_ended = view.layout.open_ended
    if anywhere(loud & open_ended) and anywhere(open_ended & grown(view, LOUD_DB)):
        loud &= ~open_ended
    return loud


@once
def still_overloaded(view: View) -> Bools:
    """[rows]: not yet safely back inside the limit."""
    share = view["saturation_rate"]
    loud = (view.overload_db > CLOSING_DB) & (share > CLOSING_SHARE)
    if view.layout.gated:  # their limit depends on that share itself
        edge_db = view["pre_db"] - view.layout.headroom_db
        loud |= view.layout.gates & (edge_db > CLOSING_DB) & (share > CLOSING_STUCK)
    return view.layout.ranged & loud


@once
def _blamed(view: View) -> Bools:
    return _in_place_of(view, overloaded(view))


@once
def _still_blamed(view: View) -> Bools:
    return _in_place_of(view, still_overloaded(view))


def _in_place_of(view: View, loud: Bools) -> Bools:
    """[rows]: the `loud` ones, or in the place of those that get too much the rows that send it."""
    if not anywhere(loud):
        return loud
    blamed = loud.copy()
    for place in np.flatnonzero(loud & view.caused_by("input")).tolist():
        source = source_of(view, place)
        blamed[place] = source == place
        blamed[source] = True
    return blamed


def _references(case: Case) -> dict[str, float]:
    return {
        "input_db": 0.0,
        "gain_db": float(case.view.layout.reference_gain_db[case.position]),
        "coherence_db": 0.0,
        "bias_db": case.limit_db,
    }


def overload_rule(
    *,
    verdict: str,
    title: str,
    meaning: str,
    guilty: str,
    limit: str,
    prescribe: Callable[[Case], Prescription],
) -> Rule:
    """A rule for overload whose cause is `verdict`.

    `guilty` says in words what the cause did, `limit` names the statistic that shows it.
    """

    def symptom(view: View) -> Bools:
        blamed = _blamed(view)
        return blamed & view.caused_by(verdict) if anywhere(blamed) else blamed

    @once
    def holds(view: View) -> Bools:
        close = view.excess(verdict) >= view.largest_excess - TAKEOVER_DB
        return _still_blamed(view) & (view.caused_by(verdict) | close)

    def limits(case: Case) -> dict[str, float | None]:
        shown: dict[str, float | None] = {"output_db": REFERENCE_DB}
        if np.isfinite(case.headroom_db):
            shown = {"pre_db": case.limit_db, "saturation_rate": SATURATED_SHARE}
        for statistic, reference in _references(case).items():
            if np.isfinite(case[statistic]):
                shown[statistic] = reference if statistic == limit else None
        return shown

    def summary(case: Case) -> str:
        terms = {"input": "input", "kernel gain": "gain", "coherence": "coherence", "bias": "bias"}
        levels = ", ".join(f"{words} {_level(case[f'{id}_db'])}" for words, id in terms.items())
        return f"{case.row.path} {_symptom_of(case)}: {guilty} ({levels})."

    def prescribed(case: Case) -> Prescription:
        if case.row.state_fan_in is None:
            return prescribe(case)
        return Prescription(f"{case.row.path} is a part of {case.whole.path}.{GATE}")

    return Rule(
        verdict=verdict,
        title=title,
        meaning=meaning,
        threshold=THRESHOLD,
        symptom=symptom,
        holds=holds,
        limits=limits,
        references=_references,
        summary=summary,
        prescribe=prescribed,
        late=lambda view: view.learned,
    )


def _level(decibels: float) -> str:
    return f"{decibels:+.0f} dB" if np.isfinite(decibels) else "none"


def _symptom_of(case: Case) -> str:
    if np.isfinite(case.headroom_db):
        return (
            f"runs {case['pre_db'] - case.headroom_db:+.0f} dB over the headroom of its "
            f"{case.row.activation}, {case['saturation_rate']:.0%} saturated"
        )
    rows, places = case.view.layout.rows, np.flatnonzero(overloaded(case.view)).tolist()
    behind = (rows[at].path for at in places if source_of(case.view, at) == case.position)
    return f"puts out {case['output_db']:+.0f} dB and overloads {next(behind, 'what is behind it')}"
