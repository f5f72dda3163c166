"""Trials: short copies of a model, one for each remedy, trained side by side.

A verdict is a claim about what a change would do, and this is its test. Every copy starts from the
model's weights and gets the same batches; what differs is what stands in the place of one layer.
"""

import logging
import math
import os
import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gainstage import wire
from gainstage.arms import Subject, chosen
from gainstage.contractions import contraction_of
from gainstage.diagnosis.shield import exposed
from gainstage.diagnosis.strength import ADAPTIVE, SHRINKING
from gainstage.examples import HELD_OUT, Examples, divided, drawn, examples_of, halves
from gainstage.finding import Finding
from gainstage.isolation import Isolated
from gainstage.layers import Leaf, leaves
from gainstage.options import Destination, check_names, destination, is_whole
from gainstage.outcome import Contestant, Course, Trial
from gainstage.recorder import Recorder, RunIdentity
from gainstage.rehearsal import READ, Reader, Rehearsal
from gainstage.surgery import layer_at, patch_of
from gainstage.taps import tapped
from gainstage.training import describe_training, environment, learning_rate, optimizer_step
from gainstage.workers import BESIDE

log = logging.getLogger("gainstage")

# A penalty is tried at these multiples of the strength that is computed for it.
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)
# Updates of a training, where the caller does not say: see `usual_steps`.
LEAST_STEPS, MOST_STEPS = 300, 1_500
# Measurements during a training, those before and behind it among them.
MEASUREMENTS = 11
# Of a run that the server does not know; a known one stays in its own.
PROJECT = "default"
# Examples that the mean of the layer's input is taken over.
CENTRED_ON = 512


