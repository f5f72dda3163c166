"""Whatever fails in the monitor, training goes on as without it, and the reason is logged once."""

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from keras.src.backend.common.stateless_scope import in_stateless_scope

from gainstage import cadence, callback, outbox, peek, probe, recorder, report, sampler
from gainstage.finding import Finding
from gainstage.measures import Meters
from gainstage.probe import Probe
from gainstage.recorder import Recorder
from gainstage.spool import Spool

from . import twins
from .trainings import SMALL
from .twins import EPOCHS, STEPS, Making, Training, alone, complaints, different, outcome

layers = keras.layers
every_backend = pytest.mark.every_backend
REASON = "as the test wants it"
KIND: dict[str, Any] = {"verdict": "dead", "severity": "warning", "since_step": 1, "last_step": 1}
FRAMES = EPOCHS * (STEPS - 1) - 1  # where every call is sampled


class Trouble(Exception):  # noqa: N818
    """What goes wrong in these tests."""


@pytest.fixture(autouse=True, scope="module")
def deterministic() -> Iterator[None]:
    with twins.deterministic():
        yield


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class Fault:
    """Raises whenever it is called, and counts how often that was."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error or Trouble(REASON)
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        raise self.error


# Every place where the monitor's own code runs during `fit`.
PLACES: dict[str, tuple[Any, str]] = {
    "the environment": (callback, "environment"),
    "the recorder's making": (callback, "Recorder"),
    "the cadence": (cadence.Cadence, "due"),
    "arming": (peek, "arm"),
    "the inputs": (peek.keras.utils, "unpack_x_y_sample_weight"),
    "the number of examples": (peek, "size"),
    "the first examples": (peek, "first"),
    "the sampler's making": (callback, "Sampler"),
    "the probe's making": (sampler, "Probe"),
    "the probe's call": (Probe, "__call__"),
    "the search for layers": (probe, "leaves"),
    "the pass, while layers are tapped": (probe, "_call"),
    "the weights' reduction": (probe, "_weights"),
    "the naming of rows": (probe, "describe"),
    "the description of the training": (callback, "describe_training"),
    "the optimizer's step": (callback, "optimizer_step"),
    "the measuring": (Meters, "measure"),
    "the recording": (Recorder, "record"),
    "the spool's making": (outbox, "spool_at"),
    "the diagnosis": (recorder, "advance"),
    "the clock of steps": (cadence.Cadence, "sampled"),
    "the table at the end": (report, "print_findings"),
}


# Those behind the peek, which each backend has its own of.
BEHIND = {"the inputs", "the probe's call", "the pass, while layers are tapped", "the recording"}


@pytest.mark.parametrize(
    "place",
    [pytest.param(it, marks=[every_backend] if it in BEHIND else []) for it in PLACES],
)
def test_training_goes_on_where_the_monitor_fails_and_the_reason_is_logged_once(
    place: str,
    closed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fault, made = Fault(), Making(closed, every=2, spool=tmp_path)
    monkeypatch.setattr(*PLACES[place], fault)

    watched = outcome(SMALL, made)

    assert different(alone(SMALL), watched) == []
    assert fault.calls > 0
    assert [text.partition(". ")[2] for text in complaints(caplog)] == [f"Trouble: {REASON}"]


@every_backend
def test_every_place_fails_during_a_training_that_is_fine_otherwise(
    closed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = Making(closed, every=2, spool=tmp_path)

    outcome(SMALL, made)

    assert made.monitor.frames == 5
    assert complaints(caplog) == []


def test_probe_that_fails_is_not_tried_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = itertools.count()

    class Varied(Fault):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            self.error = Trouble(f"tensor {next(numbers)}")
            return super().__call__()

    fault, made = Varied(), Making(False, every=1)
    monkeypatch.setattr(Probe, "__call__", fault)

    watched = outcome(SMALL, made)

    assert different(alone(SMALL), watched) == []
    assert fault.calls == callback.MOST_FAILURES
    assert len(complaints(caplog)) <= callback.MOST_FAILURES


def test_probe_that_fails_once_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original, made = Probe.__call__, Making(False, every=1)
    fails = iter([True, False, True, True, *[False] * 100])

    def sometimes(self: Probe, *arguments: Any) -> Any:
        if next(fails):
            raise Trouble(REASON)
        return original(self, *arguments)

    monkeypatch.setattr(Probe, "__call__", sometimes)

    watched = outcome(SMALL, made)

    assert different(alone(SMALL), watched) == []
    assert made.monitor.frames == FRAMES - 3
    assert len(complaints(caplog)) == 1


def test_disk_that_cannot_be_written_stops_no_training_and_no_sampling(
    closed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    original, made = Spool.__init__, Making(closed, every=1, spool=tmp_path)

    def on_a_disk_that_fails(self: Spool, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        self._appender.execute("PRAGMA query_only = 1")

    monkeypatch.setattr(Spool, "__init__", on_a_disk_that_fails)

    watched = outcome(SMALL, made)

    assert different(alone(SMALL), watched) == []
    assert made.monitor.frames == FRAMES
    fails, lost = complaints(caplog)
    assert "fails (OperationalError: attempt to write a readonly database)" in fails
    # With run_start, schema and run_end: it may work again, so what is small waits in memory.
    assert f"{FRAMES + 3} messages could not be written" in lost


def test_folder_that_cannot_be_made_stops_no_training_and_no_sampling(
    closed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    made = Making(closed, every=1, spool=tmp_path / "file" / "spool")

    watched = outcome(SMALL, made)

    assert different(alone(SMALL), watched) == []
    assert made.monitor.frames == FRAMES
    (complaint,) = complaints(caplog)
    assert str(tmp_path / "file") in complaint
    assert "Statistics wait in memory" in complaint


def test_function_of_the_user_that_raises_on_each_finding_stops_no_training_and_no_sampling(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = [Finding(id=str(n), row="r", layer="l", **KIND) for n in range(callback.MOST_FAILURES)]
    monkeypatch.setattr(recorder, "advance", lambda state, *_: (state, found))
    on_finding = Fault()
    made = Making(False, every=1, on_finding=on_finding)

    watched = outcome(SMALL, made)

    assert different(alone(SMALL), watched) == []
    assert on_finding.calls == callback.MOST_FAILURES * FRAMES
    assert made.monitor.frames == FRAMES
    assert complaints(caplog) == [
        f"gainstage: `on_finding` raised, and the training goes on. Trouble: {REASON}"
    ]


class FixedBatch(keras.Model):
    """Cannot be called on any other number of examples than that of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(8, activation="tanh")
        self.classes = layers.Dense(3, activation="softmax")

    def call(self, x: Any) -> Any:
        return self.classes(keras.ops.reshape(self.hidden(x), (twins.BATCH, 8)))


class Unprobed(FixedBatch):
    """Notices that it is not trained, and will have none of it."""

    def call(self, x: Any) -> Any:
        if in_stateless_scope():
            raise Trouble(REASON)
        return self.classes(self.hidden(x))


@pytest.mark.parametrize("model", [pytest.param(FixedBatch, marks=every_backend), Unprobed])
@pytest.mark.parametrize("eagerly", [False, True])
def test_model_that_cannot_be_read_trains_as_if_there_were_no_monitor(
    model: Callable[[], Any], eagerly: bool, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"optimizer": "sgd", "metrics": None, "run_eagerly": eagerly}
    training = Training(model, (6,), whole_batches, settings)
    made = Making(False, every=1, examples=5)

    watched = outcome(training, made)

    assert different(alone(training), watched) == []
    assert made.monitor.frames == 0
    assert len(complaints(caplog)) == 1


def whole_batches(training: Training) -> dict[str, Any]:
    some = slice(0, 4 * twins.BATCH)
    return {"x": training.x[some], "y": training.y[some], "batch_size": twins.BATCH}
