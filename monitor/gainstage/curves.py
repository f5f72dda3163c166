"""The curve of each activation function that works value by value, as Keras computes it.

For drawing: a process without Keras has no other way to know them.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gainstage.activations import TABLE

Curve = npt.NDArray[np.float64]

# Klambauer et al. 2017; the fixed point of mean 0 and variance 1.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805
_LEAK = 0.2
_SHRINK = 0.5

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _relu(z: Curve) -> Curve:
    return np.maximum(z, 0.0)


def _elu(z: Curve) -> Curve:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0.0)))


def _softplus(z: Curve) -> Curve:
    return np.logaddexp(0.0, z)


def _sigmoid(z: Curve) -> Curve:
    return 0.5 + 0.5 * np.tanh(z / 2)


def _hard_sigmoid(z: Curve) -> Curve:
    return np.clip(z / 6 + 0.5, 0.0, 1.0)


def _sparse_plus(z: Curve) -> Curve:
    return np.where(z >= 1, z, (np.clip(z, -1.0, 1.0) + 1) ** 2 / 4)


# Keras's name of the function -> f(z), with the arguments that Keras gives it by default;
# `threshold` has no defaults, and is drawn with 0 for both.
CURVES: Mapping[str, Callable[[Curve], Curve]] = {
    "celu": _elu,
    "elu": _elu,
    "exponential": np.exp,
    "gelu": lambda z: z * (1 + _erf(z / math.sqrt(2))) / 2,
    "hard_shrink": lambda z: np.where(np.abs(z) > _SHRINK, z, 0.0),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda z: z * _hard_sigmoid(z),
    "hard_tanh": lambda z: np.clip(z, -1.0, 1.0),
    "leaky_relu": lambda z: np.where(z > 0, z, _LEAK * z),
    "linear": lambda z: z,
    "log_sigmoid": lambda z: -_softplus(-z),
    "mish": lambda z: z * np.tanh(_softplus(z)),
    "relu": _relu,
    "relu6": lambda z: np.clip(z, 0.0, 6.0),
    "selu": lambda z: _SELU_SCALE * np.where(z > 0, z, _SELU_ALPHA * _elu(z)),
    "sigmoid": _sigmoid,
    "silu": lambda z: z * _sigmoid(z),
    "soft_shrink": lambda z: np.sign(z) * _relu(np.abs(z) - _SHRINK),
    "softplus": _softplus,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda z: np.clip((z + 1) / 2, 0.0, 1.0),
    "squareplus": lambda z: (z + np.sqrt(z**2 + 4)) / 2,
    "tanh": np.tanh,
    "tanh_shrink": lambda z: z - np.tanh(z),
    "threshold": _relu,
}

# Every edge of the table lies between these ends.
Z: Curve = np.linspace(-12.0, 12.0, 241)


def described() -> dict[str, Any]:
    """The table of activation functions and their curves as plain data, for the REST list."""
    return {
        "z": _drawn(Z),
        "activations": [
            {
                "name": name,
                "low": function.low,
                "high": function.high,
                "headroom": function.headroom,
                "elementwise": function.elementwise,
                "values": _drawn(CURVES[name](Z)) if name in CURVES else None,
            }
            for name, function in TABLE.items()
        ],
    }


def _drawn(values: Curve) -> list[float]:
    """In as many digits as can be seen on a screen."""
    return [float(f"{value:.6g}") for value in values.tolist()]
