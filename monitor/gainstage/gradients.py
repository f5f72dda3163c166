"""The probe's gradient: what the loss of the sampled examples says to each layer's weights.

It is not the gradient that the optimizer gets, but one of a few examples of the same batch, taken
beside the training: its noise is that of a batch of that size. Nothing is updated by it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from gainstage.isolation import Isolated
from gainstage.layers import Leaf
from gainstage.peek import Current

# Keras declares what its operations return too narrowly and too widely at once.
ops: Any = keras.ops


class Gradients:
    """Takes the gradient of `model`'s loss on a few examples.

    Args:
        model: The user's model, compiled and built.
        leaves: The layers to report on.
    """

    def __init__(self, model: Any, leaves: Sequence[Leaf]) -> None:
        self._model = model
        self._variables = list(model.trainable_variables)
        self._pass = Isolated(model, self._mean_squares, differentiable=True)
        self._gradient = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[
            keras.backend.backend()
        ]
        places = {id(variable): place for place, variable in enumerate(self._variables)}
        self._weights = {
            id(leaf.layer): [places[id(w)] for w in leaf.layer.trainable_weights if id(w) in places]
            for leaf in leaves
        }
        self._sizes = np.array([math.prod(v.shape) for v in self._variables], np.float64)

    @property
    def traces(self) -> int:
        """How often it was compiled; 0 where the model runs eagerly."""
        return self._pass.traces

    def __call__(self, batch: tuple[Any, ...], current: Current) -> dict[int, float]:
        """Layer, by its `id` -> rms of the gradient over its trainable weights.

        `batch` is inputs, targets and the examples' weights. Layers without weights are left out.
        """
        squares = np.asarray(ops.convert_to_numpy(self._pass(current, *batch)), np.float64)
        sums = squares * self._sizes
        return {
            layer: math.sqrt(sums[weights].sum() / self._sizes[weights].sum())
            for layer, weights in self._weights.items()
            if weights
        }

    def _mean_squares(self, x: Any, y: Any, weights: Any) -> Any:
        """[variables]: mean square of the gradient; runs in Python while it is traced."""
        model = self._model
        scale = 1.0
        if model.optimizer is not None:  # which scales losses that float16 could not hold
            scale = ops.cast(model.optimizer.scale_loss(ops.ones(())), "float32")
        # A scope hides the one around it, so the inner one holds all that the pass needs.
        everything = [(variable, variable.value) for variable in model.variables]

        def loss(values: list[Any]) -> Any:
            mapping = [*everything, *zip(self._variables, values, strict=True)]
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
                outputs = model(x, training=True) if _knows_training(model) else model(x)
                found = model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weights)
                return ops.cast(found, "float32") * scale

        gradients = self._gradient(loss, [variable.value for variable in self._variables])
        return ops.stack(
            [
                ops.zeros(()) if one is None else ops.mean(ops.square(_float(one) / scale))
                for one in gradients
            ]
        )


def _knows_training(model: Any) -> bool:
    return bool(getattr(model, "_call_has_training_arg", True))


def _float(gradient: Any) -> Any:
    return ops.cast(ops.convert_to_tensor(gradient), "float32")


Loss = Callable[[list[Any]], Any]


def _tensorflow(loss: Loss, values: list[Any]) -> list[Any]:
    import tensorflow as tf

    tensors = [tf.convert_to_tensor(value) for value in values]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tensors)
        found = loss(tensors)
    return tape.gradient(found, tensors)


def _jax(loss: Loss, values: list[Any]) -> list[Any]:
    import jax

    return jax.grad(loss)(values)


def _torch(loss: Loss, values: list[Any]) -> list[Any]:
    import torch

    tensors = [value.detach().requires_grad_() for value in values]
    return list(torch.autograd.grad(loss(tensors), tensors, allow_unused=True))
