"""Which layers are rows, and what is known of each without looking at a tensor.

A row is one call of one layer that holds no other layers, or of one whose inside runs in a loop.
Layers are told apart by their class's name, so that no backend is imported.
"""

import hashlib
import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from gainstage import activations
from gainstage.contractions import Contraction, contraction_of

# Layers whose inside runs in a loop: tensors captured there cannot leave it.
LOOPS = {"RNN", "TimeDistributed"}
# Constructor values longer than this (an initializer's constant array) are not sent anywhere.
MAX_ARGUMENT_CHARACTERS = 2_000


@dataclass(frozen=True)
class Leaf:
    """A layer that makes rows, and its place in the flattened structure of the model.

    Attributes:
        layer: The layer.
        place: Names its place in a way that stays the same where a remedy puts other layers before
            it: a layer that sums its inputs is counted among those of its kind, and any other, a
            normalisation too, behind the last that does. In branches of the same layers it may
            move all the same: Keras has them by their depth.
        wrapper: What calls it in a loop over time steps; None where nothing does.
    """

    layer: Any
    place: str
    wrapper: Any = None

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__

    @property
    def path(self) -> str:
        """Keras's path of the layer: a label, which rebuilding the model may change."""
        return str(getattr(self.layer, "path", None) or self.layer.name)

    @property
    def contraction(self) -> Contraction | None:
        """How the layer sums its inputs; None where that is not known."""
        return contraction_of(self.layer)

    @property
    def opaque(self) -> bool:
        """Whether the layer runs its inside in a loop, where nothing can be read."""
        return runs_a_loop(self.layer)

    def identity(self, call: int, part: str = "") -> str:
        """16 hexadecimal digits that name this row in every run of the same architecture."""
        shapes = [tuple(weight.shape) for weight in self.layer.weights]
        text = "/".join([f"{self.place}/{self.kind}/{shapes}/{call}", *filter(None, [part])])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def leaves(model: Any, include: tuple[str, ...] | None, exclude: tuple[str, ...]) -> list[Leaf]:
    """The layers of `model` that make rows, each once, in the order of the model's structure.

    `include` and `exclude` are glob patterns over paths; `include=None` takes all.
    """
    found: list[Leaf] = []
    for leaf in _placed(model):
        wanted = include is None or any(fnmatchcase(leaf.path, pattern) for pattern in include)
        if wanted and not any(fnmatchcase(leaf.path, pattern) for pattern in exclude):
            found.append(leaf)
    return found


def runs_a_loop(layer: Any) -> bool:
    """Whether what is inside `layer` runs once a time step."""
    return any(base.__name__ in LOOPS for base in type(layer).__mro__)


def _placed(model: Any) -> Iterator[Leaf]:
    """Each layer once, with its place."""
    layers: dict[int, tuple[Any, Any]] = {}
    for layer, wrapper in _walk(model):
        layers.setdefault(id(layer), (layer, wrapper))
    counted: Counter[str] = Counter()
    last = ""
    for layer, wrapper in layers.values():
        kind = type(layer).__name__
        contraction = contraction_of(layer)
        sums = contraction is not None and not contraction.normalised
        among = kind if sums else f"{last}/{kind}"
        place = f"{among}:{counted[among]}"
        counted[among] += 1
        last = place if sums else last
        yield Leaf(layer, place, wrapper)


def _walk(layer: Any, wrapper: Any = None) -> Iterator[tuple[Any, Any]]:
    # An activation that is a layer (`Dense(64, activation=keras.layers.LeakyReLU())`) is an
    # argument of its layer, not a layer inside it.
    function = getattr(layer, "activation", None)
    inner = [
        child for child in layer._layers if hasattr(child, "_layers") and child is not function
    ]
    loops = runs_a_loop(layer)
    if not inner or loops:
        if type(layer).__name__ != "InputLayer":
            yield layer, wrapper
        if loops and wrapper is None and hasattr(layer, "layer"):
            yield from _walk(layer.layer, layer)
        return
    for child in inner:
        yield from _walk(child, wrapper)


