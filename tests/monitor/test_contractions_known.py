"""Which layers the table of contractions knows, and which it must not trust."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest

from gainstage.contractions import (
    TABLE,
    contraction_of,
)

from .contracting import known, numbers

layers = keras.layers


class Renamed(layers.Dense):
    """Keras's own sum under another name."""


class Doubled(layers.Dense):
    """A sum of its own."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        return 2 * super().call(inputs)


class FromDoubled(Doubled):
    """What another class of the user's own decided."""


class Halved(layers.Conv2D):
    """Keras's call, which hands the sum to a method that is not Keras's."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, kernel / 2)


class Tripling:
    def call(self, inputs: Any) -> Any:
        return 3 * inputs


class Tripled(Tripling, layers.Dense):
    """A sum that comes from beside."""


class Product(layers.Dense):
    """Keras's sum with a kernel that is no single variable."""

    @property
    def kernel(self) -> Any:
        return 2 * self._kernel


class Dense(layers.Layer):
    """A layer of the user's own with the name of one of Keras's."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], 2))

    def call(self, inputs: Any) -> Any:
        return keras.ops.sin(keras.ops.matmul(inputs, self.kernel))


@pytest.mark.parametrize(
    "layer",
    [Doubled(2), FromDoubled(2), Halved(2, 3), Tripled(2), Dense()],
    ids=lambda layer: type(layer).__name__,
)
def test_layer_that_decides_how_it_sums_is_not_trusted(layer: Any) -> None:
    assert contraction_of(layer) is None


def test_subclass_that_leaves_the_sum_to_keras_is_known() -> None:
    product = Product(2, kernel_initializer="ones")
    product.build((None, 5))

    assert contraction_of(Renamed(2)) is TABLE["Dense"]
    assert contraction_of(product) is TABLE["Dense"]
    assert numbers(known(product).kernels(product)[0]).tolist() == [[2, 2]] * 5
    assert numbers(product(np.ones((1, 5)))).tolist() == [[10, 10]]


def test_dense_with_low_rank_adaptation_is_not_known() -> None:
    layer = layers.Dense(8)
    layer.build((None, 8))
    assert contraction_of(layer) is TABLE["Dense"]

    layer.enable_lora(2)

    assert contraction_of(layer) is None


def test_quantized_dense_is_not_known() -> None:
    layer = layers.Dense(8, dtype="int8_from_float32")
    layer.build((None, 8))

    assert contraction_of(layer) is None


# Layers of Keras that make weights and are not in the table, and why. A layer that a later version
# of Keras brings must find its place in one of the two.
APART = {
    "AdditiveAttention": "its weights scale scores inside",
    "Attention": "its weight scales scores inside",
    "Bidirectional": "runs recurrent layers",
    "ConvLSTM1D": "recurrent",
    "ConvLSTM2D": "recurrent",
    "ConvLSTM3D": "recurrent",
    "Embedding": "looks rows up; ids are not a signal",
    "FlaxLayer": "runs what Keras cannot see",
    "GRU": "recurrent",
    "GRUCell": "recurrent",
    "IntegerLookup": "looks words up",
    "JaxLayer": "runs what Keras cannot see",
    "LSTM": "recurrent",
    "LSTMCell": "recurrent",
    "Normalization": "its weights are measured, not trained",
    "PReLU": "its weights are the slope of an activation",
    "RNN": "recurrent",
    "ReversibleEmbedding": "looks rows up; the way back is not followed",
    "STFTSpectrogram": "its kernel is a fixed transform",
    "SimpleRNN": "recurrent",
    "SimpleRNNCell": "recurrent",
    "SpectralNormalization": "changes the kernel of the layer that it wraps",
    "StringLookup": "looks words up",
    "TFSMLayer": "runs what Keras cannot see",
    "TorchModuleWrapper": "runs what Keras cannot see",
}
MAKES_WEIGHTS = re.compile(r"\badd_weight\(|\badd_variable\(|\bVariable\(")


def weighted(namespace: Mapping[str, Any]) -> set[str]:
    """Names of the layers that make weights of their own, by the source of their class."""
    found: set[str] = set()
    for kind in namespace.values():
        if not inspect.isclass(kind) or not issubclass(kind, layers.Layer) or kind is layers.Layer:
            continue
        own = kind.__mro__[: kind.__mro__.index(layers.Layer)]
        if any(MAKES_WEIGHTS.search(inspect.getsource(base)) for base in own):
            found.add(kind.__name__)
    return found


def test_every_layer_of_keras_with_weights_is_in_the_table_or_apart_for_a_reason() -> None:
    assert weighted(vars(layers)) - set(TABLE) - set(APART) == set()


def test_layer_that_is_unknown_to_the_table_is_noticed() -> None:
    class Bilinear(layers.Layer):
        def build(self, _shape: Any) -> None:
            self.kernel = self.add_weight(shape=(3, 3))

    class Derived(Bilinear):
        pass

    class Plain(layers.Layer):
        pass

    here = {"a": Bilinear, "b": Derived, "c": Plain, "d": layers.Conv1D, "e": layers.Layer}

    assert weighted(here) - set(TABLE) - set(APART) == {"Bilinear", "Derived"}


def test_table_and_exceptions_are_layers_of_keras_and_apart() -> None:
    assert set(TABLE) & set(APART) == set()
    assert {name for name in TABLE if not hasattr(layers, name)} == set()
    assert set(TABLE) <= weighted(vars(layers))
