"""Every two of kind, backend, source, run, precision, step and neighbour meet in some training."""

import itertools
import re
from typing import Any

import pytest

from .cell import run
from .kinds import KINDS, Kind
from .pairs import Combination, pairs_of, pairwise
from .table import BACKENDS
from .ways import BACKEND, CHOICES, Way, refused

pytestmark = [
    pytest.mark.every_backend,
    # Keras's and the frameworks' own.
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed, but will be ignored"),
    pytest.mark.filterwarnings("ignore:Your input ran out of data"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

# The backend last: what is left to choose then is which of them is quickest at it.
AXES = {"kind": KINDS, **CHOICES, "backend": tuple(BACKENDS)}
# Seconds that a training takes, about, and of those that compile or trace more than others; kinds
# with loops or many layers take a multiple. A second is worth a fifth of a pair.
SECONDS = {"torch": 0.7, "tensorflow": 4.0, "jax": 9.0}
SLOW = {("tensorflow", "jit_compile"): 14.0, ("jax", "run_eagerly"): 15.0}
LARGE = {"recurrent": 2.5, "transformer": 2.5}
PAIRS_A_SECOND = 0.2


def trains(chosen: Combination) -> bool:
    """Whether Keras itself trains what was chosen so far."""
    run, backend = chosen.get("run", Way.run), chosen.get("backend", "tensorflow")
    return not refused(Way(run=run), backend)


def cost(chosen: Combination) -> float:
    """What the training takes, in pairs."""
    backend, way = chosen.get("backend"), chosen.get("run")
    if backend is None:
        return 0.0
    seconds = SLOW.get((backend, way), SECONDS[backend])
    large = LARGE.get(chosen["kind"].name, 1.0) if "kind" in chosen else 1.0
    return PAIRS_A_SECOND * seconds * large


def cells() -> list[tuple[Kind, Way]]:
    """This backend's share of a set of trainings in which every two choices meet."""
    return [
        (one["kind"], Way(**{axis: one[axis] for axis in CHOICES}))
        for one in pairwise(AXES, trains, cost)
        if one["backend"] == BACKEND
    ]


def name(value: Any) -> str:
    return re.sub(r"\W+", "-", value.name if isinstance(value, Kind) else str(value))


@pytest.mark.parametrize(("kind", "way"), cells(), ids=name)
def test_every_bit_is_the_same_and_every_kind_of_layer_is_read(kind: Kind, way: Way) -> None:
    found = run(kind, way)

    assert found.different == []
    assert found.complaints == []
    assert found.frames > 0
    assert kind.rows <= found.kinds


def test_every_two_choices_meet() -> None:
    met = set.union(*map(pairs_of, pairwise(AXES, trains, cost)))

    missing = {
        frozenset([value, beside])
        for some, other in itertools.combinations(AXES, 2)
        for value in AXES[some]
        for beside in AXES[other]
        if frozenset([(some, value), (other, beside)]) not in met
    }

    assert missing == {
        frozenset(["torch", "jit_compile"]),
        frozenset(["torch", "steps_per_execution=3"]),
    }
