"""Faults of which figures are reported: whoever wrote them had not seen the rules."""

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
    lion,
    momentum,
    nadam,
    rate,
    reported,
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


REPORTED: dict[str, tuple[Family, ...]] = {
    "activity": (
        reported("heart, from 0 to 1", ranged(signals.beats), levels.leads, momentum),
        reported("behind softplus", standard(signals.bearings), levels.behind_softplus, sgd),
        reported("projected steps", ranged(signals.sensors), levels.projected, adam),
        reported("blurring filters", ranged(signals.chirps), levels.blurring, adagrad),
        reported("highway, shares", ranged(signals.applicants), levels.shared_highway, sgd),
        reported("excitation of ReLUs", ranged(signals.chirps), levels.excitation, gentle),
        Family("template of a beat", True, levels.template),
        reported("two towers", signals.pairs, levels.two_towers, nadam),
        reported("state of counts", ranged(signals.visitors), levels.counting, rmsprop),
        reported("scored words", signals.subjects, levels.scored_words, adamw),
    ),
    "kernel": (
        reported("gated convolution", standard(signals.bearings), levels.gated_wave, nadam),
        reported("range of eight", standard(signals.sensors), levels.wide_range, sgd),
        reported("large LSTM kernel", standard(signals.sensors), levels.large_gates, adamw),
        reported("gain of an orthogonal", standard(signals.applicants), levels.orthogonal, lion),
        Family("whole numbers, not scaled", True, levels.quantised),
    ),
    "input": (
        reported("counts as they are", signals.visitors, levels.counts, adam),
        reported("converter of 12 bits", levels.converted(signals.beats), levels.beat, momentum),
        reported("incomes as they are", signals.applicants, levels.deep_table, adam),
        reported("multiplied by 255", signals.pairs, levels.multiplied, adagrad),
        reported("five units, LSTM", signals.sensors, levels.lstm, rmsprop),
    ),
    "bias": (
        Family("bias, projection", True, levels.offset_steps),
        Family("loaded bias", True, levels.loaded_bias),
        reported("closed highway", standard(signals.applicants), levels.closed_highway, adamw),
        reported("bias, depthwise", standard(signals.beats), levels.offset_leads, rmsprop),
    ),
    "dead": (
        reported("momentum of 0.99", standard(signals.bearings), stops.wave, stops.eager),
        reported("shift of BatchNorm", standard(signals.applicants), stops.shifted, adam),
        reported("rate too high, words", signals.subjects, stops.words, stops.hasty),
        reported("counted without scale", stops.thousands, stops.spots, stops.clipped),
    ),
    "vanishing": (
        reported("many sigmoids, signals", standard(signals.beats), depth.sigmoids, momentum),
        reported("many gates", standard(signals.applicants), depth.gates, momentum),
        reported("small projections", signals.subjects, depth.projections, rmsprop),
        reported("damped blocks", standard(signals.bearings), depth.damped, adagrad),
    ),
    "exploding": (
        reported("growing waves", standard(signals.sensors), depth.waves, adam),
        reported("growing state", standard(signals.sensors), depth.state, adamw),
        reported("growing mixer", standard(signals.visitors), depth.mixer, rmsprop),
        reported("growing dense net", standard(signals.applicants), depth.dense_net, lion),
    ),
    "nonfinite": (
        reported("silent recordings", stops.silent(signals.bearings), stops.each, adam),
        reported("exponential attention", standard(signals.visitors), stops.attention, momentum),
        reported("distance of 0", stops.twins, stops.siamese, adamw),
        reported("energy in float16", stops.millivolts, stops.energy, rmsprop),
        reported("rate that doubles", ranged(signals.cells), stops.spots, rising),
    ),
    "over_regularized": (
        reported("orthogonality", signals.subjects, stops.orthogonal, adam),
        reported("penalty, steps", standard(signals.sensors), stops.penalised_steps, nadam),
        reported("penalty on a state", standard(signals.visitors), stops.quiet_state, adamw),
        reported("penalty, depthwise", standard(signals.chirps), stops.penalised_bands, gentle),
        reported(
            "weight decay, SGD",
            standard(signals.beats),
            stops.wave,
            rate(SGD, 0.01, momentum=0.9, weight_decay=5.0),
        ),
    ),
    "untrained": (
        reported("hardest attention", standard(signals.bearings), stops.hardest, adam),
        reported("tower without gradient", signals.pairs, stops.still_tower, momentum),
        reported(
            "never applied",
            standard(signals.chirps),
            stops.spots,
            rate(SGD, 0.01, gradient_accumulation_steps=100_000),
        ),
        reported("rate of 1e-9", signals.subjects, stops.words, rate(ADAM, 1e-9)),
    ),
}
