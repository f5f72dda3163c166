"""What a layer carries already: the regularizers and constraints that it was given."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gainstage.diagnosis.source import Call, call
from gainstage.wire import Row

ACTIVITY = "activity_regularizer"
SUFFIX = "_regularizer"
# Keras's own regularizers -> the arguments that multiply their penalty.
STRENGTHS = {
    "L1": ("l1",),
    "L2": ("l2",),
    "L1L2": ("l1", "l2"),
    "OrthogonalRegularizer": ("factor",),
}
# Those that penalise sizes: their pull on a value follows from its size.
OF_SIZE = {"L1", "L2", "L1L2"}


@dataclass(frozen=True)
class Penalty:
    """A regularizer that a layer was given.

    Attributes:
        kind: The name of its class, or of the function that it is.
        strengths: Argument -> what it multiplies the penalty by, above 0; empty where that is not
            known, as of a class of the user's own.
        given: The regularizer as the layer's arguments hold it.
    """

    kind: str
    strengths: Mapping[str, float]
    given: Any

    def __str__(self) -> str:
        numbers = [f"{name}={strength:.3g}" for name, strength in self.strengths.items()]
        if len(numbers) == 1:
            numbers = [numbers[0].partition("=")[2]]
        return f"{self.kind}({', '.join(numbers)})" if numbers else self.kind

    def pull(self, size: float) -> float | None:
        """Its gradient at a value of that size; None where it does not follow from the size."""
        if self.kind not in OF_SIZE or not self.strengths:
            return None
        return self.strengths.get("l1", 0.0) + 2 * self.strengths.get("l2", 0.0) * size

    def times(self, factor: float) -> "Penalty":
        """The same regularizer, `factor` times as strong."""
        changed = {name: float(f"{factor * old:.1g}") for name, old in self.strengths.items()}
        given = call(self.given["class"], **{**self.given["arguments"], **changed})
        return Penalty(self.kind, changed, given)


def l2(strength: float) -> Penalty:
    """The L2 penalty of a strength that was computed: two digits of it."""
    rounded = float(f"{strength:.2g}")
    return Penalty("L2", {"l2": rounded}, call("keras.regularizers.L2", l2=rounded))


def penalties(row: Row) -> dict[str, Penalty]:
    """Argument -> regularizer, of those that `row` was given."""
    return {
        name: _penalty(value)
        for name, value in row.arguments.items()
        if name.endswith(SUFFIX) and value is not None
    }


def constraint(row: Row, argument: str = "kernel_constraint") -> Call:
    """The constraint that `row` was given, a call of a class of Keras's own; or an empty one."""
    value = row.arguments.get(argument)
    if not isinstance(value, Mapping) or not isinstance(value.get("arguments"), Mapping):
        return call("")
    return call(str(value.get("class")).removeprefix("keras.constraints."), **value["arguments"])


def _penalty(value: Any) -> Penalty:
    if not isinstance(value, Mapping) or not isinstance(value.get("arguments"), Mapping):
        return Penalty(str(value).rpartition(".")[2], {}, value)
    package, _, kind = str(value.get("class", "")).rpartition(".")
    known = STRENGTHS.get(kind, ()) if package == "keras.regularizers" else ()
    numbers = {name: value["arguments"].get(name) for name in known}
    return Penalty(kind, {name: one for name, one in numbers.items() if _counts(one)}, value)


def _counts(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value) and value > 0


def strengthened(
    carried: Penalty | None, computed: float, *, bound: float = math.inf
) -> tuple[Penalty, str]:
    """What to put in place of `carried`, and what to say of that.

    Args:
        carried: The regularizer that is there although the layer is overloaded.
        computed: The strength of L2 that it should have.
        bound: The strength beyond which an L2 penalty itself diverges.
    """
    wanted = l2(computed)
    if carried is None:
        return wanted, ""
    if carried.kind != "L2" or not carried.strengths:
        return wanted, f" It replaces the {carried} that the layer carries there."
    strength = carried.strengths["l2"]
    if strength >= bound:
        return wanted, (
            f" The {carried} that it carries there diverges by itself under this optimizer, which "
            f"it does from {bound:.2g} on."
        )
    if strength >= wanted.strengths["l2"]:
        return carried, (
            f" It carries that already, no weaker than L2({computed:.2g}), what is computed here: "
            "strength is not what it lacks."
        )
    factor = wanted.strengths["l2"] / strength
    shown = f"{factor:,.0f}" if factor >= 10 else f"{factor:.1f}"
    return wanted, f" The {carried} that it carries there is too weak by a factor of {shown}."
