"""A model of hundreds of layers: one trace, a row for each layer, no operation of all tensors."""

from typing import Any

import keras
import numpy as np
import pytest
from benchmarks.overhead.workloads import workloads

from gainstage import LayerMonitor
from gainstage.drawing import MOST_JOINED, Parts

from .models import array
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


def test_no_operation_joins_more_tensors_than_tensorflow_bears() -> None:
    parts, vectors = (
        Parts(),
        [np.full(2, place, np.float32) for place in range(2 * MOST_JOINED + 1)],
    )
    for vector in vectors:
        parts.whole(keras.ops.convert_to_tensor(vector))

    values, counts = parts.packed()

    assert [len(value) for value in values] == [2 * MOST_JOINED, 2 * MOST_JOINED, 2]
    read = parts.unpacked(list(map(array, values)), list(map(array, counts)))
    assert np.array_equal(read, vectors)
