"""Where each activation function saturates.

A value z is saturated where |f'(z)| < EPSILON max|f'| on a *saturating side* of f: a side along
which f flattens towards a bound other than the zero of a rectifier. The flat zero side of ReLU and
its like is no saturation: a unit that stays there is dead, and is judged as such.

Functions that normalise over the units (softmax) have no saturation of a single value, and
functions that are not in the table are not judged: nothing is guessed.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

EPSILON = 0.01

# Kernel gain that keeps the variance: LeCun et al. 1998 for functions that are linear around 0,
# He et al. 2015 for those that lose half of their input.
LECUN = 1.0
HE = math.sqrt(2)


@dataclass(frozen=True)
class Activation:
    """An activation function f as the diagnosis sees it.

    Attributes:
        name: Keras's name of the function.
        low: Below this z, f is saturated; None where it is not, however small z is.
        high: Above this z, f is saturated; None where it is not, however large z is.
        gain: The variance-preserving kernel gain in front of f.
        elementwise: False where f mixes units, so that no single value saturates.
        rectifies: Whether f is 0 and flat over a range that is no saturating side: where it puts
            out 0, no gradient passes.
    """

    name: str
    low: float | None = None
    high: float | None = None
    gain: float = LECUN
    elementwise: bool = True
    rectifies: bool = False

    @property
    def headroom(self) -> float | None:
        """The smallest |z| at which f saturates; None where it never does."""
        edges = [abs(edge) for edge in (self.low, self.high) if edge is not None]
        return min(edges, default=None)


# Edges are where the derivative falls to EPSILON of its maximum; the test solves for them again.
_LOGISTIC = 5.9864  # s(1 - s) = EPSILON / 4
_TANH = 2.9932  # 1 - tanh^2 = EPSILON
_LOG = 4.6052  # exp(-z) = EPSILON
_SOFT = 4.5951  # s = EPSILON

TABLE: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        Activation("celu", low=-_LOG),
        Activation("elu", low=-_LOG),
        Activation("exponential"),
        Activation("gelu", gain=HE),
        Activation("glu", elementwise=False),
        Activation("hard_shrink", rectifies=True),
        Activation("hard_sigmoid", low=-3.0, high=3.0),
        Activation("hard_silu", gain=HE, rectifies=True),
        Activation("hard_tanh", low=-1.0, high=1.0),
        Activation("leaky_relu", gain=HE),
        Activation("linear"),
        Activation("log_sigmoid", high=_SOFT),
        Activation("log_softmax", elementwise=False),
        Activation("mish", gain=HE),
        Activation("relu", gain=HE, rectifies=True),
        Activation("relu6", high=6.0, gain=HE, rectifies=True),
        Activation("selu", low=-_LOG),
        Activation("sigmoid", low=-_LOGISTIC, high=_LOGISTIC),
        Activation("silu", gain=HE),
        Activation("soft_shrink", rectifies=True),
        Activation("softmax", elementwise=False),
        Activation("softplus", low=-_SOFT),
        Activation("softsign", low=-9.0, high=9.0),
        Activation("sparse_plus", gain=HE, rectifies=True),
        Activation("sparse_sigmoid", low=-1.0, high=1.0),
        Activation("sparsemax", elementwise=False),
        Activation("squareplus", low=-9.8494),  # 1 + z / sqrt(z^2 + 4) = 2 EPSILON
        Activation("tanh", low=-_TANH, high=_TANH),
        Activation("tanh_shrink"),
        Activation("threshold", rectifies=True),
    )
}
LINEAR = TABLE["linear"]


@lru_cache(maxsize=256)
def headroom_db(name: str | None) -> float:
    """Level at which the function of that name saturates; NaN where it does not or is unknown."""
    function = TABLE.get(name or LINEAR.name)
    headroom = function.headroom if function else None
    return math.nan if headroom is None else 20 * math.log10(headroom)
