"""The faults of the families of which figures are reported."""

from typing import Any

import keras
import numpy as np

from benchmarks.diagnosis import generated, tasks
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
    residual,
    rmsprop,
    sgd,
    stack,
    width,
)
from benchmarks.diagnosis.faults.parts import Drift, Root, Rounded
from benchmarks.diagnosis.faults.ways import he, l1, l2, loud, two
from benchmarks.diagnosis.tasks import Maker, Rng, Task

layers, initializers, regularizers = keras.layers, keras.initializers, keras.regularizers
optimizers = keras.optimizers


def one_sign(rng: Rng, least: float, most: float) -> Any:
    """Weights of one sign, whose mean is between the two, and that differ little."""
    return initializers.RandomNormal(rng.uniform(least, most), 0.05)


def coherent_spectra(rng: Rng) -> list[Any]:
    """A convolution over positive levels."""
    kernel = one_sign(rng, 0.15, 0.3)
    return [
        layers.Conv1D(width(rng), 5, strides=2, kernel_initializer=kernel, name=FAULTY),
        layers.Activation("tanh"),
        layers.Flatten(),
    ]


def matched_filters(rng: Rng) -> Case:
    """Weights, as if loaded, that are sums of what the inputs are sums of."""
    task = generated.tones(rng)
    made = case(task, dense(rng, "hard_sigmoid", name=FAULTY), adam(rng))
    _, _, directions = np.linalg.svd(task.x, full_matrices=False)
    kernel = made.model.get_layer(FAULTY).kernel
    filters = directions[:3].T @ rng.normal(size=(3, kernel.shape[1]))
    kernel.assign(rng.uniform(1.5, 2.5) * filters / np.linalg.norm(filters, axis=0))
    return made


def coherent_embedding(rng: Rng) -> list[Any]:
    """Vectors of tokens that are positive, as few initializers make them."""
    return [
        layers.Embedding(256, 64, initializers.RandomUniform(0, 1)),
        layers.Flatten(),
        *dense(rng, "tanh", kernel_initializer=one_sign(rng, 0.04, 0.08), name=FAULTY),
    ]


def coherent_residual(rng: Rng) -> list[Any]:
    """Inputs that grew positive along a residual branch, into units that stop at 6."""
    return [
        layers.Dense(128, activation="relu", kernel_initializer="he_normal"),
        residual(layers.Dense(128, activation="relu", kernel_initializer="he_normal")),
        *dense(rng, "relu6", kernel_initializer=one_sign(rng, 0.2, 0.3), name=FAULTY),
    ]


def coherent_grey(rng: Rng) -> list[Any]:
    """Grey values that are not centred."""
    kernel = one_sign(rng, 0.15, 0.3)
    return [layers.Flatten(), *dense(rng, "sigmoid", kernel_initializer=kernel, name=FAULTY)]


def large_depthwise(rng: Rng) -> list[Any]:
    """Filters of 9 weights each that are far too large."""
    kernel = initializers.RandomNormal(0, rng.uniform(10, 30))
    return [
        layers.DepthwiseConv2D(
            3,
            depth_multiplier=int(rng.choice([4, 8])),
            activation="softsign",
            depthwise_initializer=kernel,
            name=FAULTY,
        ),
        layers.Flatten(),
    ]


def large_recurrent(rng: Rng) -> list[Any]:
    """The weights of a recurrent layer's inputs, those of its state as usual."""
    kernel = he(rng.uniform(10, 40))
    return [layers.SimpleRNN(width(rng), kernel_initializer=kernel, name=FAULTY)]


def large_uniform(rng: Rng) -> list[Any]:
    """A range of weights as for inputs of another unit."""
    edge = rng.uniform(8, 20)
    kernel = initializers.RandomUniform(-edge, edge)
    return [
        layers.Conv1D(16, 3, kernel_initializer=kernel, name=FAULTY),
        layers.Activation("hard_sigmoid"),
        layers.Flatten(),
    ]


