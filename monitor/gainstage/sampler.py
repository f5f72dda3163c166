"""Sampling a model: the probe's pass, at a slower cadence its gradient, and one of validation."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gainstage import peek, wire
from gainstage.gradients import Gradients, Slopes
from gainstage.probe import MOST_TRACES, Probe
from gainstage.sample import Sample
from gainstage.submodels import has_call

log = logging.getLogger("gainstage")

# Samples between two gradients: one costs as much as three passes, and its noise is averaged over
# many of them.
GRADIENT_EVERY = 8


class Sampler:
    """Takes samples of `model` from batches that it is about to be given.

    Args:
        model: The user's model, built.
        examples: Examples of a batch that are read.
        include: Glob patterns over layer paths; None: all.
        exclude: Glob patterns over layer paths to leave out.
    """

    def __init__(
        self,
        model: Any,
        examples: int,
        include: tuple[str, ...] | None = None,
        exclude: tuple[str, ...] = (),
    ) -> None:
        if has_call(model) and not model.built:
            raise ValueError(
                f"Expected a model that is built. Received: {type(model).__name__}, which is not. "
                "Take samples after its first step."
            )
        self._examples = examples
        self._probe = Probe(model, include, exclude)
        self._validation = Probe(model, include, exclude, training=False)
        self._gradients: Gradients | None = None
        if has_call(model) and getattr(model, "compiled", False):
            self._gradients = Gradients(model, self._probe.leaves)
        self._samples = 0

    def training(self, seen: peek.Seen) -> Sample | None:
        """A sample of a training step; None where too many shapes of inputs were traced."""
        current = seen.current
        sample = self._probe(peek.first(seen.x, self._examples), current)
        if sample is None:
            return None
        # Not with the first sample, whose tracing is long enough.
        self._samples += 1
        if self._gradients is None or self._samples % GRADIENT_EVERY != GRADIENT_EVERY // 2:
            return sample
        try:
            return self._with_gradient(sample, self._gradients, seen, current)
        except Exception as error:  # of a loss that cannot be taken apart from its step
            self._gradients = None
            log.info("No gradients are sampled. %s: %s", type(error).__name__, error)
            return sample

    def validation(self, seen: peek.Seen) -> Sample | None:
        """A sample of a batch that is not trained on."""
        return self._validation(peek.first(seen.x, self._examples), seen.current)

    def _with_gradient(
        self, sample: Sample, gradients: Gradients, seen: peek.Seen, current: peek.Current
    ) -> Sample:
        traces = gradients.traces
        if traces >= MOST_TRACES:
            return sample
        batch = tuple(peek.first(part, self._examples) for part in seen.parts)
        table = _table(gradients(batch, current), self._probe.layers)
        return replace(sample, gradients=table, traced=sample.traced or gradients.traces > traces)


def _table(found: Mapping[int, Slopes], layers: Sequence[int]) -> wire.FloatBlock:
    """[rows, `statistics.GRADIENTS`], NaN where a row has none."""
    none = Slopes(np.nan, np.nan, np.nan)
    slopes = np.array([found.get(layer, none) for layer in layers], np.float64).reshape(-1, 3)
    loss, data, penalties = slopes.T
    known = loss[~np.isnan(loss)]
    with np.errstate(all="ignore"):
        ratio = loss / (known[-1] if known.size else np.nan)
        penalised = np.where(penalties == 0, penalties, penalties / data)
    return np.stack([loss, ratio, penalised], axis=1).astype(np.float32)
