"""Metrics from the training process itself: `LayerMonitor(prometheus_port=...)`."""

import gc
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from gainstage import LayerMonitor
from gainstage.exposition import Text, exposed, families
from gainstage.figures import FrameFigures, RunFigures, frame_figures
from gainstage.finding import Finding

from .test_callback import STEPS, build, fit, logged


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Scraping(keras.callbacks.Callback):
    """Reads the monitor's metrics after each step, as Prometheus would."""

    def __init__(self, monitor: LayerMonitor, port: int) -> None:
        super().__init__()
        self.monitor = monitor
        self.address = f"http://127.0.0.1:{port}/metrics"
        self.pages: list[str] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        assert self.monitor.frames == len(self.pages)  # waits for the last one
        with urllib.request.urlopen(self.address, timeout=10) as answer:
            self.pages.append(answer.read().decode())


def test_metrics_are_served_while_fit_runs_and_the_port_is_free_after_it() -> None:
    port = free_port()
    monitor = LayerMonitor(False, run="mine", every=1, prometheus_port=port)
    scraping = Scraping(monitor, port)
    threads = set(threading.enumerate())

    fit(monitor, build(loud=True), epochs=4, callbacks=[monitor, scraping])

    first, last = scraping.pages[0].splitlines(), scraping.pages[-1].splitlines()
    assert not [line for line in first if line.startswith("gainstage_")]  # nothing sampled yet
    assert f'gainstage_run_frames_total{{project="default",run="mine"}} {4 * STEPS - 1}.0' in last
    assert f'gainstage_run_step{{project="default",run="mine"}} {4 * STEPS - 1}.0' in last
    (finding,) = [line for line in last if line.startswith("gainstage_layer_finding{")]
    assert 'verdict="kernel"' in finding
    assert set(threading.enumerate()) <= threads
    with socket.create_server(("127.0.0.1", port)):
        pass  # free


