"""Running a function of a model's tensors beside the training, without side effects.

Inside `keras.StatelessScope` what a pass assigns (moving averages, seeds) is recorded and thrown
away. Around it stands what each backend needs: TensorFlow and JAX compile, JAX is handed the
variables' values, which it takes out of the model while it trains, and torch draws random numbers
from a generator that the scope does not know.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import keras

from gainstage.peek import Current, here

# Keras has no public name for where it keeps the numbers of its automatic names.
_STATE = import_module("keras.src.backend.common.global_state")


class Isolated:
    """`function(*tensors)` with the variables of `model` as they are, and nothing left behind.

    `eager` says whether it is compiled, `traces` how often it was.

    Args:
        model: The user's model, built.
        function: Takes and returns structures of tensors; runs in Python once for each new
            structure of shapes, or each time where the model runs eagerly.
        differentiable: Whether torch is to record what `function` does, for a gradient.
    """

    def __init__(
        self, model: Any, function: Callable[..., Any], *, differentiable: bool = False
    ) -> None:
        self._model = model
        self._function = function
        self._differentiable = differentiable
        self.eager = keras.backend.backend() == "torch" or bool(model.run_eagerly)
        self.traces = 0
        self._variables: list[Any] = []
        self._compiled: Callable[..., Any] | None = None
        self._run = {"tensorflow": self._tensorflow, "jax": self._jax, "torch": self._torch}[
            keras.backend.backend()
        ]

    def __call__(self, current: Current, *tensors: Any) -> Any:
        """The function's result; `current` as in `peek.Seen`."""
        given: Any = keras.tree.map_structure(_tensor, tensors)
        return self._run(current, given)

    def _tensorflow(self, _current: Current, tensors: tuple[Any, ...]) -> Any:
        import tensorflow as tf

        if self.eager:
            return self._scoped((), (), tensors)
        compiled = self._compiled or tf.function(
            lambda *given: self._scoped((), (), given), autograph=False, reduce_retracing=True
        )
        self._compiled = compiled
        return compiled(*tensors)

    def _jax(self, current: Current, tensors: tuple[Any, ...]) -> Any:
        import jax

        pairs = current or [(variable, variable.value) for variable in self._model.variables]
        variables, values = [pair[0] for pair in pairs], [here(pair[1]) for pair in pairs]
        if self.eager:
            return self._scoped(variables, values, tensors)
        # The variables are constants of the compiled function, their values its arguments.
        if self._compiled is None or list(map(id, variables)) != list(map(id, self._variables)):
            self._variables = variables
            self._compiled = jax.jit(lambda now, given: self._scoped(variables, now, given))
        return self._compiled(values, tensors)

    def _torch(self, _current: Current, tensors: tuple[Any, ...]) -> Any:
        import torch

        devices = {variable.value.device for variable in self._model.variables}
        known = {device.type for device in devices} <= {"cpu", "cuda"}
        # Not of every GPU of the machine, which torch warns of.
        forked = [device for device in devices if device.type == "cuda"] if known else None
        with torch.random.fork_rng(forked), torch.set_grad_enabled(self._differentiable):
            return self._scoped((), (), tensors)

    def _scoped(self, variables: Any, values: Any, tensors: tuple[Any, ...]) -> Any:
        self.traces += not self.eager
        mapping = list(zip(variables, values, strict=True))
        with (
            keras.StatelessScope(state_mapping=mapping, collect_losses=True),
            _losses_kept(self._model),
            _names_kept(),
        ):
            return self._function(*tensors)


@contextmanager
def _names_kept() -> Generator[None]:
    # Operations are numbered as they are made, also those that a user's `call` makes anew in each
    # pass: the next model's would be called otherwise.
    numbers = _STATE.get_global_attribute("object_name_uids")
    before = dict(numbers or {})
    try:
        yield
    finally:
        numbers = _STATE.get_global_attribute("object_name_uids")
        if numbers is not None:
            numbers.clear()
            numbers.update(before)


@contextmanager
def _losses_kept(model: Any) -> Generator[None]:
    # A call clears the losses that the layers keep of the last one, which a training loop written
    # by hand has yet to add up, and notes its own by identity, beside the scope.
    noted = [
        (layer, list(layer._losses), set(layer._loss_ids)) for layer in model._flatten_layers()
    ]
    try:
        yield
    finally:
        for layer, losses, ids in noted:
            layer._losses[:] = losses
            layer._loss_ids.clear()
            layer._loss_ids.update(ids)


def _tensor(value: Any) -> Any:
    if value is None or keras.ops.is_tensor(value):
        return value
    return keras.ops.convert_to_tensor(value)
