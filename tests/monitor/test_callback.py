"""`LayerMonitor` as its user meets it: arguments, findings, samples, and what is said when."""

import copy
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from gainstage import Finding, LayerMonitor
from gainstage.places import DEFAULT_URL, serve_command, spools, sync_command
from gainstage.statistics import IDS

layers = keras.layers
EXAMPLES, BATCH, STEPS = 64, 8, 8
X = np.random.default_rng(0).normal(size=(EXAMPLES, 6)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, EXAMPLES)


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, no home folder of the user's."""
    for name in ("GAINSTAGE_URL", "GAINSTAGE_TOKEN", "GAINSTAGE_SPOOL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    keras.utils.set_random_seed(0)


def build(*, loud: bool = False, **settings: Any) -> Any:
    """Two layers; `loud`: the weights of the hidden one are far too large for its sigmoid."""
    spread = keras.initializers.RandomNormal(stddev=40.0) if loud else "glorot_uniform"
    model = keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(16, activation="sigmoid", kernel_initializer=spread, name="hidden"),
            layers.Dense(3, activation="softmax", name="classes"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", **settings)
    return model


def fit(monitor: LayerMonitor, model: Any = None, **options: Any) -> Any:
    model = build() if model is None else model
    usual = {"batch_size": BATCH, "verbose": 0, "callbacks": [monitor]}
    model.fit(X, Y, **(usual | options))
    return model


def name_of(finding: Finding) -> str:
    return finding.layer.rpartition("/")[2]


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "gainstage"]


def test_making_a_monitor_writes_nothing_and_starts_nothing(tmp_path: Path) -> None:
    threads = set(threading.enumerate())

    LayerMonitor(spool=tmp_path / "spool")

    assert list(tmp_path.iterdir()) == []
    assert set(threading.enumerate()) == threads


def test_monitor_that_has_not_begun_can_be_copied_as_tuners_do_for_each_trial() -> None:
    made = LayerMonitor(False, every=1)

    first, second = copy.deepcopy(made), copy.deepcopy(made)
    fit(first)
    fit(second)

    assert (made.frames, first.frames, second.frames) == (0, STEPS - 1, STEPS - 1)
    assert first.run != second.run


def test_without_a_server_one_line_says_how_to_look_and_one_how_to_send(
    closed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = LayerMonitor(closed, every=1, spool=tmp_path, run="mine")

    fit(monitor, epochs=3)

    start = f"To look at them: gainstage serve --port {closed.rpartition(':')[2]}"
    assert sorted(re.sub(r"[0-9.]+ MB", "? MB", text) for text in logged(caplog)) == [
        f"gainstage: {3 * STEPS - 1 + 3} messages of run mine wait in {tmp_path} (? MB). "
        f"To send them later: gainstage sync --url {closed} {tmp_path}",
        f"gainstage: No server at {closed}: statistics wait in {tmp_path}. {start}",
    ]


def test_commands_that_are_proposed_name_only_what_is_not_the_default() -> None:
    assert serve_command("http://localhost:8420/") == "gainstage serve"
    assert serve_command("http://127.0.0.1:9000") == "gainstage serve --port 9000"
    assert serve_command("http://127.0.0.1") == "gainstage serve --port 80"
    assert serve_command("https://gpu-box.example") is None
    assert sync_command(DEFAULT_URL, spools()) == "gainstage sync"
    assert sync_command("https://gpu-box.example", Path("/my runs")) == (
        "gainstage sync --url https://gpu-box.example '/my runs'"
    )


def test_without_a_server_wanted_nothing_is_written_logged_or_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = LayerMonitor(False, every=1, spool=tmp_path / "spool")

    fit(monitor)

    assert monitor.frames == STEPS - 1
    assert list(tmp_path.iterdir()) == []
    assert logged(caplog) == []


def test_spool_lies_where_the_environment_says(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAINSTAGE_URL", closed)
    monkeypatch.setenv("GAINSTAGE_SPOOL", str(tmp_path / "elsewhere"))

    fit(LayerMonitor(every=4, run="mine"))

    (spool,) = (tmp_path / "elsewhere").iterdir()
    assert re.fullmatch(r"mine\.0\.[0-9a-f]{16}\.spool", spool.name)
    assert not (tmp_path / "home").exists()


def test_finding_is_handed_over_as_it_opens_in_the_training_thread() -> None:
    heard: list[tuple[Finding, str]] = []
    monitor = LayerMonitor(
        False,
        every=1,
        on_finding=lambda found: heard.append((found, threading.current_thread().name)),
    )

    fit(monitor, build(loud=True), epochs=4)

    assert [(name_of(found), found.verdict, thread) for found, thread in heard] == [
        ("hidden", "kernel", "MainThread")
    ]
    assert heard[0][0].open
    assert monitor.findings() == [heard[0][0]]


def test_warning_names_its_sender_where_no_logging_is_set_up() -> None:
    code = (
        "import numpy, keras\n"
        "from gainstage import LayerMonitor\n"
        "model = keras.Sequential([keras.layers.Dense(1)])\n"
        "model.compile('sgd', 'mse')\n"
        "x = numpy.ones((32, 2))\n"
        "model.fit(x, x, batch_size=8, verbose=0, callbacks=[LayerMonitor(False, include=[])])\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )

    (line,) = (line for line in ran.stderr.splitlines() if "is not watched" in line)
    assert line.startswith("gainstage: This training is not watched, and goes on.")


def test_healthy_layer_is_no_finding(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Finding] = []
    monitor = LayerMonitor(False, every=1, on_finding=heard.append)

    fit(monitor, epochs=4)

    assert heard == monitor.findings() == []
    assert "nothing to report" in " ".join(capsys.readouterr().out.split())


def test_end_of_fit_prints_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    fit(LayerMonitor(False, every=1), build(loud=True), epochs=4)

    printed = capsys.readouterr().out
    assert "1 of 2 layers are judged, 1 for range, up to step 31" in " ".join(printed.split())
    assert "kernel" in printed
    assert "hidden" in printed


def test_fit_that_is_broken_off_prints_nothing_and_keeps_its_findings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 3:
                raise KeyboardInterrupt

    monitor = LayerMonitor(False, every=1)

    with pytest.raises(KeyboardInterrupt):
        fit(monitor, build(loud=True), epochs=9, callbacks=[monitor, Interrupt()])

    assert [found.verdict for found in monitor.findings()] == ["kernel"]
    assert "layers are judged" not in capsys.readouterr().out


def test_findings_of_the_last_run_are_gone_in_the_next() -> None:
    monitor = LayerMonitor(False, every=1)
    fit(monitor, build(loud=True), epochs=4)
    before = [found.verdict for found in monitor.findings()]

    fit(monitor, epochs=4)

    assert before == ["kernel"]
    assert monitor.findings() == []


@pytest.mark.parametrize(
    ("options", "watched"),
    [
        ({}, ["hidden", "classes"]),
        ({"include": ["*hidden"]}, ["hidden"]),
        ({"exclude": ["*hidden"]}, ["classes"]),
        ({"include": ["*hidden", "*classes"], "exclude": ["*c*"]}, ["hidden"]),
        ({"include": ["*Hidden"]}, None),
    ],
    ids=str,
)
def test_layers_are_watched_by_their_paths(
    options: dict[str, Any], watched: list[str] | None
) -> None:
    monitor = LayerMonitor(False, every=1, **options)

    fit(monitor)

    table = monitor.frame()
    names = None if table is None else [path.rpartition("/")[2] for path in table.layers]
    assert names == watched


def test_frame_holds_the_newest_statistics() -> None:
    monitor = LayerMonitor(False, every=3)

    model = fit(monitor)

    table = monitor.frame()
    assert table is not None
    # Calls 2, 5 and 8, each before its step: the last one is after 7 steps.
    assert (monitor.frames, table.step) == (3, 7)
    assert table.values.shape == (2, len(IDS))
    hidden = table.layers[0]
    assert hidden.endswith("hidden")
    assert table[hidden, "pre_rms"] == pytest.approx(pre_rms(model), rel=0.3)
    assert table[table.layers[1], "bias_rms"] is not None


def pre_rms(model: Any) -> float:
    layer = model.get_layer("hidden")
    z = X @ layer.kernel.numpy() + layer.bias.numpy()
    return float(np.sqrt(np.mean(z**2)))


def test_sample_is_of_the_weights_and_examples_of_its_step() -> None:
    model, monitor = build(), LayerMonitor(False, every=1, examples=BATCH)
    kernels: list[float] = []

    class Noting(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            kernels.append(float(np.sqrt(np.mean(model.layers[0].kernel.numpy() ** 2))))

    seen: list[Any] = []

    class Reading(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(monitor.frame())

    fit(monitor, model, callbacks=[monitor, Noting(), Reading()], shuffle=False)

    assert seen[0] is None  # the first call is never looked at
    hidden = seen[1].layers[0]
    read = [table[hidden, "kernel_rms"] for table in seen[1:]]
    assert read == pytest.approx(kernels[1:], rel=1e-5)
    inputs = [table[hidden, "input_rms"] for table in seen[1:]]
    batches = X.reshape(STEPS, BATCH, 6)[1:]
    assert inputs == pytest.approx([float(np.sqrt(np.mean(b**2))) for b in batches], rel=1e-5)
    assert [table.step for table in seen[1:]] == list(range(1, STEPS))


def test_several_steps_at_a_time_are_sampled_once_a_call() -> None:
    monitor = LayerMonitor(False, every=1)

    fit(monitor, build(steps_per_execution=4), epochs=2)

    assert monitor.frames == 3
    table = monitor.frame()
    assert table is not None
    assert table.step == 12


def test_each_validation_is_sampled_once_and_does_not_replace_the_newest_sample() -> None:
    monitor = LayerMonitor(False, every=1)

    fit(monitor, validation_data=(X, Y), validation_freq=1, epochs=2)

    assert monitor.frames == 2 * STEPS - 1 + 2
    assert monitor.frame().step == 2 * STEPS - 1


def test_evaluation_and_prediction_open_no_run() -> None:
    monitor, model = LayerMonitor(False, every=1), build()

    model.evaluate(X, Y, verbose=0, callbacks=[monitor])
    model.predict(X, verbose=0, callbacks=[monitor])

    assert monitor.run is None
    assert monitor.frames == 0


def test_after_fit_nothing_is_sampled(tmp_path: Path, closed: str) -> None:
    monitor = LayerMonitor(closed, every=1, spool=tmp_path)
    model = fit(monitor)
    frames, threads = monitor.frames, set(threading.enumerate())

    model.evaluate(X, Y, batch_size=BATCH, verbose=0, callbacks=[monitor])

    assert monitor.frames == frames
    assert set(threading.enumerate()) <= threads
    with pytest.raises(RuntimeError, match="call `set_model` and `on_train_begin` first"):
        monitor.sample(X)


def test_batch_that_is_smaller_than_others_is_sampled_if_it_holds_as_many_as_are_read() -> None:
    few, as_many = (
        LayerMonitor(False, every=1, examples=BATCH),
        LayerMonitor(False, every=1, examples=BATCH // 2),
    )

    for monitor in (few, as_many):
        model = build()
        model.fit(X[:-4], Y[:-4], batch_size=BATCH, verbose=0, callbacks=[monitor])

    assert (few.frames, as_many.frames) == (STEPS - 2, STEPS - 1)


def test_run_has_the_name_it_was_given_or_one_made_from_the_time() -> None:
    named, unnamed = LayerMonitor(False, run="mine"), LayerMonitor(False)

    fit(named)
    fit(unnamed)

    assert named.run == "mine"
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", unnamed.run or "")


@pytest.mark.parametrize("given_the_model", [True, False])
def test_sample_outside_a_run_is_an_error_that_says_what_to_do(given_the_model: bool) -> None:
    monitor = LayerMonitor(False)
    if given_the_model:
        monitor.set_model(build())

    with pytest.raises(RuntimeError, match="call `set_model` and `on_train_begin` first"):
        monitor.sample(X)


def test_sample_that_fails_stops_no_loop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("gainstage.recorder.Recorder.record", full)
    monitor = LayerMonitor(False)
    monitor.set_model(build())
    monitor.on_train_begin()

    monitor.sample(X)
    monitor.sample(X)

    assert [text.partition(". ")[2] for text in logged(caplog)] == ["OSError: disk full"]