def run_trial(
    model: Any,
    data: Any,
    *,
    layer: str | Finding,
    validation_data: Any = None,
    arms: Sequence[str] | None = None,
    strengths: Sequence[float] = STRENGTHS,
    steps: int | None = None,
    seeds: int = 3,
    batch_size: int = 32,
    progress: bool = True,
    run: str | None = None,
    url: str | None = None,
    token: str | None = None,
    spool: str | os.PathLike[str] | None = None,
) -> Trial:
    """Trains copies of `model` with each remedy for one layer, and compares them.

    The model itself is not changed. Ctrl-C ends the trial early, with the arms that are complete.

    Args:
        model: Sequential or Functional, built and compiled. The copies start from its weights, and
            from a fresh optimizer of its kind.
        data: What to train on: a tuple of arrays, (x, y) or (x, y, sample_weight), or an iterable
            of such batches. A list, and whatever else is no tuple, is taken for batches, of which
            as many are held in memory as the steps have examples.
        layer: Keras's path of the layer, or a finding, whose patch is executed and tried as well.
        validation_data: What to judge by, likewise; default: a fifth of `data`, which the copies
            are not trained on. Where the model was, pass examples that it has not seen. Strengths
            are chosen by one half of them and reported on the other, unless there are fewer than
            40, which `Trial.summary` then says; 1,000 of each half are looked at.
        arms: Names of the arms to try, out of `arms.ARM_NAMES`; default: all that can be.
        strengths: A penalty is tried at these multiples of the strength computed for the layer.
        steps: Updates of each training; default: as many as `usual_steps` gives.
        seeds: Trainings of each contestant, which differ in the order of the batches.
        batch_size: Examples of an update.
        progress: Whether a bar is shown.
        run: The run, `LayerMonitor.run`, to which the server adds the result; None: it is not sent.
        url: As `LayerMonitor` takes it.
        token: Likewise.
        spool: Likewise.

    Raises:
        ValueError: The layer is not found, the model is not compiled or cannot be rebuilt from
            its layers, or an argument is not what is described here.
    """
    check_names(run, PROJECT)
    goal = destination(url, token, spool)
    if not getattr(model, "compiled", False):
        raise ValueError(
            "A trial trains copies by the model's own loss and optimizer. Expected a model that is "
            "compiled. Received one that is not: call `model.compile(...)` first."
        )
    counts = {"steps": steps, "seeds": seeds, "batch_size": batch_size}
    for name, value in counts.items():
        if value is not None and not is_whole(value, least=1):
            raise ValueError(f"`{name}` must be a whole number from 1. Received: {value!r}.")
    if validation_data is None and optimizer_step(model):
        log.warning(
            "gainstage: the model has been trained, perhaps on examples that this trial holds out "
            'of `data`, which flatters the arm "nothing". Pass `validation_data`.'
        )
    leaf = _leaf(model, layer)
    training = describe_training(model, batch_size, learning_rate(model))
    steps = steps or usual_steps(leaf.layer, training)
    needed = max(steps * batch_size, CENTRED_ON)
    held = None if validation_data is None else examples_of(validation_data, needed)
    train, held_out = divided(examples_of(data, needed + needed // (HELD_OUT - 1)), held)
    subject = _subject(model, layer, leaf, train, training)
    entrants = {arm: arm.strengths(subject, strengths) for arm in chosen(arms, subject)}
    reported, choosing = halves(held_out, whole=all(len(one) == 1 for one in entrants.values()))
    points = sorted({*np.linspace(0, steps, MEASUREMENTS).round().astype(int).tolist()})
    courses: dict[Contestant, list[Course]] = {}
    total = seeds * steps * sum(map(len, entrants.values()))
    interrupted = False
    try:
        with _bar(progress) as bar, _randomness_kept():
            shown = bar.add_task("Trial", total=total)
            for arm, given in entrants.items():
                random.seed(0)  # Keras draws what a patch begins anew from Python's numbers
                rehearsal = Rehearsal(model, arm, subject, reported, choosing)
                for strength in given:
                    contestant = Contestant(arm.name, strength)
                    bar.update(shown, description=f"Trial: {contestant}")
                    rehearsal.penalise(strength)
                    courses[contestant] = [
                        rehearsal.run(
                            train.batches(batch_size, steps, seed),
                            points,
                            seed,
                            lambda: bar.advance(shown),
                        )
                        for seed in range(seeds)
                    ]
                del rehearsal  # before the next one's copies are made
    except KeyboardInterrupt:
        if not courses:
            raise
        interrupted = True
    path = layer if isinstance(layer, str) else layer.layer  # as the run calls it
    trial = Trial.of(path, courses, points, interrupted=interrupted)
    if run is not None:
        _send(trial, run, goal)
    return trial


def usual_steps(layer: Any, training: wire.Training) -> int:
    """Updates after which an arm shows what it does to weights.

    300 are six times those in which a penalty of the computed strength brings the level down.
    Optimizers that rescale gradients move a weight by about the learning rate a step, whatever
    the penalty: it then takes until the weights have moved by twice their size.
    """
    contraction, rate = contraction_of(layer), training.learning_rate
    kernels = contraction.kernels(layer) if contraction is not None else ()
    if training.optimizer not in ADAPTIVE - SHRINKING or not rate or not kernels:
        return LEAST_STEPS
    arrays = (np.asarray(keras.ops.convert_to_numpy(kernel)) for kernel in kernels)
    # Two kernels in turn do what one of both rms' product does.
    rms = math.prod(float(np.sqrt(np.mean(np.square(array)))) for array in arrays)
    if not math.isfinite(rms):
        return LEAST_STEPS
    return int(np.clip(2 * rms / rate, LEAST_STEPS, MOST_STEPS))


def _send(trial: Trial, run: str, goal: Destination) -> None:
    """To the server, or into the spool while there is none."""
    identity = RunIdentity(run, PROJECT, (), {}, BESIDE)
    recorder = Recorder(identity, environment(), **vars(goal))
    recorder.trial(trial)
    recorder.close("completed")


@contextmanager
def _randomness_kept() -> Generator[None]:
    """The user's next model begins as it would have."""
    before = random.getstate()
    try:
        yield
    finally:
        random.setstate(before)


def _bar(shown: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, transient=True, disable=not shown)


def _leaf(model: Any, layer: str | Finding) -> Leaf:
    """The layer that is tried."""
    target = layer_at(model, layer if isinstance(layer, str) else layer.layer)
    leaf = next((one for one in leaves(model, None, ()) if one.layer is target), None)
    if leaf is None:
        raise ValueError(
            f"`layer` must be a single layer. Received: {target.path}, which holds others: name "
            "one of them."
        )
    return leaf


def _subject(
    model: Any, layer: str | Finding, leaf: Leaf, train: Examples, training: wire.Training
) -> Subject:
    """What the arms need to know of the layer."""
    rows, place, levels = Reader(model, leaf.layer).sample(drawn(train, READ).x)
    first = getattr(leaf.layer, "data_format", None) == "channels_first"
    patch = None
    if isinstance(layer, Finding) and layer.code:
        patch = partial(patch_of, layer, leaf.layer)
    return Subject(
        leaf.layer,
        rows[place],
        training,
        levels,
        exposed(rows, place),
        _input_mean(model, leaf, drawn(train, CENTRED_ON).x, axis=1 if first else -1),
        1 if first else -1,
        patch,
    )


def _input_mean(model: Any, leaf: Leaf, x: Any, axis: int) -> npt.NDArray[np.float32] | None:
    """What enters a layer, on average, [features]; None where that is no signal."""
    contraction = leaf.contraction
    if contraction is None or contraction.normalised:
        return None

    def mean(x: Any) -> Any:
        with tapped(model, [leaf]) as recording:
            model(x, training=False)
        entering = recording.calls[0].arguments[0]
        features = axis % len(entering.shape)
        others = [place for place in range(len(entering.shape)) if place != features]
        return keras.ops.mean(keras.ops.cast(entering, "float32"), axis=others)

    return np.asarray(keras.ops.convert_to_numpy(Isolated(model, mean)((), x)))
