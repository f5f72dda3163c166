"""The benchmark of diagnosis on patches, trials and failures: what counts, and what is kept."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from benchmarks.diagnosis import command, record, remedies
from benchmarks.diagnosis.tasks import Task

from gainstage import Finding

FAMILY = "large bias"
_, CASE = command.FAMILIES[FAMILY]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of a case whose finding has a patch."""
    folder = tmp_path_factory.mktemp("kept")
    record.record(CASE, 0, folder)
    return folder


def failing(*_: Any, **__: Any) -> Any:
    raise ValueError("of a training")


def test_patch_that_cannot_be_applied_is_counted_as_such(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "apply", failing)

    row = command.judged(FAMILY, 0, kept)

    assert (row.runs, row.cured, row.patched) == (False, False, None)


def test_error_of_a_training_with_a_patch_is_not_counted_against_the_patch(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LayerMonitor", failing)

    with pytest.raises(ValueError, match="of a training"):
        command.judged(FAMILY, 0, kept)


@pytest.mark.parametrize(
    ("name", "changed"),
    [("ARM_NAMES", ("nothing",)), ("STRENGTHS", (2.0,)), ("LEAST_STEPS", 7), ("SEEDS", 9)],
)
def test_trial_that_is_kept_is_made_again_where_it_would_be_another(
    name: str, changed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[remedies.Tried] = []

    def run(*_: Any) -> remedies.Tried:
        made.append(remedies.Tried("accuracy", {}, {}))
        return made[-1]

    monkeypatch.setattr(remedies, "_run", run)
    finding = Finding(
        id="0",
        row="0",
        layer="model/hidden",
        verdict="bias",
        severity="warning",
        since_step=0,
        last_step=0,
    )

    for _ in range(2):
        remedies.tried(CASE, 0, finding, tmp_path)
    monkeypatch.setattr(remedies, name, changed)
    remedies.tried(CASE, 0, finding, tmp_path)

    assert len(made) == 2


@pytest.mark.parametrize(("scale", "failed"), [(1.0, False), (2.5, True)])
def test_training_whose_model_says_less_than_a_constant_would_has_failed(
    scale: float, failed: bool
) -> None:
    y = np.random.default_rng(0).normal(size=(64, 1)).astype(np.float32)
    model = SimpleNamespace(predict=lambda x, verbose: scale * y)

    assert record.failed(model, Task(y, y, y, y, classes=0)) == failed
