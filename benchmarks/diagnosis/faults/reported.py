"""Faults as they come about in small companies and courses, of which figures are reported.

Whoever wrote them had not seen the rules.
"""

from typing import Any

import keras

from benchmarks.diagnosis import practice as data
from benchmarks.diagnosis.families import (
    ADAM,
    FAULTY,
    SGD,
    Case,
    Family,
    Hidden,
    adagrad,
    adam,
    adamw,
    case,
    dense,
    lion,
    momentum,
    nadam,
    rate,
    reported,
    rmsprop,
    sgd,
)
from benchmarks.diagnosis.faults import saturated
from benchmarks.diagnosis.faults.parts import Compared, EachRecording, Shares, rmsle
from benchmarks.diagnosis.faults.ways import l1, l2, two
from benchmarks.diagnosis.tasks import Rng, Task

layers, initializers, optimizers = keras.layers, keras.initializers, keras.optimizers
# Squared errors, and many inputs that go together.
gentle = rate(SGD, 0.003, 0.01, momentum=0.9)


def shifted(rng: Rng) -> list[Any]:
    """A normalisation in front of rectifiers whose shift is far below what it normalises."""
    shift = initializers.Constant(-float(rng.uniform(9, 14)))
    return [
        layers.Conv1D(24, 7, strides=2),
        layers.BatchNormalization(beta_initializer=shift),
        layers.Activation("relu"),
        layers.GlobalMaxPooling1D(),
    ]


def two_views(rng: Rng) -> list[Any]:
    """Small and large filters side by side."""
    kinds = [layers.Conv2D(8, size, padding="same", activation="relu") for size in (3, 5)]
    return [
        lambda x: layers.Concatenate()([kind(x) for kind in kinds]),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
    ]


def below_zero(rng: Rng) -> list[Any]:
    """Decibels, all negative, under weights that may not be negative."""
    return dense(
        rng,
        "relu",
        kernel_initializer=saturated.positive(rng, 0.1, 0.4),
        kernel_constraint="non_neg",
        name=FAULTY,
    )


def narrowing(rng: Rng) -> list[Any]:
    """A textbook's perceptron: sigmoids, ever fewer, weights of 0.05."""
    kernel, count = initializers.RandomNormal(0, 0.05), int(rng.integers(6, 9))
    return [
        step
        for one in range(count)
        for step in (
            layers.Dense(64 - 6 * one, kernel_initializer=kernel),
            layers.Activation("sigmoid"),
        )
    ]


def small_deviations(rng: Rng) -> list[Any]:
    """The 0.01 of a network with thousands of inputs to each unit, for 80."""
    kernel, count = initializers.RandomNormal(0, 0.01), int(rng.integers(6, 9))
    return [
        *(
            layers.Conv1D(16, 5, padding="same", activation="tanh", kernel_initializer=kernel)
            for _ in range(count)
        ),
        layers.GlobalAveragePooling1D(),
    ]


def one_over_fan_in(rng: Rng) -> list[Any]:
    """One over the number of inputs, where its root was meant."""
    units, count = int(rng.choice([32, 48, 64])), int(rng.integers(8, 12))
    kernel = initializers.RandomNormal(0, 1 / units)
    return [layers.Dense(units, "gelu", kernel_initializer=kernel) for _ in range(count)]


def gates_in_a_row(rng: Rng) -> list[Any]:
    """Many gates, each half open, with no way past them."""

    def gated(x: Any) -> Any:
        return layers.Multiply()([x, layers.Dense(32, activation="sigmoid")(x)])

    return [layers.Dense(32), *[gated] * int(rng.integers(16, 21))]


def unit_deviations(rng: Rng) -> list[Any]:
    """A standard normal distribution for all weights."""
    count = int(rng.integers(5, 8))
    return [
        layers.Dense(48, "leaky_relu", kernel_initializer=initializers.RandomNormal(0, 1))
        for _ in range(count)
    ]


def random_state(rng: Rng) -> list[Any]:
    """Weights of the state drawn like any others, over a day of half-hours."""
    kernel = initializers.RandomNormal(0, rng.uniform(0.42, 0.5))
    return [
        layers.Reshape((48, 1)),
        layers.SimpleRNN(32, "elu", recurrent_initializer=kernel, name=FAULTY),
    ]


