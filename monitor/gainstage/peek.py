"""Looking at the next batch before the training function gets it, on each of Keras's backends.

Between samples the model runs Keras's own functions; nothing of ours is in their way.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal

import keras

from gainstage.refusals import UnwatchedError

# Variables of Keras, and the values that they have now.
Current = Sequence[tuple[Any, Any]]
Function = Literal["train_function", "test_function"]
# Of one call of such a function: numbers by name, which may still be on their way.
Logs = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """What the next call of a model's function gets.

    Attributes:
        model: The model.
        batch: The call's first batch, as `fit` took it from the data.
        state: The values of variables that JAX hands to the function, in lists; it takes them out
            of the model while it trains.
    """

    model: Any
    batch: Any
    state: Sequence[Sequence[Any]] = ()

    @cached_property
    def parts(self) -> tuple[Any, Any, Any]:
        """Inputs, targets and the examples' weights, None where there are none.

        Of one replica's share where TensorFlow distributes the batch, and of what lies in this
        process where JAX spreads it over several.
        """
        parts = keras.utils.unpack_x_y_sample_weight(self.batch)
        if keras.backend.backend() == "torch":
            return parts
        local = here
        if keras.backend.backend() == "tensorflow":
            local = self._first_replica
        share: Any = keras.tree.map_structure(local, parts)
        return share

    def _first_replica(self, part: Any) -> Any:
        return self.model.distribute_strategy.experimental_local_results(part)[0]

    @property
    def x(self) -> Any:
        """The inputs."""
        return self.parts[0]

    @cached_property
    def current(self) -> Current:
        """The model's variables whose values are not in them; empty where all are."""
        groups = [self.model.trainable_variables, self.model.non_trainable_variables]
        if len(self.state) > 3:  # of a step that trains, the metrics' being the last
            groups.append(self.model.optimizer.variables)
        return [
            pair
            for variables, values in zip(groups, self.state, strict=False)
            for pair in zip(variables, values, strict=True)
        ]


def arm(
    model: Any, name: Function, look: Callable[[Seen], None], then: Callable[[Logs], None]
) -> None:
    """Hands the first batch of the next call of `model`'s function to `look` before it is used.

    What the call returns as logs is handed to `then`, nothing where it raises. The function is put
    back before anything else happens, and every batch that was drawn goes to it, whatever `look`
    does: the two must not raise.

    Raises:
        UnwatchedError: The model has no such function.
    """
    function = getattr(model, name, None)
    if function is None:
        raise UnwatchedError(
            f"Expected a model that trains by Keras's `fit`, which makes its {name}. Received: "
            f"{type(model).__name__}, which has none. In a loop of your own, call "
            "`monitor.sample(x)`."
        )

    def call(*arguments: Any) -> Any:
        logs: Any = None
        try:
            result = function(*arguments)
            logs = result[0] if isinstance(result, tuple) else result  # with JAX's state
            return result
        finally:
            then(logs if isinstance(logs, Mapping) else {})

    def peeking(*arguments: Any) -> Any:
        setattr(model, name, function)
        *state, source = arguments
        if keras.backend.backend() == "torch":  # whose source is a list that holds one batch
            look(Seen(model, source[0]))
            return call(source)
        batches = list(islice(source, model.steps_per_execution))
        if not batches:
            raise StopIteration
        look(Seen(model, batches[0], *state))
        return call(*state, iter(batches))

    setattr(model, name, peeking)


def kept(model: Any, logs: Logs) -> Logs:
    """The logs as they are now, whatever the next step does.

    Where the step is not compiled, they may be the very memory that a metric counts in.
    """
    if keras.backend.backend() != "torch" and not model.run_eagerly:
        return logs

    def copy(value: Any) -> Any:
        mutable = isinstance(value, keras.Variable) or keras.ops.is_tensor(value)
        return keras.ops.copy(value) if mutable else value

    copied: Any = keras.tree.map_structure(copy, logs)
    return copied


def numbers(logs: Logs) -> dict[str, float]:
    """The single numbers among `logs`, those in a dictionary of it included; waits for them."""
    found: dict[str, float] = {}
    for name, value in logs.items():
        if isinstance(value, Mapping):
            found |= numbers(value)
            continue
        # Of what is no number, or several.
        with suppress(TypeError, ValueError, RuntimeError):
            found[name] = float(value)
    return found


def here(value: Any) -> Any:
    """What lies in this process of an array of JAX: all of it, where this is the only one.

    To compute with an array of several processes, all of them would have to do so at once.
    """
    return value if getattr(value, "is_fully_addressable", True) else value.addressable_data(0)


def size(x: Any) -> int:
    """How many examples the inputs `x` hold."""
    return int(next(part for part in keras.tree.flatten(x) if part is not None).shape[0])


def first(x: Any, examples: int) -> Any:
    """The first `examples` of the inputs `x`.

    Raises:
        UnwatchedError: A part of them is of a kind that is not cut.
    """

    def cut(part: Any) -> Any:
        if part is None:
            return None
        if not hasattr(part, "__getitem__"):
            raise UnwatchedError(
                f"Expected inputs that can be cut to a few examples. Received: "
                f"{type(part).__name__}. Make it dense before the model gets it."
            )
        return part[:examples]

    return keras.tree.map_structure(cut, x)
