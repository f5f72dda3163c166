"""Trainings on two devices of one process, each with a monitor and without; prints what came of it.

Usage: python -m tests.monitor.devices, with $KERAS_BACKEND, tensorflow or jax, as the trainings are
to run. JAX has two devices by XLA_FLAGS=--xla_force_host_platform_device_count=2.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tests.monitor import trainings, twins

layers = keras.layers
# What a model is built under; a clean session forgets it.
Spread = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, eq=False)
class Training(twins.Training):
    """Of a model that is spread over the devices."""

    spread: Spread = nullcontext

    def model(self) -> Any:
        with self.spread():
            return super().model()


def validated(training: twins.Training) -> Mapping[str, Any]:
    """With a validation of one batch."""
    part = slice(twins.BATCH)
    validation = training.x[part], training.y[part]
    return {
        "x": training.x,
        "y": training.y,
        "batch_size": twins.BATCH,
        "validation_data": validation,
    }


def plain() -> Any:
    dense = layers.Dense
    return keras.Sequential([keras.Input((6,)), dense(4, "tanh"), dense(3, "softmax")])


def found(spread: Spread, build: Callable[[], Any], devices: Callable[[Any], int]) -> Any:
    """What differs, the devices, the frames, the rows, and whether all that is read is finite and
    gradients are.
    """
    training = Training(build, (6,), validated, spread=spread)
    made = twins.Making(False, every=1)
    different = twins.different(twins.outcome(training), twins.outcome(training, made))
    table = made.monitor.frame()
    return [
        different,
        devices(made.monitor.model),
        made.monitor.frames,
        len(table.layers),
        bool(np.isfinite(table.values[table.exists]).all()),
        made.monitor._sampler._gradients is not None,
    ]


def tensorflow() -> dict[str, Any]:
    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    tf.config.experimental.enable_op_determinism()
    names = ["CPU:0", "CPU:1"]
    strategies = {
        "mirrored": (tf.distribute.MirroredStrategy(names), trainings.mlp),
        "one device": (tf.distribute.OneDeviceStrategy(names[1]), trainings.mlp),
        # Under which Keras itself runs no Dropout.
        "central storage": (tf.distribute.experimental.CentralStorageStrategy(names), plain),
    }
    return {
        name: found(strategy.scope, build, lambda _, it=strategy: it.num_replicas_in_sync)
        for name, (strategy, build) in strategies.items()
    }


def jax() -> dict[str, Any]:
    distribution = keras.distribution

    def distributed(shape: tuple[int, int], spread: Callable[[Any], Any]) -> Spread:
        def begin() -> AbstractContextManager[Any]:
            mesh = distribution.DeviceMesh(shape, ["batch", "model"])
            layouts = distribution.LayoutMap(mesh)
            layouts["dense(_1)?/kernel"] = (None, "model")
            distribution.set_distribution(spread(layouts))
            return nullcontext()

        return begin

    spreads = {
        "data parallel": distributed((2, 1), lambda _: distribution.DataParallel()),
        "model parallel": distributed(
            (1, 2), lambda layouts: distribution.ModelParallel(layout_map=layouts)
        ),
    }
    return {
        name: found(
            spread,
            trainings.mlp,
            lambda model: len(model.trainable_variables[0].value.sharding.device_set),
        )
        for name, spread in spreads.items()
    }


if __name__ == "__main__":
    print(json.dumps({"tensorflow": tensorflow, "jax": jax}[twins.BACKEND]()))
