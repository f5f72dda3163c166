"""Trainings of many kinds, each small, for `twins.outcome`."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf  # for its pipelines, which all backends take

from .twins import BATCH, EXAMPLES, STEPS, Training

layers = keras.layers


def mlp() -> Any:
    inputs = keras.Input((6,))
    x = layers.Dense(16, activation="tanh", kernel_regularizer="l2")(inputs)
    x = layers.Dropout(0.3)(x)
    # Wide enough that its kernel is not read whole.
    x = layers.Dense(300, activity_regularizer="l2")(x)
    x = layers.Activation("sigmoid")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def small() -> Any:
    return keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(8, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )


def cnn() -> Any:
    return keras.Sequential(
        [
            layers.Input((8, 8, 2)),
            layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.SpatialDropout2D(0.2),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(momentum=0.5),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )


def lstm() -> Any:
    return keras.Sequential(
        [
            layers.Input((5, 4)),
            layers.LSTM(6, return_sequences=True, dropout=0.2),
            layers.LSTM(5, recurrent_dropout=0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )


class OwnStep(keras.Model):
    """A model with a `train_step` of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(8, activation="tanh")
        self.noise = layers.GaussianNoise(0.1)
        self.classes = layers.Dense(3, activation="softmax")

    def call(self, x: Any, training: bool = False) -> Any:
        return self.classes(self.noise(self.hidden(x), training=training))

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = 2 * self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"doubled": loss}


def two_ways() -> Any:
    """Two inputs by name, a layer that is used twice, a model inside the model."""
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    shared = layers.Dense(7, activation="relu", name="shared")
    inner = keras.Sequential([layers.Input((14,)), layers.Dense(5), layers.BatchNormalization()])
    x = inner(layers.Concatenate()([shared(left), shared(right)]))
    return keras.Model({"left": left, "right": right}, layers.Dense(3, activation="softmax")(x))


def half() -> Any:
    return keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(8, activation="sigmoid", dtype="mixed_bfloat16"),
            layers.BatchNormalization(dtype="mixed_bfloat16"),
            layers.Dense(3, activation="softmax", dtype="float32"),
        ]
    )


def by_pipeline(training: Training) -> Mapping[str, Any]:
    """A tf.data pipeline that shuffles and draws random numbers."""
    examples = tf.data.Dataset.from_tensor_slices((training.x, training.y))
    noisy = examples.shuffle(EXAMPLES).map(lambda x, y: (x + tf.random.normal(x.shape), y))
    return {"x": noisy.batch(BATCH).prefetch(2)}


def by_generator(training: Training) -> Mapping[str, Any]:
    """A Python generator without a known length, read for a few steps of each epoch."""

    def batches() -> Iterator[tuple[Any, Any]]:
        while True:
            for start in range(0, EXAMPLES, BATCH):
                yield training.x[start : start + BATCH], training.y[start : start + BATCH]

    return {"x": batches(), "steps_per_epoch": STEPS}


def by_name(training: Training) -> Mapping[str, Any]:
    """A dictionary of inputs, weighted examples, and a part held out."""
    return {
        "x": {"left": training.x, "right": training.x[::-1].copy()},
        "y": training.y,
        "sample_weight": np.linspace(0.5, 1.5, EXAMPLES),
        "batch_size": BATCH,
    }


def in_whole_batches(training: Training) -> Mapping[str, Any]:
    count = EXAMPLES // BATCH * BATCH
    return {"x": training.x[:count], "y": training.y[:count], "batch_size": BATCH}


def with_validation(training: Training) -> Mapping[str, Any]:
    """Another part is looked at after each epoch."""
    return {
        "x": training.x,
        "y": training.y,
        "batch_size": BATCH,
        "validation_data": (training.x[:9], training.y[:9]),
    }


# TensorFlow traces a step twice that makes variables, as those of Adam and of a metric are.
QUICK = {"optimizer": "sgd", "metrics": None}
# For tests of many cases: something of all that has a state, and fast to trace.
SMALL = Training(small, (6,), settings=QUICK)
MLP = Training(mlp, (6,))
CNN = Training(cnn, (8, 8, 2))
# TensorFlow compiles by XLA only where it does not promise deterministic operations, and anew for
# each size of batches.
BY_XLA = Training(mlp, (6,), in_whole_batches, settings={"jit_compile": True})
TRAININGS = {
    "mlp": MLP,
    "cnn": CNN,
    "lstm": Training(lstm, (5, 4), settings=QUICK),
    "four steps at a time": Training(cnn, (8, 8, 2), settings={"steps_per_execution": 4}),
    "eagerly": Training(mlp, (6,), settings={"run_eagerly": True}),
    "own train step": Training(OwnStep, (6,), settings={"metrics": None}),
    "pipeline": Training(mlp, (6,), by_pipeline, QUICK),
    "generator": Training(mlp, (6,), by_generator, QUICK),
    "two inputs": Training(two_ways, (6,), by_name, QUICK),
    "validation": Training(mlp, (6,), with_validation),
    "bfloat16": Training(half, (6,), settings=QUICK),
}
