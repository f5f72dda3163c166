"""One arm of a trial: a copy of the model, trained again and again from the same weights."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from gainstage import wire
from gainstage.arms import Arm, Subject
from gainstage.examples import Examples, drawn
from gainstage.layers import ACTIVATION_KINDS, Leaf
from gainstage.measures import Meters
from gainstage.outcome import CHOICE, CHOICE_LOSS, LEVELS, LOSS, Course, ranked_by
from gainstage.probe import Probe
from gainstage.statistics import INDEX
from gainstage.surgery import like, replaced

# Held-out examples that the layer's levels are read from.
READ = 128
# Held-out examples that are evaluated at once.
EVALUATED = 256
SEEDS = "seed_generator_state"


class Rehearsal:
    """Trains a model with one arm in the place of a layer.

    A second copy, without any penalty, has the same weights where they are measured, so that the
    losses of all arms are of the task alone.

    Args:
        model: The user's model; it is not changed.
        arm: What is done to the layer.
        subject: The layer.
        held_out: What to measure on.
        choosing: What to choose strengths by; None: the same.
    """

    def __init__(
        self,
        model: Any,
        arm: Arm,
        subject: Subject,
        held_out: Examples,
        choosing: Examples | None = None,
    ) -> None:
        self.arm, self._held_out, self._choosing = arm, held_out.evaluated, None
        if choosing is not None:
            self._choosing = choosing.evaluated
        self._read = drawn(held_out, READ).x
        self._model, self._layer = _copy(model, arm, subject)
        self._judge, judged = _copy(model, arm, subject)
        for layer in self._judge._flatten_layers():
            layer.activity_regularizer = None
            for variable in layer.variables:
                variable.regularizer = None
        self._reader = Reader(self._judge, judged, alone=True)
        self._model.optimizer.build(self._model.trainable_variables)
        self._variables = [*self._model.variables, *self._model.optimizer.variables]
        self._start = [np.array(keras.ops.convert_to_numpy(one)) for one in self._variables]

    def penalise(self, strength: float | None) -> None:
        """Gives the layer the arm's penalty, at this strength."""
        if strength is not None:
            self.arm.penalise(self._layer, keras.regularizers.L2(strength))
        self._model.make_train_function(force=True)

    def run(
        self,
        batches: Iterator[tuple[Any, ...]],
        points: Sequence[int],
        seed: int,
        stepped: Callable[[], None],
    ) -> Course:
        """Trains from the start to the last of the `points`; column -> [points]."""
        drawn = 0  # counted by themselves: arms have other weights in front
        for variable, value in zip(self._variables, self._start, strict=True):
            if variable.name == SEEDS:
                variable.assign(np.array([seed, drawn], "uint32"))
                drawn += 1
            else:
                variable.assign(value)
        found = [self._measured()]
        for step, batch in enumerate(batches, 1):
            self._model.train_on_batch(*batch)
            stepped()
            if step in points:
                found.append(self._measured())
        if self._choosing is not None:
            figures = self._figures(self._choosing)
            loss = figures[LOSS]
            merit = figures[ranked_by(figures)] if np.isfinite(loss) else np.nan
            found = [{**one, CHOICE: np.nan, CHOICE_LOSS: np.nan} for one in found]
            found[-1] |= {CHOICE: merit, CHOICE_LOSS: loss}
        return {name: np.array([one[name] for one in found], np.float32) for name in found[0]}

    def _measured(self) -> dict[str, float]:
        """The task's loss and metrics, and the layer's levels, now."""
        self._judge.set_weights(self._model.get_weights())
        *_, levels = self._reader.sample(self._read)
        return {**self._figures(self._held_out), **{id: levels[id] for id in LEVELS}}

    def _figures(self, parts: tuple[Any, ...]) -> dict[str, float]:
        x, y, *weight = parts
        return self._judge.evaluate(
            x,
            y,
            sample_weight=weight[0] if weight else None,
            batch_size=EVALUATED,
            verbose=0,
            return_dict=True,
        )


def _copy(model: Any, arm: Arm, subject: Subject) -> tuple[Any, Any]:
    """A copy of `model` with the arm's layers in place of the subject, and the layer among them."""
    layers = arm.layers(subject)
    copy = replaced(model, subject.row.path, layers)
    if not copy.compiled:
        raise ValueError(
            "Expected a model whose copies are compiled as it is. Received: "
            f"{type(model).__name__}, which has its own `compile`: give it `get_compile_config` "
            "and `compile_from_config` as well."
        )
    return copy, like(subject.layer, layers)


class Reader:
    """The statistics of one layer of a model.

    Args:
        model: Built.
        layer: One of its layers.
        alone: Whether only that layer is read, and the activation behind it.
    """

    def __init__(self, model: Any, layer: Any, *, alone: bool = False) -> None:
        def wanted(leaf: Leaf) -> bool:
            return not alone or leaf.layer is layer or leaf.kind in ACTIVATION_KINDS

        self._layer = layer
        self._probe = Probe(model, training=False, wanted=wanted)

    def sample(self, x: Any) -> tuple[tuple[wire.Row, ...], int, dict[str, float]]:
        """The rows, the layer's place among them, and its statistics on the inputs `x`.

        These are by id, NaN where absent.
        """
        sample = self._probe(x)
        if sample is None:
            raise ValueError("Expected held-out examples of one shape.")
        place = self._probe.layers.index(id(self._layer))
        with np.errstate(invalid="ignore"):
            values, exists = Meters(sample.rows).measure(sample.readings, 0)
        found = np.where(exists, values, np.nan)[place]
        return sample.rows, place, {id: float(found[at]) for id, at in INDEX.items()}