def twice_added(rng: Rng) -> list[Any]:
    """Residual blocks whose way past the branch is added twice."""

    def block(x: Any) -> Any:
        return layers.Add()([x, x, layers.Dense(32, activation="relu")(x)])

    return [layers.Dense(32), *[block] * int(rng.integers(9, 13))]


def half_deviations(rng: Rng) -> list[Any]:
    """Convolutions of 120 inputs to each unit, weights of about a half."""
    kernel, count = initializers.RandomNormal(0, rng.uniform(0.4, 0.6)), int(rng.integers(6, 9))
    return [
        *(
            layers.Conv1D(24, 5, padding="same", activation="silu", kernel_initializer=kernel)
            for _ in range(count)
        ),
        layers.GlobalAveragePooling1D(),
    ]


def stuck(rng: Rng) -> Task:
    """A pump of which one sensor stands still in a tenth of the windows."""
    task = data.machine_as_read(rng)
    still = rng.random(len(task.x)) < 0.1
    task.x[still, :, 3] = 12
    return task


def windowed(rng: Rng) -> list[Any]:
    """A convolution behind a normalisation of one's own."""
    return [
        EachRecording(),
        layers.Conv1D(16, 5, activation="relu"),
        layers.GlobalAveragePooling1D(),
    ]


def logarithmic(rng: Rng) -> Case:
    """A loss of counts that takes logarithms, on outputs that may be negative."""
    made = case(data.rentals_as_counted(rng), two("relu")(rng), adam(rng))
    made.model.compile(adam(rng), rmsle)
    return made


def wide_and_deep(rng: Rng) -> list[Any]:
    """The inputs themselves beside what two layers make of them."""
    first, second = two("relu")(rng)
    return [lambda x: layers.Concatenate()([x, second(first(x))])]


def own_softmax(rng: Rng) -> list[Any]:
    """Shares of what a layer makes of counts."""
    return [*dense(rng, "linear", name=FAULTY), Shares()]


def penalised_filters(rng: Rng) -> list[Any]:
    """A penalty of which the decimal point is wrong by three places."""
    return [
        layers.Conv2D(
            16, 3, strides=2, activation="relu", kernel_regularizer=l2(0, 0.7)(rng), name=FAULTY
        ),
        layers.Flatten(),
        *dense(rng, "relu"),
    ]


def penalised_projection(rng: Rng) -> list[Any]:
    """An absolute penalty on what a projection returns at each step."""
    return [
        layers.LayerNormalization(),
        layers.EinsumDense(
            "btc,ck->btk",
            (None, 24),
            activation="gelu",
            bias_axes="k",
            activity_regularizer=l1(0.7, 1.3)(rng),
            name=FAULTY,
        ),
        layers.GlobalAveragePooling1D(),
        *dense(rng, "gelu"),
    ]


def penalised_separable(rng: Rng) -> list[Any]:
    """Absolute penalties on both kernels of a separable convolution."""
    penalty = l1(-0.5, 0.3)(rng)
    return [
        layers.SeparableConv1D(
            24,
            5,
            activation="elu",
            depthwise_regularizer=penalty,
            pointwise_regularizer=penalty,
            name=FAULTY,
        ),
        layers.Flatten(),
        *dense(rng, "elu"),
    ]


def penalised_states(rng: Rng) -> list[Any]:
    """A penalty on what a recurrent layer returns."""
    return [layers.LSTM(24, activity_regularizer=l2(1, 1.6)(rng), name=FAULTY), *dense(rng, "relu")]


def compared(rng: Rng) -> list[Any]:
    """Features that are there or not."""
    return [
        layers.Conv1D(16, 7, strides=2, name=FAULTY),
        Compared(),
        layers.Flatten(),
        *dense(rng, "relu"),
    ]


def cropped_away(rng: Rng) -> list[Any]:
    """Two branches, and a slice behind them that keeps the first one's units alone."""
    kept, lost = layers.Dense(32, activation="relu"), layers.Dense(32, "relu", name=FAULTY)
    return [
        lambda x: layers.Concatenate()([kept(x), lost(x)])[:, :32],
        *dense(rng, "relu"),
    ]


def epochs_for_steps(rng: Rng) -> Any:
    """A rate that falls with a cosine over 10 epochs, and is told of steps."""
    return optimizers.Adam(optimizers.schedules.CosineDecay(1e-3, 10, alpha=1e-6))


def words(hidden: Hidden) -> Hidden:
    """Vectors for the words in front."""
    return lambda rng: [layers.Embedding(64, 24), *hidden(rng)]