def scaled_weights(rng: Rng) -> Case:
    """Weights that were multiplied after they had been initialized, as when loaded wrongly."""
    hidden = [*dense(rng, "tanh"), *dense(rng, "tanh", name=FAULTY)]
    made = case(generated.surface(rng), hidden, adamw(rng))
    kernel = made.model.get_layer(FAULTY).kernel
    kernel.assign(kernel * rng.uniform(20, 60))
    return made


def recurrent_gates(rng: Rng) -> list[Any]:
    """A recurrent layer with gates."""
    return [layers.GRU(int(rng.choice([16, 32])))]


def one_loud(make: Maker) -> Maker:
    """A task of which one feature is 1,000 to 4,000 times as large."""

    def maker(rng: Rng) -> Task:
        task = make(rng)
        by = np.float32(rng.uniform(1_000, 4_000))
        for x in (task.x, task.test_x):
            x[:, 0] *= by
        return task

    return maker


def drifting(rng: Rng) -> list[Any]:
    """A bias that moves on by itself with each update."""
    step = float(rng.choice([-1, 1]) * rng.uniform(0.4, 0.8))
    return dense(rng, "sigmoid", bias_constraint=Drift(step), name=FAULTY)


def biased_separable(rng: Rng) -> list[Any]:
    """Biases of both signs."""
    bias = initializers.RandomNormal(0, rng.uniform(40, 80))
    return [
        layers.SeparableConv2D(24, 3, activation="tanh", bias_initializer=bias, name=FAULTY),
        layers.Flatten(),
    ]


def biased_recurrent(rng: Rng) -> list[Any]:
    """A bias that outweighs inputs and state."""
    bias = initializers.Constant(float(rng.choice([-1, 1]) * rng.uniform(10, 30)))
    return [layers.SimpleRNN(width(rng), bias_initializer=bias, name=FAULTY)]


def biased_words(rng: Rng) -> list[Any]:
    """Units that stop at 6, and a bias beyond that."""
    bias = initializers.Constant(float(rng.uniform(10, 30)))
    return [
        layers.Embedding(256, 32),
        layers.GlobalAveragePooling1D(),
        layers.Dense(width(rng), bias_initializer=bias, name=FAULTY),
        layers.Activation("relu6"),
    ]


def negative_weights(rng: Rng) -> list[Any]:
    """Negative weights for inputs that are positive."""
    kernel = one_sign(rng, -0.3, -0.15)
    return [
        layers.Conv1D(
            width(rng), 5, strides=2, activation="relu", kernel_initializer=kernel, name=FAULTY
        ),
        layers.Flatten(),
    ]


def convolutions(least: int, most: int, activation: str, factor: tuple[float, float]) -> Hidden:
    """That many convolutions, with weights `factor` times as large as He's."""

    def hidden(rng: Rng) -> list[Any]:
        kernel, count = he(rng.uniform(*factor)), int(rng.integers(least, most + 1))
        return [
            *(
                layers.Conv2D(
                    8, 3, padding="same", activation=activation, kernel_initializer=kernel
                )
                for _ in range(count)
            ),
            layers.GlobalAveragePooling2D(),
        ]

    return hidden


def recurrent_stack(rng: Rng) -> list[Any]:
    """Recurrent layers with sigmoids, one on the other."""
    count = int(rng.integers(6, 8))
    return [
        *(layers.SimpleRNN(16, "sigmoid", return_sequences=True) for _ in range(count)),
        layers.Flatten(),
    ]


def growing_residual(rng: Rng) -> list[Any]:
    """Many branches of which each adds more than it got."""
    kernel, count = he(rng.uniform(2, 3)), int(rng.integers(12, 17))
    return [
        layers.Dense(32),
        *(
            residual(layers.Dense(32, activation="relu", kernel_initializer=kernel))
            for _ in range(count)
        ),
    ]


