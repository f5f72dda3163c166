"""Applying a finding's patch: a changed copy of the model, with the weights kept."""

from collections.abc import Sequence
from typing import Any

import keras

from gainstage.diagnosis.source import UNKNOWN
from gainstage.finding import Finding

INITIALIZER = "_initializer"


def apply(finding: Finding, model: Any) -> Any:
    """A copy of `model` in which the layers of `finding.code` stand in place of `finding.layer`.

    The copy has the weights of `model`, but for those that the patch begins anew: weights whose
    initializer it changes are drawn again. Where the patch is more than one layer, they come as a
    `keras.Sequential` of the layer's name. What `model` was compiled with, the copy is too; its
    optimizer starts without a memory.

    The patch is Python, and is executed: apply only findings of your own monitor.

    Args:
        finding: With a patch; `finding.code` is not empty.
        model: The model that was monitored: Sequential or Functional, and built.

    Raises:
        ValueError: There is no patch, the layer is not found, or the model cannot be rebuilt from
            its layers.
    """
    if not finding.code:
        raise ValueError(
            f"The finding about {finding.layer} ({finding.verdict}) has no patch: no change of the "
            f"layer alone helps. What to do: {finding.remedy}"
        )
    scope: dict[str, Any] = {"keras": keras}
    try:
        exec(finding.code, scope)  # noqa: S102 - what the user has asked for
    except NameError as error:
        raise ValueError(
            f"Expected a patch of classes of Keras's alone. Received one with {UNKNOWN} in the "
            f"place of a class of your own, which {finding.layer} was given: put it back by hand."
        ) from error
    replacement: list[Any] = scope["replacement"]
    clones: list[tuple[Any, Any]] = []

    def clone(layer: Any) -> Any:
        if _is_meant(layer, finding.layer, replacement):
            clones.append((layer, _like(layer, replacement)))
            if len(replacement) == 1:
                return replacement[0]
            return keras.Sequential(replacement, name=layer.name)
        copy = type(layer).from_config(layer.get_config())
        clones.append((layer, copy))
        return copy

    try:
        changed: Any = keras.models.clone_model(model, clone_function=clone, recursive=True)
    except ValueError as error:
        raise ValueError(
            "A patch is applied to Sequential and Functional models, which are rebuilt from their "
            f"layers. Received: {type(model).__name__}. Put what `finding.code` assigns in the "
            f"place of {finding.layer} by hand."
        ) from error
    if not any(_is_meant(layer, finding.layer, replacement) for layer, _ in clones):
        paths = ", ".join(layer.path for layer, _ in clones)
        raise ValueError(
            f"Expected a model with the layer {finding.layer!r}, which is no part of another layer "
            f"such as Bidirectional. Received one with: {paths}."
        )
    if not changed.built:
        changed.build(model.input_shape)
    for layer, copy in clones:
        _keep_weights(layer, copy)
    return changed


def _is_meant(layer: Any, path: str, replacement: Sequence[Any]) -> bool:
    """Whether `layer` is the one at `path`, or the one that the part at `path` is a gate of."""
    inside = path.startswith(f"{layer.path}/")
    return layer.path == path or (inside and type(layer) in map(type, replacement))


def _like(layer: Any, replacement: Sequence[Any]) -> Any:
    """The layer of the patch that does what `layer` did."""
    return next(one for one in replacement if type(one) is type(layer))


def _keep_weights(layer: Any, copy: Any) -> None:
    before, after = layer.get_config(), copy.get_config()
    for weight, fresh in zip(layer.weights, copy.weights, strict=True):
        # That of a "recurrent_kernel" is the "recurrent_initializer"; of a "depthwise_kernel", too.
        setting = f"{weight.name.removesuffix('_kernel')}{INITIALIZER}"
        if before.get(setting) == after.get(setting):
            fresh.assign(weight)
