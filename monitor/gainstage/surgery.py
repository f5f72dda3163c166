"""Applying a finding's patch: a changed copy of the model, with the weights kept."""

import ast
from collections.abc import Sequence
from typing import Any

import keras

from gainstage.copies import copied, is_graph, rebuilt
from gainstage.diagnosis.source import UNKNOWN
from gainstage.finding import Finding
from gainstage.layers import runs_a_loop

INITIALIZER = "_initializer"


def apply(finding: Finding, model: Any) -> Any:
    """A copy of `model` in which the layers of `finding.code` stand in place of `finding.layer`.

    The copy has the weights of `model`, but for those that the patch begins anew: weights whose
    initializer it changes are drawn again. Where the patch is more than one layer, they come as a
    `keras.Sequential` of the layer's name. What `model` was compiled with, the copy is too, unless
    its class has a `compile` of its own; its optimizer starts without a memory.

    The patch is Python, and is executed: apply only findings of your own monitor.

    Args:
        finding: With a patch; `finding.code` is not empty.
        model: The model that was monitored: Sequential or Functional, and built.

    Raises:
        ValueError: There is no patch, the layer is not found, or the model cannot be rebuilt from
            its layers: it is neither, or its class has a `train_step` or the like and a constructor
            that takes something else than layers.
    """
    layer = layer_at(model, finding.layer)
    return replaced(model, finding.layer, patch_of(finding, layer))


def patch_of(finding: Finding, layer: Any) -> list[Any]:
    """The layers that the patch of `finding` makes; it is executed.

    Arguments of `layer` that are classes or functions of the user's own, which a patch cannot
    name, are given to the layer of the patch as they are.

    Raises:
        ValueError: There is no patch, or the layer is of a class of the user's own.
    """
    if not finding.code:
        raise ValueError(
            f"The finding about {finding.layer} ({finding.verdict}) has no patch: no change of the "
            f"layer alone helps. What to do: {finding.remedy}"
        )
    scope: dict[str, Any] = {"keras": keras, UNKNOWN: lambda *_, **__: None}
    exec(finding.code, scope)  # noqa: S102 - what the user has asked for
    replacement: list[Any] = scope["replacement"]
    if None in replacement:
        raise ValueError(
            f"Expected a patch of layers of Keras's alone. Received one with {UNKNOWN} in the "
            f"place of {finding.layer}, whose class is your own: change that by hand."
        )
    for name in _unnamed(finding.code):
        setattr(like(layer, replacement), name, getattr(layer, name))
    return replacement


def _unnamed(code: str) -> set[str]:
    """The arguments that `code` gives something which it cannot name."""
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    given = (keyword for call in calls for keyword in call.keywords)
    return {
        keyword.arg
        for keyword in given
        if keyword.arg
        and isinstance(keyword.value, ast.Call)
        and isinstance(keyword.value.func, ast.Name)
        and keyword.value.func.id == UNKNOWN
    }


def layer_at(model: Any, path: str) -> Any:
    """The layer of `model` at `path`, or else the only one of that name.

    A model that was loaded or rebuilt calls its layers by other paths. The path of a gate is that
    of the layer which has it.

    Raises:
        ValueError: There is none, or there are several.
    """
    layers = [
        one
        for one in model._flatten_layers(include_self=False)
        if not isinstance(one, keras.layers.InputLayer)
    ]
    name = path.rpartition("/")[2]
    found = (
        [one for one in layers if one.path == path]
        or [one for one in layers if one.name == name]
        or [one for one in layers if runs_a_loop(one) and path.startswith(f"{one.path}/")]
    )
    if len(found) != 1:
        paths = ", ".join(one.path for one in layers)
        raise ValueError(
            f"Expected the path of a layer of the model. Received: {path!r}, of which there are "
            f"{len(found)}. Known: {paths}."
        )
    return found[0]


def replaced(model: Any, path: str, replacement: Sequence[Any]) -> Any:
    """A copy of `model` with layers of your own in place of the one at `path`; as `apply`.

    Args:
        model: Sequential or Functional, and built.
        path: Keras's path of the layer.
        replacement: Layers that follow one another, one of them of the same kind, which gets the
            layer's weights.

    Raises:
        ValueError: The layer is not found, or the model cannot be rebuilt from its layers.
    """
    target = layer_at(model, path)
    if not is_graph(model):
        raise ValueError(
            "Layers are replaced in Sequential and Functional models, which are rebuilt from their "
            f"layers. Received: {type(model).__name__}. Put the layers in the place of {path} by "
            "hand."
        )
    copies: dict[int, Any] = {}  # what several models share, their copies share too
    clones: list[tuple[Any, Any]] = []

    def clone(layer: Any) -> Any:
        if id(layer) not in copies:
            copies[id(layer)] = rebuilt(layer, clone) if is_graph(layer) else single(layer)
        return copies[id(layer)]

    def single(layer: Any) -> Any:
        if layer is target:
            clones.append((layer, like(layer, replacement)))
            if len(replacement) == 1:
                return replacement[0]
            return keras.Sequential(list(replacement), name=layer.name)
        copy = copied(layer)
        if isinstance(layer, keras.Layer):  # and not an operation, such as an addition
            clones.append((layer, copy))
        return copy

    changed: Any = rebuilt(model, clone)
    if not any(layer is target for layer, _ in clones):
        paths = ", ".join(layer.path for layer, _ in clones)
        raise ValueError(
            f"Expected a layer that is no part of another one, such as Bidirectional. Received: "
            f"{path}. Those that can be replaced: {paths}."
        )
    if not changed.built:
        changed.build(model.input_shape)
    for layer, copy in clones:
        _keep_weights(layer, copy)
    return changed


def like(layer: Any, replacement: Sequence[Any]) -> Any:
    """The layer of the patch that does what `layer` did."""
    found = next((one for one in replacement if type(one) is type(layer)), None)
    if found is None:
        kinds = ", ".join(type(one).__name__ for one in replacement)
        raise ValueError(
            f"Expected a {type(layer).__name__} among the layers in the place of {layer.path}. "
            f"Received: {kinds}."
        )
    return found


def _keep_weights(layer: Any, copy: Any) -> None:
    before, after = layer.get_config(), copy.get_config()
    for weight, fresh in zip(layer.weights, copy.weights, strict=True):
        # That of a "recurrent_kernel" is the "recurrent_initializer"; of a "depthwise_kernel", too.
        setting = f"{weight.name.removesuffix('_kernel')}{INITIALIZER}"
        if before.get(setting) == after.get(setting):
            fresh.assign(weight)
    for one in copy._flatten_layers():
        if isinstance(one, keras.layers.Normalization):  # which computes with copies of its weights
            one.finalize_state()
