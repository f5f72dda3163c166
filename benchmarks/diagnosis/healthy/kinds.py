"""Trainings without a fault, of many kinds of models, data and optimizers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from benchmarks.diagnosis import generated, tasks
from benchmarks.diagnosis.families import (
    SGD,
    Case,
    Family,
    Hidden,
    Optimizer,
    adagrad,
    adam,
    adamw,
    case,
    chosen,
    lion,
    momentum,
    nadam,
    rate,
    rmsprop,
    sgd,
    stack,
)
from benchmarks.diagnosis.healthy import architectures as forms
from benchmarks.diagnosis.tasks import Maker, Rng

layers = keras.layers


@dataclass(frozen=True)
class Group:
    """Trainings of one kind of input: any of the tasks, with any of the forms and optimizers."""

    tasks: tuple[Maker, ...]
    forms: tuple[Hidden, ...]
    optimizers: tuple[Optimizer, ...]


# Plain descent where the loss is steep: with squared errors, or thousands of values at the end.
GENTLE = (rate(SGD, 0.01, 0.02), rate(SGD, 2e-3, 5e-3, momentum=0.9))
ADAPTIVE = (adam, adamw, nadam, rmsprop, lion)
DENSE = (
    forms.deep,
    forms.shallow,
    forms.normalised_dense,
    forms.penalised_dense,
    forms.dropped,
    forms.residual_dense,
    forms.gated,
    forms.bounded,
    forms.frozen,
)
OVER_TIME = (
    forms.convolved,
    forms.normalised_over_time,
    forms.recurrent(layers.LSTM),
    forms.recurrent(layers.GRU),
    forms.recurrent(layers.SimpleRNN),
    forms.bidirectional,
    forms.transformer,
)
GROUPS = (
    Group(
        (
            tasks.digits,
            tasks.table,
            tasks.iris,
            generated.blobs,
            generated.moons,
            generated.circles,
            generated.spirals,
        ),
        DENSE,
        (sgd, momentum, adagrad, *ADAPTIVE),
    ),
    # Plain descent needs low rates where hundreds of features go together.
    Group((tasks.features, generated.flat_waves), DENSE, (adagrad, *ADAPTIVE)),
    Group(
        (tasks.values, generated.friedman, generated.surface),
        DENSE,
        (*GENTLE, adagrad, *ADAPTIVE),
    ),
    Group(
        (tasks.images, generated.stripes, generated.tints),
        (forms.residual_convolutions,),
        ADAPTIVE,
    ),
    Group(
        (tasks.images, generated.stripes, generated.tints),
        (
            forms.plain_convolutions,
            forms.pooled_convolutions,
            forms.normalised_convolutions,
            forms.separable_convolutions,
            forms.augmented,
        ),
        (*GENTLE, adagrad, *ADAPTIVE),
    ),
    Group(
        (generated.copying, generated.sequences, generated.waves),
        OVER_TIME,
        (rate(SGD, 0.02, 0.05, momentum=0.9), *ADAPTIVE),
    ),
    # A tone at any time is found by convolutions soon, by recurrent layers much later.
    Group(
        (generated.spectra,),
        (forms.convolved, forms.normalised_over_time),
        (rate(SGD, 0.02, 0.05, momentum=0.9), *ADAPTIVE),
    ),
    Group((generated.walks,), (*OVER_TIME, forms.along), ADAPTIVE),
    Group(
        (tasks.prose, generated.symbols, generated.tokens),
        tuple(
            forms.embedded(form)
            for form in (
                forms.averaged,
                forms.convolved,
                forms.recurrent(layers.GRU),
                forms.bidirectional,
                forms.transformer,
            )
        ),
        ADAPTIVE,
    ),
)


def counted(groups: Sequence[Group]) -> list[int]:
    """How many kinds of training each group has."""
    return [len(group.tasks) * len(group.forms) for group in groups]


COUNTS = counted(GROUPS)


def drawn_from(groups: Sequence[Group]) -> Callable[[Rng], Case]:
    """Draws a training of any kind, each as likely as the others."""
    counts = counted(groups)

    def make(rng: Rng) -> Case:
        group = groups[int(rng.choice(len(groups), p=[count / sum(counts) for count in counts]))]
        task, hidden, optimizer = (
            forms.one_of(rng, *them) for them in (group.tasks, group.forms, group.optimizers)
        )
        return case(task(rng), hidden(rng), optimizer(rng))

    return make


def linear(rng: Rng) -> list[Any]:
    """Nothing: the output layer sees the inputs."""
    return []


def self_normalising(rng: Rng) -> list[Any]:
    """SELU as its authors use it (Klambauer et al. 2017)."""
    return [
        *stack(2, 4, "selu", "lecun_normal")(rng),
        layers.AlphaDropout(0.05),
    ]


def frozen_embedding(rng: Rng) -> list[Any]:
    """Vectors of tokens as if loaded, and a convolution over them."""
    vectors = layers.Embedding(256, 32, "random_normal")
    vectors.trainable = False
    return [vectors, layers.LayerNormalization(), *forms.convolved(rng)]


KINDS: tuple[Family, ...] = (
    chosen("softsign", tasks.iris, stack(1, 2, "softsign"), adagrad),
    chosen("linear", generated.surface, linear, GENTLE[0]),
    chosen("hard sigmoid", generated.blobs, stack(1, 2, "hard_sigmoid"), adamw),
    chosen("circles", generated.circles, stack(2, 4, "tanh"), rmsprop),
    chosen("SELU", tasks.table, self_normalising, rate(SGD, 0.01, 0.02, momentum=0.9)),
    chosen("convolution over time", generated.spectra, forms.convolved, lion),
    chosen("separable convolutions", generated.tints, forms.separable_convolutions, nadam),
    chosen("residual convolutions", generated.stripes, forms.residual_convolutions, adam),
    chosen("augmented images", generated.tints, forms.augmented, adamw),
    chosen("bidirectional", tasks.prose, forms.embedded(forms.bidirectional), rmsprop),
    chosen("GRU, copying", generated.copying, forms.recurrent(layers.GRU), lion),
    chosen("residual, values", generated.friedman, forms.residual_dense, adagrad),
    chosen("words on average", tasks.prose, forms.embedded(forms.averaged), nadam),
    chosen("frozen vectors", generated.symbols, frozen_embedding, rmsprop),
    chosen("attention over time", generated.walks, forms.transformer, adamw),
    chosen("gates", generated.spirals, forms.gated, adam),
    chosen("noise", generated.moons, forms.dropped, nadam),
    Family("trainings of all kinds", False, drawn_from(GROUPS)),
)
