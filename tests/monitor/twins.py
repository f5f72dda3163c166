"""The same training twice: what it leaves behind, down to the last bit, and what differs.

`outcome` trains a model in fresh state and notes everything that a user could tell two trainings
apart by. `different` names what differs; it is the one comparison of all tests of harmlessness.
"""

import functools
import pickle
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf  # for its pipelines, which all backends take
from keras.src.backend.common.global_state import get_global_attribute

from gainstage import LayerMonitor

layers = keras.layers
EXAMPLES, BATCH, EPOCHS = 44, 8, 2
STEPS = 6  # of an epoch; the last one has half a batch
BACKEND = keras.backend.backend()
KERAS_FUNCTION = {
    "tensorflow": "TensorFlowTrainer._make_function.<locals>.function",
    "jax": "JAXTrainer._make_function.<locals>.iterator_step",
    "torch": "TorchTrainer.make_train_function.<locals>.one_step_on_data",
}[BACKEND]
# What a monitor might replace in a layer or a model.
FUNCTIONS = ("call", "__call__", "activation", "train_step", "train_function", "test_function")
Outcome = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Training:
    """A model, and how it is trained."""

    build: Callable[[], Any]
    inputs: tuple[int, ...]
    data: Callable[["Training"], Mapping[str, Any]] = field(
        default=lambda training: {
            "x": training.x,
            "y": training.y,
            "batch_size": BATCH,
        }
    )
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def x(self) -> Any:
        return np.random.default_rng(1).normal(size=(EXAMPLES, *self.inputs)).astype(np.float32)

    @property
    def y(self) -> Any:
        return np.random.default_rng(2).integers(0, 3, EXAMPLES)

    def model(self) -> Any:
        """Newly built and compiled."""
        model = self.build()
        usual = {"optimizer": keras.optimizers.Adam(0.01), "metrics": ["accuracy"]}
        model.compile(loss="sparse_categorical_crossentropy", **(usual | dict(self.settings)))
        return model


class Serialising(keras.callbacks.Callback):
    """Writes the model down in every way, before and after a step, and notes what comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Any] = []
        self.functions: set[str] = set()  # that the model trained with at those times

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == 2:
            self._write_down()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 2:
            self._write_down()

    def _write_down(self) -> None:
        model = self.model
        self.functions.add(model.train_function.__qualname__)
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/model.keras"
            model.save(path)
            copies = [keras.models.load_model(path), pickle.loads(pickle.dumps(model))]
        clone = keras.models.clone_model(model)
        self.notes += [model.to_json(), clone.to_json(), model.get_config(), clone.get_config()]
        self.notes += [[bits(weight) for weight in copy.variables] for copy in copies]


class Diary(keras.callbacks.Callback):
    """Notes the numbers of every call of the training function."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[Any] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        self.pages.append((batch, numbers, bits(self.model.optimizer.iterations)))


class Making:
    """Makes the monitor of a training, and keeps it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._arguments, self._options = arguments, options
        self.monitor: Any = None

    def __call__(self) -> Any:
        self.monitor = LayerMonitor(*self._arguments, **self._options)
        return self.monitor


def complaints(caplog: Any) -> list[str]:
    """What the monitor has warned of, but that no server listens."""
    logged = [record.getMessage() for record in caplog.records if record.name == "gainstage"]
    usual = ("No server at", "messages of run")
    return [text for text in logged if not any(part in text for part in usual)]


@contextmanager
def deterministic(wanted: bool = True) -> Iterator[None]:
    """The backend's operations give the same bits each time, for as long as the block lasts.

    On a GPU those of JAX do by XLA_FLAGS=--xla_gpu_deterministic_ops=true, and torch asks for
    CUBLAS_WORKSPACE_CONFIG=:4096:8 beside this.
    """
    before = _is_deterministic()
    _determine(wanted)
    yield
    _determine(before)


def _is_deterministic() -> bool:
    if BACKEND == "tensorflow":
        from tensorflow.python.framework import config

        return config.is_op_determinism_enabled()
    if BACKEND == "torch":
        import torch

        return torch.are_deterministic_algorithms_enabled()
    return False


def _determine(wanted: bool) -> None:
    if BACKEND == "tensorflow":
        from tensorflow.python.framework import config

        (config.enable_op_determinism if wanted else config.disable_op_determinism)()
    elif BACKEND == "torch":
        import torch

        torch.use_deterministic_algorithms(wanted)


def fresh() -> None:
    """As in a process that has just begun."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(3)
    tf.random.set_global_generator(tf.random.Generator.from_seed(3))


def outcome(training: Training, *callbacks: Callable[[], Any]) -> Outcome:
    """Everything that `training` leaves behind, with new callbacks made before the model is."""
    fresh()
    extra = [make() for make in callbacks]
    model = training.model()
    diary = Diary()
    history = model.fit(
        **training.data(training), epochs=EPOCHS, verbose=0, callbacks=[*extra, diary]
    )
    return {
        **traces(model),
        "losses": (history.history, diary.pages),
        **{
            f"{type(callback).__name__}'s notes": callback.notes
            for callback in extra
            if hasattr(callback, "notes")
        },
    }


@functools.cache
def alone(training: Training) -> Outcome:
    """What `training` leaves behind without the monitor."""
    return outcome(training)


def traces(model: Any) -> Outcome:
    """What is left in the model and in the process after a training."""
    return {
        "weights": [bits(weight) for weight in model.variables],
        "optimizer": [bits(weight) for weight in model.optimizer.variables],
        "seeds": [
            bits(layer.seed_generator.state)
            for layer in model._flatten_layers()
            if hasattr(layer, "seed_generator")
        ],
        "attributes": [sorted(vars(layer)) for layer in model._flatten_layers()],
        "functions": [
            [getattr(getattr(layer, name, None), "__qualname__", "") for name in FUNCTIONS]
            for layer in model._flatten_layers()
        ],
        "random": random.getstate(),
        "numpy": [bits(part) for part in np.random.get_state(legacy=True)],
        "tensorflow": bits(tf.random.get_global_generator().state),
        "tensorflow's operations": bits(tf.random.uniform((2,))),
        "torch": _torch_state(),
        "keras": bits(keras.random.uniform((2,))),
        **_next_model(),
    }


def _torch_state() -> Any:
    if BACKEND != "torch":
        return None
    import torch

    return [bits(state) for state in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def _next_model() -> Outcome:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dropout(0.5)(inputs)))
    optimizer = keras.optimizers.SGD()
    names: list[Any] = [model.name, optimizer.name, keras.Sequential().name, inputs.name]
    names.append(dict(get_global_attribute("object_name_uids")))  # of all kinds of operations
    return {
        "names": names + [layer.name for layer in model.layers],
        "next weights": [bits(weight) for weight in model.variables],
    }


def bits(value: Any) -> Any:
    """Equal only where every bit is, a NaN's included."""
    array = np.asarray(keras.ops.convert_to_numpy(value) if hasattr(value, "numpy") else value)
    return array.dtype.name, array.shape, array.tobytes()


def different(some: Outcome, others: Outcome) -> list[str]:
    """Names of what differs between two outcomes."""
    names = {*some, *others}
    return sorted(name for name in names if repr(some.get(name)) != repr(others.get(name)))
