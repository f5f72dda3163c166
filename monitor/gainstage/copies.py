"""Copies of layers and models: of the same class, and with what they have been adapted to.

The weights of a copy are its own, as its initializers draw them.
"""

import inspect
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import keras

# Models that are rebuilt from their layers, by the names of their classes.
GRAPHS = {"Sequential", "Functional"}
# Methods by which a model does something else than its layers and its loss say.
OWN = ("call", "train_step", "test_step", "compute_loss", "compute_metrics")
# What the constructor of such a model can be given when it is rebuilt.
GIVEN = {"self", "layers", "inputs", "outputs", "trainable", "name"}


def is_graph(layer: Any) -> bool:
    """Whether it is a model that can be rebuilt from its layers."""
    return any(kind.__name__ in GRAPHS for kind in type(layer).__mro__)


def copied(layer: Any) -> Any:
    """Another layer like it; a vocabulary that it was adapted to is the copy's too.

    Raises:
        ValueError: It holds layers with a vocabulary that its constructor does not make.
    """
    copy: Any = type(layer).from_config(layer.get_config())
    learned, fresh = _learned(layer), _learned(copy)
    if len(learned) != len(fresh):
        raise ValueError(
            f"Expected a copy of {layer.name} to hold as many layers with a vocabulary, or other "
            f"assets, as it does: {len(learned)}. Received one with {len(fresh)}: make these "
            "layers in its constructor, and put them into its `get_config`."
        )
    for before, after in zip(learned, fresh, strict=True):
        if not before.weights:  # the frequencies of tokens are no weights, but saved as such
            store: dict[str, Any] = {}
            before.save_own_variables(store)
            after.load_own_variables(store)
        with TemporaryDirectory() as folder:
            before.save_assets(folder)
            after.load_assets(folder)
    return copy


def _learned(layer: Any) -> list[Any]:
    """The layer and those inside it that keep something beside their weights and arguments."""
    # An operation between layers, such as an addition, holds none.
    inner = layer._flatten_layers() if hasattr(layer, "_flatten_layers") else ()
    return [one for one in inner if hasattr(one, "save_assets")]


def rebuilt(model: Any, clone: Callable[[Any], Any]) -> Any:
    """`model`, Sequential or Functional, of the layers that `clone` makes of its own.

    It is of the same class where that has a `train_step` or the like of its own, and compiled as
    `model` is, unless its class has a `compile` of its own and no `compile_from_config`.

    Raises:
        ValueError: The class has such methods, and cannot be made of layers alone.
    """
    kind = type(model)
    base = next(one for one in kind.__mro__ if one.__module__.startswith("keras."))
    own = [name for name in OWN if getattr(kind, name) is not getattr(base, name)]
    copy: Any = keras.models.clone_model(model, clone_function=clone)
    if not own:
        return copy
    foreign = _arguments(kind) - GIVEN
    if type(copy) is not kind and not foreign and issubclass(kind, keras.Sequential):
        copy = kind(copy._layers, trainable=model.trainable, name=model.name)
        if model.compiled:
            copy.compile_from_config(model.get_compile_config())
    if type(copy) is not kind or foreign:
        raise ValueError(
            f"Expected a class whose constructor takes what that of {base.__name__} does, since a "
            f"copy is made of the model's layers. Received: {kind.__name__}, which takes "
            f"{', '.join(sorted(foreign)) or 'nothing'}: the copy would not have its own "
            f"{', '.join(own)}. Let it take no more than `*args, **kwargs`, or change the model by "
            "hand."
        )
    return copy


def _arguments(kind: Any) -> set[str]:
    """The arguments that its constructor names."""
    given = inspect.signature(kind.__init__).parameters.values()
    several = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return {one.name for one in given if one.kind not in several}
