"""One arm's `fit` in a thread of its own, that trains a block of steps whenever it is told to."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

# Epochs of a fit that ends when it is told to.
ENDLESS = 1_000_000


@dataclass(frozen=True)
class Watch:
    """What an arm adds to a `fit`.

    Attributes:
        callbacks: In this order.
        sampled: Called once at the begin of each step: whether the arm samples it.
        values: How many numbers its newest sample holds; None where it takes no samples.
    """

    callbacks: Sequence[keras.callbacks.Callback] = ()
    sampled: Callable[[int], bool] = lambda step: False
    values: Callable[[], int] | None = None


@dataclass(frozen=True)
class Block:
    """The steps of one epoch.

    Attributes:
        seconds: [steps] from the begin of each to the begin of the next.
        hooks: [steps] seconds that the arm's hooks at its begin and its end took.
        sampled: [steps] whether the arm sampled it.
        epoch_end: Seconds that the arm's hook at the end of the epoch took.
    """

    seconds: np.ndarray
    hooks: np.ndarray
    sampled: np.ndarray
    epoch_end: float


@dataclass
class _Notes:
    """Clock readings of the block that is being trained."""

    begun: list[float] = field(default_factory=list)
    ended: float = 0.0
    hooks: list[float] = field(default_factory=list)
    sampled: list[bool] = field(default_factory=list)
    over: float = 0.0


class _First(keras.callbacks.Callback):
    """Notes when Keras begins to call the hooks of the arm."""

    def __init__(self, fit: "Fit") -> None:
        super().__init__()
        self._fit = fit

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._fit.met = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._fit.notes = _Notes()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._fit.notes.begun.append(time.perf_counter())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._fit.notes.ended = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._fit.notes.over = time.perf_counter()


class _Last(keras.callbacks.Callback):
    """Notes when the hooks of the arm are done; at the end of a block waits for the next turn."""

    def __init__(self, fit: "Fit", sampled: Callable[[int], bool]) -> None:
        super().__init__()
        self._fit, self._sampled = fit, sampled

    def on_train_begin(self, logs: Any = None) -> None:
        self._fit.beginning = time.perf_counter() - self._fit.met

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        notes = self._fit.notes
        notes.hooks.append(time.perf_counter() - notes.begun[-1])
        notes.sampled.append(self._sampled(batch))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        notes = self._fit.notes
        notes.hooks[-1] += time.perf_counter() - notes.ended
        # Waits for the step's result, as Keras's progress bar does: a backend that computes in the
        # background would else do this step's work in the next.
        float((logs or {"loss": 0.0})["loss"])
        notes.ended = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._fit.finish(time.perf_counter())


class Fit:
    """Trains `model` on endless batches with what `watch` adds, a block of `steps` at a time.

    Attributes:
        beginning: Seconds from the meeting of callbacks and model to the first epoch.
        met: When the first callback was given the model.
        notes: Of the block that is being trained.
    """

    def __init__(self, model: Any, batches: Any, steps: int, watch: Watch) -> None:
        self.watch = watch
        self.beginning = self.met = 0.0
        self.notes = _Notes()
        self._model, self._batches, self._steps = model, batches, steps
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._ending = False
        self._block: Block | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._train)
        self._thread.start()

    def block(self) -> Block:
        """Trains one epoch; whatever the training raises is raised here."""
        self._block = None
        self._go.release()
        self._done.acquire()
        if self._block is None:
            raise self._error or RuntimeError("The training ended of itself.")
        return self._block

    def close(self) -> None:
        """Ends the training, with all that its callbacks do at the end."""
        self._ending = True
        self._go.release()
        self._thread.join()

    def finish(self, now: float) -> None:
        """The block is trained; returns when the next one shall begin."""
        notes = self.notes
        self._block = Block(
            np.diff([*notes.begun, notes.ended]),
            np.array(notes.hooks),
            np.array(notes.sampled),
            now - notes.over,
        )
        self._done.release()
        self._go.acquire()
        self._model.stop_training = self._ending

    def _train(self) -> None:
        self._go.acquire()
        if self._ending:
            return
        try:
            self._model.fit(
                self._batches,
                steps_per_epoch=self._steps,
                epochs=ENDLESS,
                shuffle=False,
                verbose=0,
                callbacks=[
                    _First(self),
                    *self.watch.callbacks,
                    _Last(self, self.watch.sampled),
                ],
            )
        except BaseException as error:
            self._error = error
        finally:
            self._done.release()
