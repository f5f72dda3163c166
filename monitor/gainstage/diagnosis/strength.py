"""How strong a penalty has to be: lambda computed for the layer and the optimizer in hand.

With z = xW and C = mean(x x^T), a step of gradient descent on lambda sum(z^2) takes
2 rate lambda C w off each unit's weights w. Along the loudest direction of the input, with
eigenvalue c, the level decays by the factor 1 - 2 rate lambda c / (1 - momentum) a step, and
diverges above lambda = (1 + momentum) / (rate c). A kernel penalty decays all directions alike:
for it, c = 1.
"""

import math

from gainstage.wire import Row, Training

# Steps in which the penalty alone brings the level to where it should be: five times the
# optimizer's own memory (10 steps at momentum 0.9). On breast cancer and wine in random features,
# lambdas from a quarter to twice as strong gave the best accuracies; weaker ones came too late.
DECAY_STEPS = 50
# Steps in which a penalty would do so that only has to keep weights from growing back, once their
# initializer is right: a training's length, so that the features survive it. On the same data,
# a tenth to five times the strength made no difference, twenty times cost accuracy.
HOLDING_STEPS = 5_000
# A factor of e in amplitude.
NEPER_DB = 20 / math.log(10)
# The level aimed at stands 6 dB, half, below the headroom: safely inside, where gradients pass.
TARGET_DB = -6.0
# The share of the stability bound that is used at most: noise in the input energy is 2 dB.
STABLE_SHARE = 0.1
# Optimizers that rescale each weight's gradient: they shrink the weights by about the learning rate
# a step whatever lambda is. It then only weighs the penalty against the loss, and is chosen by the
# gradient that it adds once the level is where it should be: a hundredth of what the loss sends to
# an active unit in front of a softmax (about 0.01). On digits in random features, a tenth of it
# gave 0.70 and 0.79 where a hundredth gave 0.88, with kernel penalties likewise.
ADAPTIVE = {"Adam", "AdamW", "Adamax", "Nadam", "RMSprop", "Adagrad", "Adadelta", "Lion", "Lamb"}
ADAPTIVE_GRADIENT = 1e-4
# Those of them whose steps shrink with all that has been asked of a weight, or begin far below it.
SHRINKING = {"Adagrad", "Adadelta"}
# Rate assumed where the optimizer does not tell one.
USUAL_RATE = 0.01


def penalty(
    training: Training,
    *,
    excess_db: float,
    target: float,
    eigenvalue: float = 1.0,
    steps: int = DECAY_STEPS,
) -> float:
    """Lambda of an L2 penalty on a sum of squares, once an example and position.

    Args:
        training: How the model is trained.
        excess_db: How far the level stands above where it should.
        target: The rms, of what is penalised, that it should have.
        eigenvalue: Energy of the input's loudest direction for an activity penalty; 1 for a
            penalty on the weights themselves.
        steps: Steps in which the penalty alone takes the excess away.
    """
    # Levels of silence and of overflow say nothing about the layer.
    target = target if target > 0 else 1.0
    eigenvalue = eigenvalue if eigenvalue > 0 else 1.0
    if training.optimizer in ADAPTIVE:
        return ADAPTIVE_GRADIENT * DECAY_STEPS / steps / (2 * target)
    rate = training.learning_rate or USUAL_RATE
    nepers = max(excess_db, 1.0) / NEPER_DB
    wanted = nepers * (1 - training.momentum) / (2 * rate * eigenvalue * steps)
    return min(wanted, STABLE_SHARE * bound(training, eigenvalue))


def bound(training: Training, eigenvalue: float) -> float:
    """Lambda beyond which an L2 penalty itself diverges; infinite where gradients are rescaled."""
    rate = training.learning_rate or USUAL_RATE
    if training.optimizer in ADAPTIVE or not eigenvalue > 0:
        return math.inf
    return (1 + training.momentum) / (rate * eigenvalue)


def activity_penalty(
    row: Row,
    training: Training,
    *,
    excess_db: float,
    target: float,
    eigenvalue: float,
    steps: int = DECAY_STEPS,
) -> float:
    """Lambda for `activity_regularizer=keras.regularizers.L2(...)` in the Keras in hand.

    Keras sums the penalty over units and positions; versions before 3.14 sum it over the examples
    of the batch as well.
    """
    strength = penalty(
        training, excess_db=excess_db, target=target, eigenvalue=eigenvalue, steps=steps
    )
    return strength / _summed(row, training)


def patience(training: Training, kernel_rms: float) -> str:
    """How long a penalty takes to bring weights of that rms down, in words, where it takes long."""
    rate = training.learning_rate or USUAL_RATE
    steps = kernel_rms / rate
    if training.optimizer not in ADAPTIVE - SHRINKING or not DECAY_STEPS < steps < math.inf:
        return ""
    return (
        f" {training.optimizer} moves a weight by about the learning rate a step, however strong "
        f"the penalty is: weights of this size, {kernel_rms:.2g}, take some {steps:,.0f} steps."
    )


def activity_bound(row: Row, training: Training, eigenvalue: float) -> float:
    """As `bound`, for an activity penalty in the Keras in hand."""
    return bound(training, eigenvalue) / _summed(row, training)


def _summed(row: Row, training: Training) -> int:
    """How many terms Keras adds up for each unit."""
    positions = math.prod(size or 1 for size in row.output_shape[:-1])
    examples = 1 if training.penalty_per_example else training.batch_size or 32
    return positions * examples


def safe_db(headroom_db: float) -> float:
    """Level at which a layer is safe: half its headroom, or unit rms, 0 dB, where that is NaN."""
    return headroom_db + TARGET_DB if math.isfinite(headroom_db) else 0.0


def amplitude(decibels: float) -> float:
    """The rms whose level is `decibels`."""
    return 10 ** (decibels / 20)
