"""Several devices, and several processes that train one model: same bits, one run."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gainstage.client import Client

from .serving import serving

ROOT = Path(__file__).parents[2]
# Every call but the first and the half batch that ends an epoch; of two validations of one batch,
# the second.
FRAMES = 9 + 1
PATIENCE = 200.0


def python(*arguments: str, backend: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": backend, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(processes: Sequence["subprocess.Popen[str]"]) -> list[tuple[str, str]]:
    """What each has printed and logged; where one waits for ever, all are killed."""
    try:
        return [process.communicate(timeout=PATIENCE) for process in processes]
    finally:
        for process in processes:
            process.kill()


TWO_DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.experimental.enable_op_determinism()
import keras, numpy
from gainstage import LayerMonitor
from tests.monitor import trainings, twins
made = []
def monitor():
    made.append(LayerMonitor(False, every=1))
    return made[0]
def validated(training):
    part = slice(twins.BATCH)
    validation = training.x[part], training.y[part]
    return {"x": training.x, "y": training.y, "batch_size": 8, "validation_data": validation}
def plain():
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((6,)), dense(4, "tanh"), dense(3, "softmax")])
{spread}
    def model(self):
        with spread():
            return super().model()
training = Spread({model}, (6,), validated)
some, others = twins.outcome(training), twins.outcome(training, monitor)
table = made[0].frame()
finite = bool(numpy.isfinite(table.values[table.exists]).all())
gradients = made[0]._sampler._gradients is not None
frames, rows = made[0].frames, len(table.layers)
print(twins.different(some, others), devices(), frames, rows, finite, gradients)
"""

STRATEGY = """
strategy = tf.distribute.{}
spread = strategy.scope
def devices():
    return strategy.num_replicas_in_sync
class Spread(twins.Training):"""

DISTRIBUTION = """
import contextlib
@contextlib.contextmanager
def spread():  # which a clean session forgets
    mesh = keras.distribution.DeviceMesh({}, ["batch", "model"])
    layouts = keras.distribution.LayoutMap(mesh)
    layouts["dense(_1)?/kernel"] = (None, "model")
    keras.distribution.set_distribution(keras.distribution.{})
    yield
def devices():
    return len(made[0].model.trainable_variables[0].value.sharding.device_set)
class Spread(twins.Training):"""


@pytest.mark.parametrize(
    ("backend", "spread", "model", "rows", "devices"),
    [
        (
            "tensorflow",
            STRATEGY.format('MirroredStrategy(["CPU:0", "CPU:1"])'),
            "trainings.mlp",
            5,
            2,
        ),
        ("tensorflow", STRATEGY.format('OneDeviceStrategy("CPU:1")'), "trainings.mlp", 5, 1),
        # Under which Keras itself runs no Dropout.
        (
            "tensorflow",
            STRATEGY.format('experimental.CentralStorageStrategy(["CPU:0", "CPU:1"])'),
            "plain",
            2,
            2,
        ),
        ("jax", DISTRIBUTION.format((2, 1), "DataParallel()"), "trainings.mlp", 5, 2),
        (
            "jax",
            DISTRIBUTION.format((1, 2), "ModelParallel(layout_map=layouts)"),
            "trainings.mlp",
            5,
            2,
        ),
    ],
    ids=["mirrored", "one device", "central storage", "data parallel", "model parallel"],
)
def test_every_bit_is_the_same_on_two_devices(
    backend: str, spread: str, model: str, rows: int, devices: int
) -> None:
    code = TWO_DEVICES.replace("{spread}", spread).replace("{model}", model)
    flags = "--xla_force_host_platform_device_count=2"

    ((said, logged),) = ended(
        [python("-c", code, backend=backend, XLA_FLAGS=flags if backend == "jax" else "")]
    )

    assert said.splitlines()[-1:] == [f"[] {devices} {FRAMES} {rows} True True"], logged


@pytest.fixture
def ports() -> list[str]:
    """Two that were free just now."""
    with socket.socket() as one, socket.socket() as other:
        for unused in (one, other):
            unused.bind(("127.0.0.1", 0))
        return [str(unused.getsockname()[1]) for unused in (one, other)]


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_workers_write_to_one_run_and_the_chief_speaks_for_it(
    backend: str, ports: list[str], tmp_path: Path
) -> None:
    with serving(tmp_path / "server") as url:
        workers = [
            python(
                "-m",
                "tests.monitor.worker",
                *(str(number), *ports, url, str(tmp_path / "spool")),
                backend=backend,
            )
            for number in range(2)
        ]
        (chief, chief_logged), (other, other_logged) = ended(workers)
        server = Client(url, None)
        run = server.run("together")

    assert [worker.returncode for worker in workers] == [0, 0], chief_logged + other_logged
    assert "different: []" in chief
    assert "different: []" in other
    sampled = [int(re.search(r"sampled: (\d+) 5 \[", said)[1]) for said in (chief, other)]
    assert sampled[0] > sampled[1] > 0
    attempts = sorted((one["worker"], one["frames"], one["status"]) for one in run["attempts"])
    assert attempts == [(0, sampled[0], "completed"), (1, sampled[1], "completed")]
    assert (run["status"], run["frames"]) == ("ended", sum(sampled))
    # Of a model that torch has wrapped, as its own loops do.
    assert ("wrapped: 1" in chief) == ("wrapped: 1" in other) == (backend == "torch")
    assert "layers are judged" in chief
    assert "layers are judged" not in other
    # Nothing waits, and what cannot be read without the other process is refused.
    assert list((tmp_path / "spool").iterdir()) == []
    split = (
        "gainstage: This training is not watched, and goes on. Expected every weight to lie whole"
    )
    for logged in (chief_logged, other_logged):
        assert logged.count("gainstage: ") == logged.count(split) == (backend == "jax")
