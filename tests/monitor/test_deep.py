"""A model of hundreds of layers: one trace, a row for each layer, nothing that grows with samples."""

from typing import Any

import numpy as np
import pytest
from benchmarks.overhead.workloads import workloads

from gainstage import LayerMonitor

from .twins import BACKEND, complaints

LAYERS, SAMPLES = 300, 3
# torch's pass is not compiled.
TRACES = 0 if BACKEND == "torch" else 1


@pytest.mark.every_backend
def test_model_of_hundreds_of_layers_is_traced_once_and_read_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    workload = workloads(LAYERS)["deep"]
    monitor: Any = LayerMonitor(False)
    monitor.set_model(workload.build())
    monitor.on_train_begin()

    for _ in range(SAMPLES):
        monitor.sample(workload.data(1)[0])

    probe, table = monitor._sampler._probe, monitor.frame()
    assert (monitor.frames, probe._pass.traces, len(probe._traces)) == (SAMPLES, TRACES, 1)
    assert sum("dense" in path for path in table.layers) == LAYERS + 1  # with the classes'
    pre = np.array([table[path, "pre_rms"] for path in table.layers if "dense" in path])
    assert np.isfinite(pre).all()
    assert complaints(caplog) == []
