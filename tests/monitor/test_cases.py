"""Real trainings with and without a fault: each gets the verdict that fits, and the patch helps.

Thresholds were chosen on none of the digits; breast cancer is the second data set.
"""

from dataclasses import dataclass
from typing import Any

import keras
import pytest

from gainstage import Finding, LayerMonitor, cases
from gainstage.cases import CANONICAL, CASES, Case, Data

EVERY = 10
# Enough for the window of samples in which units are called dead, and for its persistence.
STEPS_TO_A_VERDICT = 250
FAULTS = tuple(case for case in CASES if case.verdict != "healthy")
BY_NAME = {case.name: case for case in CASES}


@pytest.fixture(scope="module", params=["digits", "breast_cancer"])
def data(request: pytest.FixtureRequest) -> Data:
    return cases.load(request.param)


@dataclass
class Watched:
    monitor: LayerMonitor
    accuracy: float

    @property
    def findings(self) -> list[Finding]:
        return sorted(self.monitor.findings(), key=lambda finding: finding.since_step)


def watched(data: Data, case: Case, layers: list[Any], *, epochs: int | None = None) -> Watched:
    keras.utils.set_random_seed(2)
    monitor = LayerMonitor(False, every=EVERY)
    accuracy = cases.train(cases.build(data, case, layers), data, case, [monitor], epochs=epochs)
    return Watched(monitor, accuracy)


def begun(data: Data, case: Case) -> Watched:
    """A training that ends as soon as a verdict must have been reached."""
    epochs = -(-STEPS_TO_A_VERDICT * data.epochs // cases.STEPS)
    return watched(data, case, case.hidden(), epochs=epochs)


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.name)
def test_fault_gets_the_verdict_that_fits_and_no_other_layer_is_accused(
    data: Data, case: Case
) -> None:
    seen = begun(data, case)

    assert [(finding.layer.rpartition("/")[2], finding.verdict) for finding in seen.findings] == [
        ("hidden", case.verdict)
    ]


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.verdict == "healthy"], ids=lambda case: case.name
)
def test_healthy_training_raises_no_alarm_from_its_first_step_to_its_last(
    data: Data, case: Case
) -> None:
    seen = watched(data, case, case.hidden())

    assert seen.findings == []
    assert seen.accuracy > 0.9


def test_levels_of_the_canonical_case_are_those_that_were_measured_by_hand() -> None:
    (finding,) = begun(cases.load("digits"), CANONICAL).findings

    assert {name: round(finding.levels[name]) for name in ("input", "gain", "coherence")} == {
        "input": -14,
        "gain": 23,
        "coherence": 31,
    }


@pytest.mark.parametrize("fault", ["canonical", "loud input", "large weights", "large bias"])
def test_patch_of_a_fault_as_it_is_printed_ends_it(data: Data, fault: str) -> None:
    case = BY_NAME[fault]
    before = watched(data, case, case.hidden())
    scope: dict[str, Any] = {"keras": keras}
    exec(before.findings[0].code, scope)

    after = watched(data, case, scope["replacement"])

    assert after.accuracy > before.accuracy
    assert after.accuracy > 0.9
    assert case.verdict not in {finding.verdict for finding in after.findings if finding.open}


def test_activity_patch_does_less_for_a_fault_of_another_kind() -> None:
    """The twin: where the input is loud, the penalty on the outputs is not what helps."""
    data, case = cases.load("digits"), BY_NAME["loud input"]
    scope: dict[str, Any] = {"keras": keras}
    exec(begun(data, CANONICAL).findings[0].code, scope)
    wrong = watched(data, case, scope["replacement"])
    exec(begun(data, case).findings[0].code, scope)

    right = watched(data, case, scope["replacement"])

    assert right.accuracy > wrong.accuracy + 0.05
