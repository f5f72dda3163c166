"""The models that are trained: at 64 examples a step takes 20 ms or more on two CPU cores.

Those of `FOR_GPU` take about as long on a GPU.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np

layers = keras.layers

BATCH = 64
CLASSES = 10
# Keras 3 walks a model by recursion: a chain of 1,000 layers exceeds Python's limit.
BRANCHES = 20
# Whose steps take seconds on CPU cores: measured only where they are asked for.
FOR_GPU = ("resnet", "encoder")


@dataclass(frozen=True)
class Workload:
    """A model, and the inputs that it takes.

    Attributes:
        shape: Of one example.
        body: From the input to the tensor that enters the classifying layer.
        optimizer: Its name.
        batch: Examples in a step.
    """

    name: str
    shape: tuple[int, ...]
    body: Callable[[Any], Any]
    optimizer: str = "adam"
    batch: int = BATCH

    def build(self) -> Any:
        """The compiled model, with the same weights at each call."""
        keras.utils.set_random_seed(0)
        inputs = layers.Input(self.shape)
        outputs = layers.Dense(CLASSES, activation="softmax")(self.body(inputs))
        model = keras.Model(inputs, outputs)
        model.compile(self.optimizer, "sparse_categorical_crossentropy")
        return model

    def data(self, steps: int) -> tuple[Any, Any]:
        """Inputs and labels of `steps` batches, the same at each call."""
        rng = np.random.default_rng(0)
        x = rng.normal(size=(steps * self.batch, *self.shape)).astype(np.float32)
        return x, rng.integers(0, CLASSES, steps * self.batch)


def endless(x: Any, y: Any, batch: int) -> Any:
    """Batches of `x` and `y` over and over, as `fit` takes them.

    An iterator that ends with the epoch would be made anew for each block, and to end an iterator
    of TensorFlow's takes seconds where the machine is busy.
    """
    if keras.backend.backend() != "tensorflow":
        return _endless(x, y, batch)
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).repeat().prefetch(2)


def _endless(x: Any, y: Any, batch: int) -> Generator[tuple[Any, Any]]:
    while True:
        for start in range(0, len(x), batch):
            yield x[start : start + batch], y[start : start + batch]


def mlp(x: Any, *, width: int, depth: int) -> Any:
    """Dense layers with ReLU."""
    for _ in range(depth):
        x = layers.Dense(width, activation="relu")(x)
    return x


def cnn(x: Any) -> Any:
    """Two blocks of convolution, BatchNormalization and pooling; Dropout."""
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(layers.BatchNormalization()(x))
    return layers.Dropout(0.5)(layers.Flatten()(x))


def lstm(x: Any) -> Any:
    """Two recurrent layers."""
    return layers.LSTM(128)(layers.LSTM(128, return_sequences=True)(x))


def transformer(x: Any, *, blocks: int = 2, heads: int = 4) -> Any:
    """Pre-norm blocks, pooled over the sequence."""
    width = x.shape[-1]
    for _ in range(blocks):
        normed = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(normed, normed)])
        hidden = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(hidden)])
    return layers.GlobalAveragePooling1D()(x)


def encoder(x: Any) -> Any:
    """Six blocks of the width 512."""
    return transformer(layers.Dense(512)(x), blocks=6, heads=8)


def resnet(x: Any) -> Any:
    """The blocks of ResNet-18, whose first stage keeps the images' size."""
    x = _normed(x, 64, 1)
    for filters in (64, 128, 256, 512):
        for strides in (1 if filters == 64 else 2, 1):
            y = _normed(layers.ReLU()(x), filters, strides)
            y = _normed(layers.ReLU()(y), filters, 1)
            if x.shape[-1] != filters:
                x = layers.Conv2D(filters, 1, strides)(x)
            x = layers.Add()([x, y])
    return layers.GlobalAveragePooling2D()(layers.ReLU()(x))


def _normed(x: Any, filters: int, strides: int) -> Any:
    x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
    return layers.BatchNormalization()(x)


def deep(x: Any, *, count: int) -> Any:
    """`count` narrow layers, in branches."""
    branches = min(BRANCHES, count)
    ends: list[Any] = []
    for branch in range(branches):
        end = x
        for _ in range(count // branches + (branch < count % branches)):
            end = layers.Dense(16, activation="tanh")(end)
        ends.append(end)
    return layers.Average()(ends) if branches > 1 else ends[0]


def workloads(count: int, batch: int = BATCH) -> dict[str, Workload]:
    """By name; the last of them has `count` layers."""
    every = (
        Workload("mlp", (1024,), partial(mlp, width=1024, depth=4)),
        Workload("cnn", (32, 32, 3), cnn),
        Workload("lstm", (40, 64), lstm),
        Workload("transformer", (32, 64), transformer),
        Workload("resnet", (64, 64, 3), resnet),
        Workload("encoder", (256, 64), encoder),
        # Adam's variables would make TensorFlow trace for minutes.
        Workload("deep", (16,), partial(deep, count=count), "sgd"),
    )
    return {workload.name: replace(workload, batch=batch) for workload in every}
