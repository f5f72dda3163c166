"""Kinds of models: each small, with every state and shape that its kind can have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

layers = keras.layers
ops = keras.ops
CLASSES = 3


@dataclass(frozen=True)
class Kind:
    """A model and its inputs.

    Attributes:
        name: What users call it.
        build: Makes the model, given the class of a functional one.
        shape: Of one example; a whole number: that many words of a sentence.
        rows: Kinds of layers that must be among the rows.
        two: Whether the inputs are a dictionary of two arrays.
    """

    name: str
    build: Callable[[type], Any]
    shape: tuple[int, ...]
    rows: frozenset[str]
    words: bool = False
    two: bool = False

    def inputs(self, examples: int) -> Any:
        """`examples` inputs, drawn."""
        rng = np.random.default_rng(1)
        if self.words:
            found: Any = rng.integers(1, 20, (examples, *self.shape))
            found[:, self.shape[0] // 2 :] *= rng.integers(0, 2, (examples, 1))  # padding
            return found
        x = rng.normal(size=(examples, *self.shape)).astype(np.float32)
        return {"left": x, "right": x[::-1].copy()} if self.two else x


def _functional(*inner: Any, shape: tuple[int, ...], words: bool = False) -> Callable[[type], Any]:
    """A chain of what `inner` makes, ending in classes."""

    def build(model: type) -> Any:
        inputs = keras.Input(shape, dtype="int32" if words else None)
        x = inputs
        for make in inner:
            x = make()(x)
        outputs = layers.Dense(CLASSES, activation="softmax", dtype="float32")(x)
        return model(inputs, outputs)

    return build


def _two_inputs(model: type) -> Any:
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    shared = layers.Dense(7, activation="relu", name="shared")
    inner = keras.Sequential([layers.Input((14,)), layers.Dense(5), layers.BatchNormalization()])
    x = inner(layers.Concatenate()([shared(left), shared(right)]))
    outputs = layers.Dense(CLASSES, activation="softmax", dtype="float32")(x)
    return model({"left": left, "right": right}, outputs)


def _transformer(model: type) -> Any:
    inputs = keras.Input((6, 8))
    x = layers.LayerNormalization()(inputs)
    x = layers.Add()([inputs, layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x)])
    y = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dropout(0.1)(layers.Dense(8)(y))])
    x = layers.GlobalAveragePooling1D()(x)
    return model(inputs, layers.Dense(CLASSES, activation="softmax", dtype="float32")(x))


class Noisy(layers.Layer):
    """A layer of the user's own: weights, a random state, an activation inside its `call`."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.seed = keras.random.SeedGenerator(7)

    def build(self, shape: tuple[int, ...]) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.units))
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x: Any, training: bool = False) -> Any:
        z = ops.matmul(x, ops.cast(self.kernel, x.dtype))
        if training:
            self.seen.assign_add(1.0)
            z = z + keras.random.normal(ops.shape(z), stddev=0.1, dtype=z.dtype, seed=self.seed)
        return keras.activations.sigmoid(z)


def _subclassed(model: type) -> Any:
    class Net(model):
        """Layers made in `__init__` and in `build`, a list of layers, a loop over it."""

        def __init__(self) -> None:
            super().__init__()
            self.blocks = [layers.Dense(6, activation="tanh") for _ in range(2)]
            self.drop = layers.Dropout(0.3)

        def build(self, shape: tuple[int, ...]) -> None:
            self.norm = layers.BatchNormalization()
            self.classes = layers.Dense(CLASSES, activation="softmax", dtype="float32")
            for block in self.blocks:
                block.build(shape)
            self.norm.build(shape)
            self.classes.build(shape)
            self.built = True

        def call(self, x: Any, training: bool = False) -> Any:
            for block in self.blocks:
                x = self.drop(block(x), training=training)
            return self.classes(self.norm(x, training=training))

    return Net()


def _outputs(model: type) -> Any:
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="elu")(inputs)
    classes = layers.Dense(CLASSES, activation="softmax", name="classes", dtype="float32")(x)
    return model(inputs, [classes, layers.Dense(1, name="size", dtype="float32")(x)])


