"""Real trainings with and without a fault: each gets the verdict that fits, and the patch helps.

Thresholds were chosen on none of the digits; breast cancer is the second data set.
"""

import functools
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import pytest

from gainstage import Finding, LayerMonitor, cases
from gainstage.cases import CANONICAL, CASES, Case

EVERY = 10
# Enough for the window of samples in which units are called dead, and for its persistence.
STEPS_TO_A_VERDICT = 250
STEPS_AT_A_TIME = 15
FAULTS = tuple(case for case in CASES if case.verdict != "healthy")
BY_NAME = {case.name: case for case in CASES}
every_data = pytest.mark.parametrize("data", ["digits", "breast_cancer"])


# An epoch takes as long to begin as 20 steps take: one of breast cancer's gets as many as digits'.
TIMES_AN_EPOCH = {"digits": 1, "breast_cancer": 3}


@functools.cache
def load(name: str) -> cases.Data:
    data, times = cases.load(name), TIMES_AN_EPOCH[name]
    x, y = np.tile(data.train_x, (times, 1)), np.tile(data.train_y, times)
    return replace(data, train_x=x, train_y=y)


@dataclass
class Watched:
    monitor: LayerMonitor
    accuracy: float

    @property
    def findings(self) -> list[Finding]:
        return sorted(self.monitor.findings(), key=lambda finding: finding.since_step)


@functools.cache
def watched(data: str, case: Case, *, patch: str = "", epochs: int | None = None) -> Watched:
    """A training of `case`, with the hidden layer that the code `patch` puts in its place.

    Always the same, and trained but once: no test changes what it looks at.
    """
    keras.utils.set_random_seed(2)
    scope: dict[str, Any] = {"keras": keras}
    exec(patch, scope)
    hidden = scope.get("replacement") or case.hidden()
    monitor = LayerMonitor(False, every=EVERY)
    model = cases.build(load(data), case, hidden)
    accuracy = cases.train(model, load(data), case, [monitor], epochs=epochs)
    return Watched(monitor, accuracy)


def begun(data: str, case: Case) -> Watched:
    """A training that ends as soon as a verdict must have been reached."""
    return watched(data, case, epochs=-(-STEPS_TO_A_VERDICT * load(data).epochs // cases.STEPS))


@functools.cache
def unpatched(data: str, case: Case) -> float:
    """The accuracy that `case` ends with; nobody watches, so many steps are taken at a time."""
    keras.utils.set_random_seed(2)
    model = cases.build(load(data), case, case.hidden())
    model.steps_per_execution = STEPS_AT_A_TIME
    return cases.train(model, load(data), case, [])


@every_data
@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.name)
def test_fault_gets_the_verdict_that_fits_and_no_other_layer_is_accused(
    data: str, case: Case
) -> None:
    seen = begun(data, case)

    assert [(finding.layer.rpartition("/")[2], finding.verdict) for finding in seen.findings] == [
        ("hidden", case.verdict)
    ]


@every_data
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.verdict == "healthy"], ids=lambda case: case.name
)
def test_healthy_training_raises_no_alarm_from_its_first_step_to_its_last(
    data: str, case: Case
) -> None:
    seen = watched(data, case)

    assert seen.findings == []
    assert seen.accuracy > 0.9


def test_levels_of_the_canonical_case_are_those_that_were_measured_by_hand() -> None:
    (finding,) = begun("digits", CANONICAL).findings

    assert {name: round(finding.levels[name]) for name in ("input", "gain", "coherence")} == {
        "input": -14,
        "gain": 23,
        "coherence": 31,
    }


@every_data
@pytest.mark.parametrize("fault", ["canonical", "loud input", "large weights", "large bias"])
def test_patch_of_a_fault_as_it_is_printed_ends_it(data: str, fault: str) -> None:
    case = BY_NAME[fault]

    after = watched(data, case, patch=begun(data, case).findings[0].code)

    assert after.accuracy > unpatched(data, case)
    assert after.accuracy > 0.9
    assert case.verdict not in {finding.verdict for finding in after.findings if finding.open}


def test_activity_patch_does_less_for_a_fault_of_another_kind() -> None:
    """The twin: where the input is loud, the penalty on the outputs is not what helps."""
    case = BY_NAME["loud input"]
    wrong = watched("digits", case, patch=begun("digits", CANONICAL).findings[0].code)

    right = watched("digits", case, patch=begun("digits", case).findings[0].code)

    assert right.accuracy > wrong.accuracy + 0.05