REPORTED: dict[str, tuple[Family, ...]] = {
    "activity": (
        reported("all weights positive", data.absorbance, saturated.positive_weights, adam),
        reported("white paper", data.scans, saturated.smoothing, momentum),
        reported("spectrum in sections", data.absorbance, saturated.sections, lion),
        Family("examples as weights", True, saturated.examples_as_weights),
        reported(
            "monotone prices",
            data.entering(data.flats, saturated.to_unit_range),
            saturated.monotone,
            adamw,
        ),
        Family("sums for averages", True, saturated.sums_for_averages),
        reported("power beside features", data.loads, saturated.beside, sgd),
        reported("converter's baseline", data.beats_as_read, saturated.on_a_baseline, nadam),
    ),
    "kernel": (
        reported("deviation for scale", data.spectra, saturated.deviation_for_scale, gentle),
        Family("whole numbers as weights", True, saturated.whole_numbers),
        reported("orthogonal by per cent", data.beats, saturated.orthogonal, nadam),
        Family("checkpoints summed", True, saturated.summed_checkpoints),
        reported("large heads", data.machine, saturated.large_heads, rmsprop),
    ),
    "input": (
        reported("flats as listed", data.flats_as_listed, saturated.not_adapted, adam),
        reported("pascals", data.machine_as_read, saturated.pressures, nadam),
        reported("cents", data.shares, saturated.recurrent(layers.GRU), adamw),
        reported("minutes since 1970", saturated.with_minutes, saturated.late_minutes, rmsprop),
        reported("views as counted", data.views_as_counted, two("sigmoid"), adagrad),
    ),
    "bias": (
        reported("price as bias", data.flats, saturated.price_as_bias, adam),
        reported("channel means as bias", data.forms, saturated.means_as_bias, momentum),
        reported("bias of each word", data.reviews, saturated.biased_steps, nadam),
        reported("seed as deviation", data.beats, saturated.seed_as_deviation, rmsprop),
    ),
    "dead": (
        reported(
            "rate of large batches", data.customers, two("relu"), rate(SGD, 1.6, 3.2, momentum=0.9)
        ),
        reported("shift far below", data.beats, shifted, sgd),
        reported("Adadelta's rate, Adamax", data.forms, two_views, rate(optimizers.Adamax, 1.0)),
        reported("decibels below zero", data.levels, below_zero, adam),
    ),
    "vanishing": (
        reported("textbook's perceptron", data.customers, narrowing, momentum),
        reported("deviation of 0.01", data.beats, small_deviations, momentum),
        reported("one over fan-in", data.flats, one_over_fan_in, nadam),
        reported("gates in a row", data.views, gates_in_a_row, sgd),
    ),
    "exploding": (
        reported("deviation of 1", data.bands, unit_deviations, adam),
        reported(
            "random state weights", data.loads, random_state, rate(SGD, 0.002, 0.005, clipnorm=1.0)
        ),
        reported("shortcut added twice", data.flats, twice_added, nadam),
        reported("deviation of a half", data.beats, half_deviations, adamw),
    ),
    "nonfinite": (
        reported("stuck sensor", stuck, windowed, adam),
        Family("RMSLE by hand", True, logarithmic),
        reported("Adadelta's rate, SGD", data.spectra, wide_and_deep, rate(SGD, 1.0)),
        reported("softmax by hand", data.views_as_counted, own_softmax, adamw),
    ),
    "over_regularized": (
        reported("decimal point", data.forms, penalised_filters, adam),
        reported("penalty at each step", data.machine, penalised_projection, nadam),
        reported("AdamW's decay, SGD", data.bands, two("relu"), rate(SGD, 0.1, weight_decay=0.5)),
        reported("penalty, separable", data.prices, penalised_separable, adamw),
        reported("penalty on states", data.machine, penalised_states, rmsprop),
    ),
    "untrained": (
        reported("Adam's rate, Adadelta", data.forms, two_views, rate(optimizers.Adadelta, 1e-5)),
        reported(
            "epochs for steps",
            data.reviews,
            words(saturated.recurrent(layers.GRU)),
            epochs_for_steps,
        ),
        reported("compared with 0", data.beats, compared, adam),
        reported("cropped away", data.customers, cropped_away, adam),
        reported(
            "gradients hoarded",
            data.spectra,
            two("tanh"),
            rate(ADAM, 1e-3, gradient_accumulation_steps=10_000),
        ),
    ),
}