KINDS = (
    Kind(
        "dense, dropout, batch normalisation",
        _functional(
            lambda: layers.Dense(12, activation="tanh", kernel_regularizer="l2"),
            lambda: layers.Dropout(0.3),
            lambda: layers.Dense(8, activity_regularizer="l2"),
            layers.BatchNormalization,
            lambda: layers.Activation("sigmoid"),
            shape=(6,),
        ),
        (6,),
        frozenset({"Dense", "Dropout", "BatchNormalization", "Activation"}),
    ),
    Kind(
        "convolutions in two dimensions",
        _functional(
            lambda: layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.BatchNormalization,
            layers.MaxPooling2D,
            lambda: layers.SpatialDropout2D(0.2),
            lambda: layers.Conv2DTranspose(4, 3, strides=2),
            layers.ReLU,
            layers.GlobalAveragePooling2D,
            shape=(6, 6, 2),
        ),
        (6, 6, 2),
        frozenset({"Conv2D", "Conv2DTranspose", "MaxPooling2D", "ReLU"}),
    ),
    Kind(
        "convolutions in one dimension",
        _functional(
            lambda: layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="tanh"),
            lambda: layers.Conv1D(4, 3, groups=2),
            lambda: layers.SeparableConv1D(4, 3, padding="same", activation="relu"),
            lambda: layers.DepthwiseConv1D(3, depth_multiplier=2),
            lambda: layers.AveragePooling1D(2),
            layers.Flatten,
            shape=(12, 2),
        ),
        (12, 2),
        frozenset({"Conv1D", "SeparableConv1D", "DepthwiseConv1D", "Flatten"}),
    ),
    Kind(
        "convolutions in three dimensions",
        _functional(
            lambda: layers.Conv3D(3, 2, activation="softplus"),
            layers.GlobalMaxPooling3D,
            shape=(4, 4, 4, 1),
        ),
        (4, 4, 4, 1),
        frozenset({"Conv3D"}),
    ),
    Kind(
        "recurrent",
        _functional(
            lambda: layers.LSTM(4, return_sequences=True, dropout=0.2, recurrent_dropout=0.1),
            lambda: layers.Bidirectional(layers.GRU(3, return_sequences=True)),
            lambda: layers.SimpleRNN(3),
            shape=(5, 4),
        ),
        (5, 4),
        frozenset({"LSTM", "GRU", "SimpleRNN"}),
    ),
    Kind(
        "embedding with a mask",
        _functional(
            lambda: layers.Embedding(20, 5, mask_zero=True),
            lambda: layers.TimeDistributed(layers.Dense(4, activation="tanh")),
            lambda: layers.LSTM(4),
            shape=(6,),
            words=True,
        ),
        (6,),
        frozenset({"Embedding", "TimeDistributed", "Dense", "LSTM"}),
        words=True,
    ),
    Kind(
        "transformer",
        _transformer,
        (6, 8),
        frozenset({"LayerNormalization", "EinsumDense", "MultiHeadAttention", "Dense"}),
    ),
    Kind(
        "two inputs by name, a shared layer, a model inside",
        _two_inputs,
        (6,),
        frozenset({"Dense", "Concatenate", "BatchNormalization"}),
        two=True,
    ),
    Kind("two outputs", _outputs, (6,), frozenset({"Dense"})),
    Kind("subclassed", _subclassed, (6,), frozenset({"Dense", "Dropout", "BatchNormalization"})),
    Kind(
        "a layer of the user's own",
        _functional(
            lambda: Noisy(6),
            lambda: layers.EinsumDense("ab,bc->ac", output_shape=4, bias_axes="c"),
            lambda: layers.GaussianNoise(0.1),
            shape=(6,),
        ),
        (6,),
        frozenset({"Noisy", "EinsumDense", "GaussianNoise"}),
    ),
    Kind(
        "normalisations",
        _functional(
            layers.LayerNormalization,
            lambda: layers.Dense(8),
            lambda: layers.GroupNormalization(2),
            layers.UnitNormalization,
            lambda: layers.SpectralNormalization(layers.Dense(4, activation="hard_sigmoid")),
            shape=(6,),
        ),
        (6,),
        frozenset({"LayerNormalization", "GroupNormalization", "UnitNormalization", "Dense"}),
    ),
)
