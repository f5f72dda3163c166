"""The probe's gradient: what the loss of the sampled examples says to each layer's weights.

It is not the gradient that the optimizer gets, but one of a few examples of the same batch, taken
beside the training: its noise is that of a batch of that size. Nothing is updated by it. The part
that penalties have in it is told apart: they ask the same whatever the examples are.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from gainstage.isolation import Isolated
from gainstage.layers import Leaf
from gainstage.peek import Current

# Keras declares what its operations return too narrowly and too widely at once.
ops: Any = keras.ops


class Slopes(NamedTuple):
    """Rms of what is asked of a layer's trainable weights: by the loss, and by each part of it."""

    loss: float
    data: float
    penalties: float


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

    def __call__(self, batch: tuple[Any, ...], current: Current) -> dict[int, Slopes]:
        """Layer, by its `id` -> rms of the gradient over its trainable weights.

        `batch` is inputs, targets and the examples' weights. Layers without weights are left out.
        """
        squares = np.asarray(ops.convert_to_numpy(self._pass(current, *batch)), np.float64)
        sums = squares * self._sizes
        return {
            layer: Slopes(*np.sqrt(sums[:, weights].sum(axis=1) / self._sizes[weights].sum()))
            for layer, weights in self._weights.items()
            if weights
        }

    def _mean_squares(self, x: Any, y: Any, weights: Any) -> Any:
        """[`Slopes`, variables]: mean squares; runs in Python while it is traced."""
        model = self._model
        scale = 1.0
        if model.optimizer is not None:  # which scales losses that float16 could not hold
            scale = ops.cast(model.optimizer.scale_loss(ops.ones(())), "float32")
        # A scope hides the one around it, so the inner one holds all that the pass needs.
        everything = [(variable, variable.value) for variable in model.variables]

        def losses(values: list[Any]) -> list[Any]:
            mapping = [*everything, *zip(self._variables, values, strict=True)]
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
                outputs = model(x, training=True) if _knows_training(model) else model(x)
                found = model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weights)
                penalties = [ops.sum(ops.cast(one, "float32")) for one in model.losses]
                parts = [ops.cast(found, "float32"), *([sum(penalties)] if penalties else [])]
                return [part * scale for part in parts]

        values = [variable.value for variable in self._variables]
        slopes = [
            [0.0 if one is None else _float(one) / scale for one in slope]
            for slope in self._gradient(losses, values)
        ]
        of_loss, of_penalties = slopes[0], slopes[1] if len(slopes) > 1 else [0.0] * len(values)
        of_data = [whole - part for whole, part in zip(of_loss, of_penalties, strict=True)]
        return ops.stack(
            [
                ops.stack([ops.mean(ops.square(one)) for one in slope])
                for slope in (of_loss, of_data, of_penalties)
            ]
        )


def _knows_training(model: Any) -> bool:
    return bool(getattr(model, "_call_has_training_arg", True))


def _float(gradient: Any) -> Any:
    return ops.cast(ops.convert_to_tensor(gradient), "float32")


# The losses at values of the variables; each backend's function returns the gradient of each.
Losses = Callable[[list[Any]], list[Any]]


def _tensorflow(losses: Losses, values: list[Any]) -> list[list[Any]]:
    import tensorflow as tf

    tensors = [tf.convert_to_tensor(value) for value in values]
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(tensors)
        found = losses(tensors)
    return [tape.gradient(loss, tensors) for loss in found]


def _jax(losses: Losses, values: list[Any]) -> list[list[Any]]:
    import jax

    found, pull = jax.vjp(losses, values)
    one, none = jax.numpy.ones(()), jax.numpy.zeros(())
    chosen = [[one if there is loss else none for there in found] for loss in found]
    return [pull(choice)[0] for choice in chosen]


def _torch(losses: Losses, values: list[Any]) -> list[list[Any]]:
    import torch

    tensors = [value.detach().requires_grad_() for value in values]
    slopes: list[list[Any]] = []
    for left, loss in reversed(list(enumerate(losses(tensors)))):
        slope: list[Any] = [None] * len(tensors)
        if loss.requires_grad:
            # The whole loss comes last and lets go of what the pass has kept; until Python collects
            # garbage, Keras's own calls hold on to their outputs and with them to all of it.
            slope = list(
                torch.autograd.grad(loss, tensors, allow_unused=True, retain_graph=left > 0)
            )
        slopes.append(slope)
    return slopes[::-1]
