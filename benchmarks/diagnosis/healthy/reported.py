"""Trainings without a fault as small companies and courses have them; figures are reported of them.

Whoever wrote them had not seen the rules.
"""

from typing import Any

import keras

from benchmarks.diagnosis import practice as data
from benchmarks.diagnosis.families import (
    ADAM,
    SGD,
    Family,
    Hidden,
    adagrad,
    adam,
    adamw,
    lion,
    nadam,
    rate,
    reported,
    rmsprop,
)
from benchmarks.diagnosis.healthy import shortcuts as forms
from benchmarks.diagnosis.healthy.kinds import Group, drawn_from
from benchmarks.diagnosis.tasks import Rng

layers, optimizers = keras.layers, keras.optimizers


def falling(rng: Rng) -> Any:
    """A rate that falls with a cosine to a tenth over the training."""
    first = float(rng.choice([1e-3, 2e-3]))
    return ADAM(optimizers.schedules.CosineDecay(first, 300, alpha=0.1))


adamax = rate(optimizers.Adamax, 1e-3, 2e-3)
clipped = rate(ADAM, 1e-3, 2e-3, clipnorm=1.0)
ADAPTIVE = (adam, adamw, nadam, rmsprop, lion, adamax, clipped, falling)
# Plain descent on squared errors, with and without momentum.
GENTLE = (rate(SGD, 0.01, 0.02), rate(SGD, 1e-3, 2e-3, momentum=0.9, nesterov=True))
TABLES = (
    forms.wide_and_deep,
    forms.concatenating,
    forms.highway,
    forms.maxout,
    forms.learned_slopes,
    forms.experts,
    forms.hourglass,
    forms.spectral,
    forms.crossed,
    forms.excited,
    forms.ensemble,
    forms.normalised_first,
)
IMAGES = (
    forms.inception,
    forms.squeeze_excite,
    forms.down_and_up,
    forms.grouped,
    forms.mobile,
    forms.patches,
)
SERIES = (
    forms.dilated,
    forms.stacked,
    forms.pooled_by_attention,
    forms.convolved_then_recurrent,
    forms.several_lengths,
    forms.mean_and_most,
    forms.mixing,
    forms.both_ways,
    forms.placed,
)


def words(hidden: Hidden) -> Hidden:
    """Vectors for the words of reviews in front."""
    return lambda rng: [layers.Embedding(64, int(rng.choice([16, 32]))), *hidden(rng)]


def masked(rng: Rng) -> list[Any]:
    """A recurrent layer that stops where the text does."""
    return [layers.Embedding(64, 24, mask_zero=True), layers.LSTM(24)]


ink = data.entering(data.scans, lambda x: 1 - x)
GROUPS = (
    Group(
        (data.flats, data.rentals, data.customers, data.views),
        TABLES,
        (*GENTLE, adagrad, *ADAPTIVE),
    ),
    # Plain descent needs low rates where many features go together.
    Group((data.profiles, data.bands, data.spectra), TABLES, ADAPTIVE),
    Group((data.forms, ink), IMAGES, ADAPTIVE),
    Group((data.beats, data.machine), SERIES, ADAPTIVE),
    # The last days say what comes: layers that take the mean or the most of all lose them.
    Group((data.prices,), (forms.stacked, forms.convolved_then_recurrent), ADAPTIVE),
    Group((data.reviews,), tuple(words(one) for one in SERIES), ADAPTIVE),
)

REPORTED: tuple[Family, ...] = (
    reported("linear part beside", data.flats, forms.wide_and_deep, adam),
    reported("highway", data.customers, forms.highway, nadam),
    reported("maxout", data.views, forms.maxout, rate(SGD, 0.01, 0.02, momentum=0.9)),
    reported("experts", data.rentals, forms.experts, adamw),
    reported("concatenated features", data.bands, forms.concatenating, rmsprop),
    reported("learned slopes", data.profiles, forms.learned_slopes, adamax),
    reported("filters side by side", ink, forms.inception, adam),
    reported("squeeze and excite", data.forms, forms.squeeze_excite, lion),
    reported("down and up", data.forms, forms.down_and_up, falling),
    reported("gaps in time", data.beats, forms.dilated, adamw),
    reported("stacked gates", data.prices, forms.stacked, nadam),
    reported("pooled by attention", data.machine, forms.pooled_by_attention, clipped),
    reported("masked words", data.reviews, masked, adam),
    Family("trainings of further sorts", True, drawn_from(GROUPS), draws=87),
)
