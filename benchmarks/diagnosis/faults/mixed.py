"""Faults in models of signals, images, words and tables, many of them with branches."""

from typing import Any

import keras

from benchmarks.diagnosis import signals
from benchmarks.diagnosis.families import (
    ADAM,
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
from benchmarks.diagnosis.faults import depth, levels, stops
from benchmarks.diagnosis.signals import ranged, standard

optimizers = keras.optimizers
gentle = rate(SGD, 0.002, 0.005, momentum=0.9)


def rising(rng: Any) -> Any:
    """A search for a rate that was left on: the rate doubles with each step."""
    return SGD(optimizers.schedules.ExponentialDecay(1e-3, 1, 2.0))


MIXED: dict[str, tuple[Family, ...]] = {
    "activity": (
        chosen("heart, from 0 to 1", ranged(signals.beats), levels.leads, momentum),
        chosen("behind softplus", standard(signals.bearings), levels.behind_softplus, sgd),
        chosen("projected steps", ranged(signals.sensors), levels.projected, adam),
        chosen("blurring filters", ranged(signals.chirps), levels.blurring, adagrad),
        chosen("highway, shares", ranged(signals.applicants), levels.shared_highway, sgd),
        chosen("excitation of ReLUs", ranged(signals.chirps), levels.excitation, gentle),
        Family("template of a beat", False, levels.template),
        chosen("two towers", signals.pairs, levels.two_towers, nadam),
        chosen("state of counts", ranged(signals.visitors), levels.counting, rmsprop),
        chosen("scored words", signals.subjects, levels.scored_words, adamw),
    ),
    "kernel": (
        chosen("gated convolution", standard(signals.bearings), levels.gated_wave, nadam),
        chosen("range of eight", standard(signals.sensors), levels.wide_range, sgd),
        chosen("large LSTM kernel", standard(signals.sensors), levels.large_gates, adamw),
        chosen("gain of an orthogonal", standard(signals.applicants), levels.orthogonal, lion),
        Family("whole numbers, not scaled", False, levels.quantised),
    ),
    "input": (
        chosen("counts as they are", signals.visitors, levels.counts, adam),
        chosen("converter of 12 bits", levels.converted(signals.beats), levels.beat, momentum),
        chosen("incomes as they are", signals.applicants, levels.deep_table, adam),
        chosen("multiplied by 255", signals.pairs, levels.multiplied, adagrad),
        chosen("five units, LSTM", signals.sensors, levels.lstm, rmsprop),
    ),
    "bias": (
        Family("bias, projection", False, levels.offset_steps),
        Family("loaded bias", False, levels.loaded_bias),
        chosen("closed highway", standard(signals.applicants), levels.closed_highway, adamw),
        chosen("bias, depthwise", standard(signals.beats), levels.offset_leads, rmsprop),
    ),
    "dead": (
        chosen("momentum of 0.99", standard(signals.bearings), stops.wave, stops.eager),
        chosen("shift of BatchNorm", standard(signals.applicants), stops.shifted, adam),
        chosen("rate too high, words", signals.subjects, stops.words, stops.hasty),
        chosen("counted without scale", stops.thousands, stops.spots, stops.clipped),
    ),
    "vanishing": (
        chosen("many sigmoids, signals", standard(signals.beats), depth.sigmoids, momentum),
        chosen("many gates", standard(signals.applicants), depth.gates, momentum),
        chosen("small projections", signals.subjects, depth.projections, rmsprop),
        chosen("damped blocks", standard(signals.bearings), depth.damped, adagrad),
    ),
    "exploding": (
        chosen("growing waves", standard(signals.sensors), depth.waves, adam),
        chosen("growing state", standard(signals.sensors), depth.state, adamw),
        chosen("growing mixer", standard(signals.visitors), depth.mixer, rmsprop),
        chosen("growing dense net", standard(signals.applicants), depth.dense_net, lion),
    ),
    "nonfinite": (
        chosen("silent recordings", stops.silent(signals.bearings), stops.each, adam),
        chosen("exponential attention", standard(signals.visitors), stops.attention, momentum),
        chosen("distance of 0", stops.twins, stops.siamese, adamw),
        chosen("energy in float16", stops.millivolts, stops.energy, rmsprop),
        chosen("rate that doubles", ranged(signals.cells), stops.spots, rising),
    ),
    "over_regularized": (
        chosen("orthogonality", signals.subjects, stops.orthogonal, adam),
        chosen("penalty, steps", standard(signals.sensors), stops.penalised_steps, nadam),
        chosen("penalty on a state", standard(signals.visitors), stops.quiet_state, adamw),
        chosen("penalty, depthwise", standard(signals.chirps), stops.penalised_bands, gentle),
        chosen(
            "weight decay, SGD",
            standard(signals.beats),
            stops.wave,
            rate(SGD, 0.01, momentum=0.9, weight_decay=5.0),
        ),
    ),
    "untrained": (
        chosen("hardest attention", standard(signals.bearings), stops.hardest, adam),
        chosen("tower without gradient", signals.pairs, stops.still_tower, momentum),
        chosen(
            "never applied",
            standard(signals.chirps),
            stops.spots,
            rate(SGD, 0.01, gradient_accumulation_steps=100_000),
        ),
        chosen("rate of 1e-9", signals.subjects, stops.words, rate(ADAM, 1e-9)),
    ),
}
