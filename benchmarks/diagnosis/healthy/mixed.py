"""Trainings without a fault, of signals, images, words and tables, many of them with branches."""

from benchmarks.diagnosis import signals
from benchmarks.diagnosis.families import (
    SGD,
    Family,
    adagrad,
    adam,
    adamw,
    chosen,
    lion,
    momentum,
    nadam,
    rate,
    rmsprop,
    sgd,
)
from benchmarks.diagnosis.healthy import branched as forms
from benchmarks.diagnosis.healthy.architectures import embedded
from benchmarks.diagnosis.healthy.kinds import ADAPTIVE, Group, drawn_from
from benchmarks.diagnosis.signals import standard

beats, bearings, sensors, visitors, chirps, cells, pairs, applicants = (
    standard(make)
    for make in (
        signals.beats,
        signals.bearings,
        signals.sensors,
        signals.visitors,
        signals.chirps,
        signals.cells,
        signals.pairs,
        signals.applicants,
    )
)
gentle = rate(SGD, 2e-3, 5e-3, momentum=0.9)
GROUPS = (
    Group(
        (beats, bearings, sensors, visitors),
        (
            forms.inception,
            forms.dilated,
            forms.gated_waves,
            forms.stacked,
            forms.u_shaped,
            forms.weighted,
            forms.squeezed,
        ),
        (gentle, *ADAPTIVE),
    ),
    Group(
        (chirps, cells, pairs),
        (
            forms.mixed_filters,
            forms.excited_images,
            forms.grouped,
            forms.dense_images,
            forms.u_shaped_images,
            forms.learned_slopes,
        ),
        (gentle, *ADAPTIVE),
    ),
    Group(
        (signals.spellings, signals.subjects),
        tuple(
            embedded(form)
            for form in (forms.many_lengths, forms.attended, forms.gated_words, forms.both_ways)
        ),
        ADAPTIVE,
    ),
    Group(
        (applicants,),
        (
            forms.wide_and_deep,
            forms.highways,
            forms.maxout,
            forms.experts,
            forms.hourglass,
            forms.dense_net,
            forms.parametric,
            forms.spectral,
            forms.crossed,
        ),
        (sgd, momentum, adagrad, *ADAPTIVE),
    ),
)

MIXED: tuple[Family, ...] = (
    chosen("filters of many lengths", beats, forms.inception, adam),
    chosen("dilated, causal", bearings, forms.dilated, adamw),
    chosen("gated filters", sensors, forms.gated_waves, gentle),
    chosen("two recurrent, normalised", visitors, forms.stacked, nadam),
    chosen("U over time", bearings, forms.u_shaped, rmsprop),
    chosen("squeeze and excitation", chirps, forms.excited_images, lion),
    chosen("groups of channels", cells, forms.grouped, adamw),
    chosen("dense net of images", pairs, forms.dense_images, adam),
    chosen("words by attention", signals.subjects, embedded(forms.attended), nadam),
    chosen("letters, both ways", signals.spellings, embedded(forms.both_ways), adam),
    chosen("wide and deep", applicants, forms.wide_and_deep, momentum),
    chosen("mixture of experts", applicants, forms.experts, rmsprop),
    chosen("highways", applicants, forms.highways, sgd),
    chosen("largest of some", applicants, forms.maxout, adagrad),
    Family("trainings of every sort", False, drawn_from(GROUPS)),
)