def _relu(layer: Any) -> str:
    if layer.negative_slope:
        return "leaky_relu"
    return {None: "relu", 6: "relu6"}.get(layer.max_value, "?") if not layer.threshold else "?"


# Layers that are nothing but one activation function, and its name.
ACTIVATION_LAYERS: dict[str, Callable[[Any], str]] = {
    "ReLU": _relu,
    "LeakyReLU": lambda _layer: "leaky_relu",
    "PReLU": lambda _layer: "leaky_relu",
    "ELU": lambda layer: "elu" if layer.alpha == 1 else "?",  # alpha moves the edge of saturation
    "Softmax": lambda _layer: "softmax",
}
ACTIVATION_KINDS = {"Activation", *ACTIVATION_LAYERS}


def activation_of(layer: Any) -> str | None:
    """Name of the activation function of `layer`: its argument's, or what the layer itself is.

    Returns a name of `activations.TABLE`, "?" for a function that is not Keras's own, and None
    where the layer has no activation.
    """
    named = ACTIVATION_LAYERS.get(type(layer).__name__)
    if named is not None:
        return named(layer)
    function = getattr(layer, "activation", None)
    if not callable(function):
        return None
    if hasattr(function, "_layers"):
        return activation_of(function)
    name = getattr(function, "__name__", "")
    owner = (getattr(function, "__module__", "") or "").split(".")[0]
    known = owner in {"keras", "tensorflow", "jax", "torch"} and name in activations.TABLE
    return name if known else "?"


def arguments(layer: Any) -> dict[str, Any]:
    """Constructor arguments of `layer` that differ from their defaults, as plain data.

    Objects such as initializers become `{"class": "keras.initializers.RandomNormal", "arguments":
    {...}}`. The layer's name is kept. What is too long to be a setting is left out; so is
    everything of a layer of the user's own that cannot tell its arguments.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a lambda, that loading it would be unsafe
            config = layer.get_config()
    except NotImplementedError:
        return {}
    return _changed(type(layer), config)


def _changed(owner: type, config: dict[str, Any]) -> dict[str, Any]:
    defaults = _defaults(owner)
    plain = {name: _plain(value) for name, value in config.items() if name not in _IMPLIED}
    return {
        name: value
        for name, value in plain.items()
        if (name not in defaults or value != _plain(defaults[name]))
        # Written out where the argument is None, its default.
        and not (value in ("linear", "channels_last") and defaults.get(name, "") is None)
        and not _is_default(value, defaults.get(name))
        and len(repr(value)) <= MAX_ARGUMENT_CHARACTERS
    }


# Arguments that every layer's config states and that its surroundings decide.
_IMPLIED = {"dtype", "trainable", "quantization_config", "build_config"}


def _defaults(owner: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        initializer = base.__dict__.get("__init__")
        if initializer is None:
            continue
        for name, parameter in inspect.signature(initializer).parameters.items():
            if parameter.default is not inspect.Parameter.empty:
                found[name] = parameter.default
    return found


def _is_default(value: Any, default: Any) -> bool:
    """Whether a serialized object is what the default's name stands for ("glorot_uniform")."""
    if value is None or not isinstance(value, dict) or not isinstance(default, str):
        return False
    short = str(value["class"]).rsplit(".", 1)[-1]
    return not value["arguments"] and short.lower() == default.replace("_", "").lower()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if "class_name" not in value:
            return {str(key): _plain(item) for key, item in value.items()}
        module, name = value.get("module"), str(value["class_name"])
        if value.get("registered_name") == "function" or module == "builtins":
            return str(value.get("config"))
        config = value.get("config")
        inner = {key: _plain(item) for key, item in config.items()} if config else {}
        return {
            "class": f"{module}.{name}" if module else name,
            "arguments": {key: item for key, item in inner.items() if item is not None},
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return repr(value)
