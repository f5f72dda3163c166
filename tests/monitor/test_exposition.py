"""Metrics from the training process itself: `LayerMonitor(prometheus_port=...)`."""

import socket
import threading
import urllib.request
from typing import Any

import keras
import pytest

from gainstage import LayerMonitor

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
