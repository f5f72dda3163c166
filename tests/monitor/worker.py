"""One of two processes that train a model together, each with a monitor; prints what came of it.

Usage: python -m tests.monitor.worker NUMBER PORT OTHER_PORT URL SPOOL, with $KERAS_BACKEND as the
training is to run.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from tests.monitor import trainings, twins

from gainstage import LayerMonitor

NUMBER, PORTS, URL, SPOOL = int(sys.argv[1]), sys.argv[2:4], sys.argv[4], sys.argv[5]
BACKEND = os.environ["KERAS_BACKEND"]
EVERY = 1 + NUMBER  # not in step with each other: a sample that waits for the other never ends
STEPS = 5

if BACKEND == "tensorflow":
    os.environ["TF_CONFIG"] = json.dumps(
        {
            "cluster": {"worker": [f"127.0.0.1:{port}" for port in PORTS]},
            "task": {"type": "worker", "index": NUMBER},
        }
    )
    STRATEGY = tf.distribute.MultiWorkerMirroredStrategy()  # before anything is computed
elif BACKEND == "torch":
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{PORTS[0]}", rank=NUMBER, world_size=2
    )

else:
    keras.distribution.initialize(f"127.0.0.1:{PORTS[0]}", 2, NUMBER)


def by_pipeline(training: twins.Training) -> Mapping[str, Any]:
    whole = slice(STEPS * twins.BATCH)
    examples = tf.data.Dataset.from_tensor_slices((training.x[whole], training.y[whole]))
    return {"x": examples.batch(twins.BATCH)}


class Parallel(twins.Training):
    """JAX: each of the two has a share of every batch, or of the first kernel."""

    split = False

    def model(self) -> Any:
        mesh = keras.distribution.DeviceMesh((1, 2), ["batch", "model"])
        layouts = keras.distribution.LayoutMap(mesh)
        layouts["dense/kernel"] = (None, "model")
        spread = (
            keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")
            if self.split
            else keras.distribution.DataParallel()
        )
        keras.distribution.set_distribution(spread)
        return super().model()


class Split(Parallel):
    split = True


def monitor(run: str) -> LayerMonitor:
    return LayerMonitor(URL, run=run, every=EVERY, spool=SPOOL, examples=3)


def by_fit(training: twins.Training) -> Any:
    """The monitor of a `fit` which is compared with one that has none."""
    made: list[Any] = []

    def making() -> Any:
        made.append(monitor("together"))
        return made[0]

    print("different:", twins.different(twins.outcome(training), twins.outcome(training, making)))
    return made[0]


def by_hand(watching: LayerMonitor | None) -> twins.Outcome:
    """What a loop leaves behind: Keras's `fit` does not run under MultiWorkerMirroredStrategy."""
    training = twins.Training(trainings.mlp, (6,), by_pipeline)
    twins.fresh()
    with STRATEGY.scope():
        model = training.model()
        model.optimizer.build(model.trainable_variables)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        def replica(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = model.compute_loss(x, y, model(x, training=True)) / 2
            gradients = tape.gradient(loss, model.trainable_variables)
            model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return loss

        return STRATEGY.reduce("SUM", STRATEGY.run(replica, (x, y)), axis=None)

    if watching is not None:
        watching.set_model(model)
        watching.on_train_begin()
    data = STRATEGY.experimental_distribute_dataset(by_pipeline(training)["x"])
    for place, (x, y) in enumerate(data):
        step(x, y)
        if watching is not None and place % EVERY == 0:
            watching.sample(STRATEGY.experimental_local_results(x)[0])
    if watching is not None:
        watching.on_train_end()
    return twins.traces(model)


logging.basicConfig(format="%(message)s")
if BACKEND == "jax":
    watched: Any = by_fit(Parallel(trainings.mlp, (6,), by_pipeline))
    split = Split(trainings.mlp, (6,), by_pipeline)
    twins.fresh()
    split.model().fit(**by_pipeline(split), verbose=0, callbacks=[monitor("split")])
elif BACKEND == "torch":
    training = twins.Training(trainings.mlp, (6,), by_pipeline)
    watched = by_fit(training)
    wrapping = monitor("wrapped")
    wrapping.set_model(DistributedDataParallel(training.model()))
    wrapping.on_train_begin()
    wrapping.sample(training.x)
    wrapping.on_train_end()
    print("wrapped:", wrapping.frames)
else:
    watched = monitor("together")
    print("different:", twins.different(by_hand(None), by_hand(watched)))
print("sampled:", watched.frames, len(watched.frame().layers), watched.findings())