def test_port_that_is_taken_stops_no_training_and_no_finding(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monitor = LayerMonitor(False, every=1, prometheus_port=taken.getsockname()[1])
        fit(monitor, build(loud=True), epochs=4)

    assert monitor.frames == 4 * STEPS - 1
    assert [found.verdict for found in monitor.findings()] == ["kernel"]
    (said,) = logged(caplog)
    assert "Address already in use" in said
    assert "Give LayerMonitor another `prometheus_port`" in said


def test_port_is_free_again_for_the_next_fit_after_one_that_was_broken_off() -> None:
    monitor, model = LayerMonitor(False, every=1, prometheus_port=free_port()), build()

    class Stopping(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(monitor, model, callbacks=[monitor, Stopping()])
    scraping = Scraping(monitor, monitor._options.prometheus_port)
    fit(monitor, model, callbacks=[monitor, scraping])

    assert "gainstage_run_frames_total{" in scraping.pages[-1]


class Run:
    def figures(self) -> None:
        return None


def test_port_is_free_once_nothing_refers_to_the_run() -> None:
    port, run = free_port(), Run()
    exposed(port, run)

    del run
    gc.collect()

    with socket.create_server(("127.0.0.1", port)):
        pass


FORKING = """
import os, socket, sys
from gainstage.exposition import Exposition
port = int(sys.argv[1])
exposition = Exposition(port, lambda: None)
ours, theirs = os.pipe()
if not (child := os.fork()):
    exposition.close()  # would wait for a thread that is not here
    os.write(theirs, b"closed")
    os.read(0, 1)  # lives on, as a worker that loads data does
    os._exit(0)
assert os.read(ours, 6) == b"closed"
exposition.close()
with socket.create_server(("127.0.0.1", port)):
    print("free")
"""


def test_process_that_was_forked_meanwhile_neither_hangs_nor_keeps_the_port() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FORKING, str(free_port())],
        input="\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.stdout, ran.returncode) == ("free\n", 0), ran.stderr


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.none() | st.floats()
findings = st.builds(
    Finding,
    id=names,
    row=names,
    layer=names,
    verdict=st.sampled_from(["dead", "kernel"]),
    severity=st.sampled_from(["info", "warning"]),
    since_step=st.just(0),
    last_step=st.just(1),
)
runs = st.builds(
    RunFigures,
    run=names,
    project=names,
    status=st.sampled_from(["live", "lost"]),
    step=st.none() | st.integers(0, 2**53),
    last_frame=numbers,
    frames=st.integers(0, 2**53),
    thinned=st.integers(0, 2**53),
    spooled=st.integers(0, 2**53),
    verdicts=st.lists(st.sampled_from(["", "healthy", "dead"])),
    of_frame=st.builds(
        FrameFigures,
        worst_saturation=numbers,
        mean_saturation=numbers,
        worst_excess=numbers,
        worst_nonfinite=numbers,
    ),
    costs=st.dictionaries(st.sampled_from(["share", "budget", "gap"]), st.floats()),
    findings=st.lists(findings, max_size=60),
)


# A quotation mark within the value stands behind a backslash, and so does a backslash.
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def by_label(page: str) -> list[object]:
    """The lines of a scrape, with labels in the order of their names."""
    read: list[object] = []
    for line in page.split("\n"):
        name, brace, rest = line.partition("{")
        labels, _, value = rest.rpartition("}")
        read.append((name, sorted(LABEL.findall(labels)) if brace else [], value))
    return read


@given(st.lists(runs, max_size=3, unique_by=lambda run: (run.run, run.project)))
def test_text_is_what_prometheus_client_writes(shown: list[RunFigures]) -> None:
    class Shown(Collector):
        def collect(self) -> Any:
            return families(shown)

    registry = CollectorRegistry()
    registry.register(Shown())

    assert by_label("".join(Text().parts(shown))) == by_label(generate_latest(registry).decode())
    assert by_label("".join([*Text().parts(shown, openmetrics=True), "# EOF\n"])) == by_label(
        generate_openmetrics(registry).decode()
    )


def test_figures_of_a_frame_are_those_of_its_worst_layers() -> None:
    nan = np.nan
    columns = {
        "saturation_rate": [0.5, nan, 0.25],
        "pre_db": [20.0, 40.0, 3.0],
        "nonfinite_rate": [0.0, 0.25, nan],
        "weight_nonfinite_rate": [0.5, nan, nan],
    }

    figures = frame_figures(lambda id: np.array(columns[id]), np.array([10.0, nan, 9.0]))

    assert figures == FrameFigures(
        worst_saturation=0.5, mean_saturation=0.375, worst_excess=10.0, worst_nonfinite=0.5
    )


def test_figures_of_a_frame_without_a_statistic_are_none() -> None:
    assert frame_figures(lambda _id: np.full(2, np.nan), np.full(2, np.nan)) == FrameFigures()


@given(st.lists(runs, min_size=2, max_size=4))
def test_text_of_a_later_scrape_is_what_a_first_one_would_be(states: list[RunFigures]) -> None:
    """One run whose figures, findings and verdicts change, some of them back again."""
    text = Text()
    for state in [*states, states[0], states[0]]:
        now = [replace(state, run="r", project="p")]

        assert "".join(text.parts(now)) == "".join(Text().parts(now))

    assert "".join(text.parts([])) == "".join(Text().parts([]))
    assert text._kept == {}


def test_text_of_findings_and_verdicts_is_written_once_while_they_are_the_same() -> None:
    class Read(list[Any]):
        times = 0

        def __iter__(self) -> Iterator[Any]:
            self.times += 1
            return super().__iter__()

    verdicts = Read(["healthy", "dead"])
    run = RunFigures(
        run="r", project="p", status="live", step=1, last_frame=0.0, frames=1, verdicts=verdicts
    )
    text = Text()

    pages = ["".join(text.parts([replace(run, step=step)])) for step in (1, 2)]

    assert verdicts.times == 1
    assert [
        'gainstage_run_layers{run="r",project="p",verdict="dead"} 1.0' in page for page in pages
    ] == [True, True]
    assert [
        f'gainstage_run_step{{run="r",project="p"}} {step}.0' in page
        for step, page in enumerate(pages, 1)
    ] == [True, True]


def test_part_of_a_text_takes_half_a_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which the lines of one metric of one run take a tenth of it."""
    clock = count()
    monkeypatch.setattr("gainstage.exposition.time.perf_counter", lambda: next(clock) * 5e-5)
    shown = [
        RunFigures(
            run=f"r{place}",
            project="p",
            status="live",
            step=1,
            last_frame=0.0,
            frames=1,
            verdicts=(),
        )
        for place in range(100)
    ]

    parts = list(Text().parts(shown))

    assert max(part.count("\n") for part in parts) < 50
    assert by_label("".join(parts)) == by_label("".join(Text().parts(shown)))
