"""Ways of training: where batches come from, how steps run, what runs beside them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .kinds import CLASSES

BACKEND = keras.backend.backend()
BATCH, STEPS, EPOCHS = 8, 5, 2
EXAMPLES = BATCH * STEPS - 3  # the last batch of an epoch is short

Given = Mapping[str, Any]


class Batches(keras.utils.PyDataset):
    """A data set of the user's own."""

    def __init__(self, x: Any, y: Any) -> None:
        super().__init__()
        self.x, self.y = x, y

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, place: int) -> Any:
        part = slice(place * BATCH, (place + 1) * BATCH)
        return keras.tree.map_structure(lambda array: array[part], (self.x, self.y))


def _arrays(x: Any, y: Any) -> Given:
    return {"x": x, "y": y, "batch_size": BATCH}


def _pipeline(x: Any, y: Any) -> Given:
    import tensorflow as tf

    examples = tf.data.Dataset.from_tensor_slices((x, y))
    return {"x": examples.shuffle(EXAMPLES, seed=1).batch(BATCH).prefetch(2)}


def _generator(x: Any, y: Any) -> Given:
    def batches() -> Iterator[Any]:
        data = Batches(x, y)
        while True:
            yield from (data[place] for place in range(STEPS))

    return {"x": batches(), "steps_per_epoch": STEPS}


def _loader(x: Any, y: Any) -> Given:
    import torch

    class Examples(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return EXAMPLES

        def __getitem__(self, place: int) -> Any:
            return keras.tree.map_structure(lambda array: array[place], (x, y))

    return {"x": torch.utils.data.DataLoader(Examples(), batch_size=BATCH)}


SOURCES: dict[str, Callable[[Any, Any], Given]] = {
    "arrays": _arrays,
    "tf.data": _pipeline,
    "generator": _generator,
    "PyDataset": lambda x, y: {"x": Batches(x, y)},
    "DataLoader": _loader,
}

# How the step runs: what `compile` is told.
RUNS: dict[str, Given] = {
    "as Keras chooses": {},
    "run_eagerly": {"run_eagerly": True},
    "jit_compile": {"jit_compile": True},
    "steps_per_execution=3": {"steps_per_execution": 3},
    "gradient_accumulation_steps=2": {"accumulate": 2},
}

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


class Step:
    """A `train_step` of the user's own."""

    if BACKEND == "tensorflow":

        def train_step(self, data: Any) -> Any:
            import tensorflow as tf

            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
                scaled = self.optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"own": loss}

    elif BACKEND == "jax":

        def train_step(self, state: Any, data: Any) -> Any:
            logs, state = super().train_step(state, data)
            return {"own": logs["loss"]}, state

    else:

        def train_step(self, data: Any) -> Any:
            import torch

            x, y = data
            self.zero_grad()
            loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
            self.optimizer.scale_loss(loss).backward()
            weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply([weight.value.grad for weight in weights], weights)
            return {"own": loss}


def own_model() -> type:
    """A class of models with that step, a fresh one: Keras changes the bases of those it builds."""
    return type("OwnModel", (Step, keras.Model), {})


MODELS: dict[str, Callable[[], type]] = {"Keras's": lambda: keras.Model, "the user's": own_model}


def own_callbacks(folder: Path) -> list[Any]:
    callbacks = keras.callbacks
    return [
        callbacks.ModelCheckpoint(folder / "{epoch}.weights.h5", save_weights_only=True),
        callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False),
        callbacks.EarlyStopping("loss", patience=9),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
    ]


# What runs beside the monitor: options of `fit`, and how many times it is called.
BESIDE = ("nothing", "callbacks", "validation", "initial_epoch", "fit again")


@dataclass(frozen=True)
class Way:
    """One way of training; each field is a key of the table of its name."""

    source: str = "arrays"
    run: str = "as Keras chooses"
    precision: str = "float32"
    step: str = "Keras's"
    beside: str = "nothing"

    def __str__(self) -> str:
        usual = Way()
        own = [getattr(self, one.name) for one in fields(self)]
        told = [
            value
            for one, value in zip(fields(self), own, strict=True)
            if value != getattr(usual, one.name)
        ]
        return ", ".join(told) or "as usual"


CHOICES: dict[str, tuple[str, ...]] = {
    "source": tuple(SOURCES),
    "run": tuple(RUNS),
    "precision": PRECISIONS,
    "step": tuple(MODELS),
    "beside": BESIDE,
}


def refused(way: Way, backend: str = BACKEND) -> str:
    """Why Keras itself does not train this way on this backend; empty where it does."""
    if backend == "torch" and way.run == "steps_per_execution=3":
        return "Keras has no steps_per_execution on torch"
    if backend == "torch" and way.run == "jit_compile":
        return "torch.compile needs minutes for each model on a CPU"
    return ""


def targets(outputs: int) -> Any:
    """The targets of a model with so many outputs."""
    rng = np.random.default_rng(2)
    classes = rng.integers(0, CLASSES, EXAMPLES)
    return classes if outputs == 1 else (classes, rng.normal(size=(EXAMPLES, 1)))