def growing_recurrent(rng: Rng) -> list[Any]:
    """A rectified state that multiplies from step to step."""
    kernel = initializers.Orthogonal(rng.uniform(2.5, 3.5))
    return [layers.SimpleRNN(32, "relu", recurrent_initializer=kernel, name=FAULTY)]


def exponential(rng: Rng) -> list[Any]:
    """Exponentials of large values."""
    return dense(rng, "exponential", name=FAULTY)


def root(rng: Rng) -> list[Any]:
    """An operation whose gradient is infinite for some values."""
    return [*dense(rng, "linear"), Root()]


def infinite(make: Maker) -> Maker:
    """A task with infinite values in one feature, as after a division by 0."""

    def maker(rng: Rng) -> Task:
        task = make(rng)
        task.x[rng.integers(len(task.x), size=len(task.x) // 20), 0] = np.inf
        return task

    return maker


def penalised_convolution(rng: Rng) -> list[Any]:
    """Both penalties on the weights of a convolution."""
    penalty = regularizers.L1L2(10 ** rng.uniform(-1.5, -1), 10 ** rng.uniform(0.3, 0.7))
    return [
        layers.Conv2D(
            int(rng.choice([8, 16])),
            3,
            activation="tanh",
            kernel_regularizer=penalty,
            name=FAULTY,
        ),
        layers.Flatten(),
        *dense(rng, "tanh"),
    ]


def penalised_recurrent(rng: Rng) -> list[Any]:
    """A penalty on the weights of inputs and state."""
    penalty = l2(0.5, 1)(rng)
    return [layers.LSTM(24, kernel_regularizer=penalty, recurrent_regularizer=penalty, name=FAULTY)]


def penalised_embedding(rng: Rng) -> list[Any]:
    """A penalty on the vectors of tokens."""
    return [
        layers.Embedding(8, 16, embeddings_regularizer=l2(1, 1.5)(rng), name=FAULTY),
        layers.GlobalAveragePooling1D(),
        *dense(rng, "relu"),
    ]


def penalised_outputs(rng: Rng) -> list[Any]:
    """An absolute penalty on what a convolution returns."""
    return [
        layers.Conv1D(
            16, 5, activation="gelu", activity_regularizer=l1(0.7, 1.3)(rng), name=FAULTY
        ),
        layers.Flatten(),
        *dense(rng, "gelu"),
    ]


def rounded(rng: Rng) -> list[Any]:
    """A convolution whose outputs are made whole numbers."""
    return [
        layers.Conv1D(16, 7, strides=2, name=FAULTY),
        Rounded(),
        layers.Flatten(),
        *dense(rng, "relu"),
    ]


def shut(rng: Rng) -> list[Any]:
    """A residual branch behind a gate that is shut."""
    branch = layers.Dense(32, activation="gelu", name=FAULTY)
    return [layers.Dense(32, activation="gelu"), residual(branch, layers.Rescaling(0.0))]


def conv_pair(activation: str) -> Hidden:
    """Two plain convolutions: the fault is elsewhere."""
    return lambda rng: [
        layers.Conv2D(int(rng.choice([8, 16])), 3, activation=activation),
        layers.Conv2D(int(rng.choice([8, 16])), 3, strides=2, activation=activation),
        layers.Flatten(),
    ]


def conv_separate(rng: Rng) -> list[Any]:
    """A convolution, and softsign in a layer of its own."""
    return [
        layers.Conv2D(int(rng.choice([8, 16])), 3),
        layers.Activation("softsign"),
        layers.Flatten(),
    ]


def halved_each_step(rng: Rng) -> Any:
    """A decay that was meant for epochs."""
    return optimizers.RMSprop(optimizers.schedules.ExponentialDecay(1e-3, 1, 0.5))


REPORTED: dict[str, tuple[Family, ...]] = {
    "activity": (
        reported("coherent spectra", generated.spectra, coherent_spectra, rmsprop),
        Family("matched filters", True, matched_filters),
        reported("coherent embedding", tasks.prose, coherent_embedding, adamw),
        reported("coherent behind residual", generated.friedman, coherent_residual, lion),
        reported("coherent grey values", generated.stripes, coherent_grey, adagrad),
    ),
    "kernel": (
        reported("large depthwise", generated.tints, large_depthwise, rmsprop),
        reported("large recurrent", generated.copying, large_recurrent, nadam),
        reported("large uniform", generated.walks, large_uniform, adagrad),
        Family("weights multiplied", True, scaled_weights),
    ),
    "input": (
        reported(
            "grey values to 255",
            lambda rng: generated.shades(rng).scaled(255),
            conv_separate,
            nadam,
        ),
        reported("units of the clinic", tasks.patients, two("hard_tanh"), rmsprop),
        reported("loud walks", loud(generated.walks), recurrent_gates, adamw),
        reported("one loud feature", one_loud(generated.friedman), two("sigmoid"), adagrad),
    ),
    "bias": (
        reported("bias drift", generated.moons, drifting, adam),
        reported("biases of both signs", generated.tints, biased_separable, nadam),
        reported("bias, recurrent", generated.copying, biased_recurrent, rmsprop),
        reported("bias, words", tasks.prose, biased_words, adamw),
    ),
    "dead": (
        reported("values as they are", tasks.progress, two("relu"), rate(SGD, 0.05, 0.1)),
        reported("negative weights", generated.spectra, negative_weights, adamw),
        reported(
            "rate too high, RMSprop",
            generated.tints,
            conv_pair("relu"),
            rate(optimizers.RMSprop, 0.1, 0.3),
        ),
        reported("rate too high, Lion", tasks.iris, two("relu"), rate(optimizers.Lion, 0.3, 1.0)),
    ),
    "vanishing": (
        reported("many hard sigmoids", generated.spirals, stack(8, 12, "hard_sigmoid"), nadam),
        reported(
            "many small convolutions",
            generated.tints,
            convolutions(8, 12, "softsign", (0.1, 0.15)),
            rmsprop,
        ),
        reported("small weights, GELU", generated.circles, stack(12, 16, "gelu", he(0.3)), adamw),
        reported("many recurrent", generated.copying, recurrent_stack, momentum),
    ),
    "exploding": (
        reported(
            "growing convolutions",
            generated.stripes,
            convolutions(10, 12, "leaky_relu", (2.5, 3.5)),
            nadam,
        ),
        reported("growing residuals", generated.friedman, growing_residual, lion),
        reported("recurrent ReLU", generated.walks, growing_recurrent, adamw),
    ),
    "nonfinite": (
        reported("exponential", loud(generated.flat_waves), exponential, momentum),
        reported("root of 0", generated.surface, root, rmsprop),
        reported("infinite in the data", infinite(tasks.iris), two("tanh"), nadam),
        reported("divergence, values as they are", tasks.progress, two("elu"), rate(SGD, 0.5, 1.0)),
    ),
    "over_regularized": (
        reported("penalty, convolution", generated.tints, penalised_convolution, sgd),
        reported("penalty, LSTM", generated.walks, penalised_recurrent, nadam),
        reported("penalty, embedding", generated.symbols, penalised_embedding, adam),
        reported("absolute penalty on outputs", generated.spectra, penalised_outputs, adamw),
        reported(
            "weight decay, Lion",
            generated.circles,
            two("silu"),
            rate(optimizers.Lion, 3e-4, weight_decay=100.0),
        ),
    ),
    "untrained": (
        reported(
            "epsilon too large", generated.spirals, two("silu"), rate(ADAM, 1e-3, epsilon=1e6)
        ),
        reported("rate halved each step", generated.tints, conv_pair("elu"), halved_each_step),
        reported("rounded", generated.waves, rounded, momentum),
        reported("gate shut", generated.circles, shut, sgd),
    ),
}
