"""The ways to watch a training that are compared."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import keras

from benchmarks.overhead.fits import Watch
from benchmarks.overhead.homemade import Fetched, Logged, Passed
from gainstage import LayerMonitor

# As many as Gainstage's default reads.
EXAMPLES = 16
GAINSTAGE = "gainstage"
PLAIN = "plain"
NOTHING = "no-op"


@dataclass
class Surroundings:
    """What an arm is given.

    Attributes:
        examples: For arms that choose their examples once.
        folder: To write into.
        url: Address of the Gainstage server; False: none.
        steps: The steps of a block that Gainstage sampled in the round before.
    """

    examples: Any
    folder: Path
    url: str | Literal[False] = False
    steps: frozenset[int] = field(default=frozenset())

    def due(self, step: int) -> bool:
        """Whether an arm that follows Gainstage's cadence samples this step of its block."""
        return step in self.steps


@dataclass(frozen=True)
class Arm:
    """A way to watch a training.

    Attributes:
        watch: Makes what is added to the `fit`.
        needs: Packages without which there is no such arm.
    """

    name: str
    watch: Callable[[Surroundings], Watch]
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Which of `needs` are not installed."""
        return [package for package in self.needs if find_spec(package) is None]


def plain(surroundings: Surroundings) -> Watch:
    """Nothing."""
    return Watch()


def nothing(surroundings: Surroundings) -> Watch:
    """A callback without hooks; counts as sampled what the others sample."""
    return Watch([keras.callbacks.Callback()], surroundings.due)


def gainstage(surroundings: Surroundings) -> Watch:
    """Gainstage as it comes."""
    monitor = LayerMonitor(surroundings.url, spool=surroundings.folder / "spool")
    model: Any = None
    usual: Any = None

    def sampled(step: int) -> bool:
        nonlocal model, usual
        # Asked for once: on JAX, each time writes all that is trained back into it.
        model = model or monitor.model
        usual = usual or model.train_function  # of the first step, which is never sampled
        return model.train_function is not usual  # but one that looks at the batch first

    def values() -> int:
        table = monitor.frame()
        return 0 if table is None else int(table.exists.sum())

    return Watch([monitor], sampled, values)


def tensorboard(surroundings: Surroundings) -> Watch:
    """Scalars at every step, histograms of all weights at the end of every epoch."""
    return Watch(
        [
            keras.callbacks.TensorBoard(
                surroundings.folder / "tensorboard", histogram_freq=1, update_freq="batch"
            )
        ]
    )


def forward(surroundings: Surroundings) -> Watch:
    """A pass over the examples of which nothing is read."""
    return Watch([Passed(surroundings.examples, surroundings.due)], surroundings.due)


def submodel(surroundings: Surroundings) -> Watch:
    """Three figures of the outputs of each layer, by hand."""
    callback = Fetched(surroundings.examples, surroundings.due)
    return Watch([callback], surroundings.due, lambda: len(callback.figures))


def wandb(surroundings: Surroundings) -> Watch:
    """Gainstage's statistics as far as a sub-model gives them, by hand, and logged to W&B."""
    callback = Logged(surroundings.examples, surroundings.due, surroundings.folder / "wandb")
    return Watch([callback], surroundings.due, lambda: len(callback.figures))


# What is compared with the others whatever is asked for.
ALWAYS = (Arm(PLAIN, plain), Arm(NOTHING, nothing), Arm(GAINSTAGE, gainstage))
RIVALS = (
    # The callback writes by TensorFlow, whatever the backend is.
    Arm("tensorboard", tensorboard, ("tensorboard", "tensorflow")),
    Arm("forward", forward),
    Arm("submodel", submodel),
    Arm("wandb", wandb, ("wandb",)),
)
