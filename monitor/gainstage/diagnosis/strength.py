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
# The level aimed at stands 6 dB, half, below the headroom: safely inside, where gradients pass.
TARGET_DB = -6.0
# The share of the stability bound that is used at most: noise in the input energy is 2 dB.
STABLE_SHARE = 0.1
# Optimizers that rescale each weight's gradient: they shrink the weights by about the learning rate
# a step whatever lambda is, which then only weighs the penalty against the loss.
ADAPTIVE = {"Adam", "AdamW", "Adamax", "Nadam", "RMSprop", "Adagrad", "Adadelta", "Lion", "Lamb"}
# Rate assumed where the optimizer does not tell one.
USUAL_RATE = 0.01


def penalty(row: Row, training: Training, *, excess_db: float, eigenvalue: float) -> float:
    """Lambda of an L2 penalty that takes `excess_db` off the level of `row`.

    Args:
        row: The layer.
        training: How it is trained.
        excess_db: How far the level stands above where it should.
        eigenvalue: Energy of the input's loudest direction for an activity penalty; 1 for a
            kernel penalty.
    """
    rate = USUAL_RATE if training.optimizer in ADAPTIVE else training.learning_rate or USUAL_RATE
    damping = 1.0 - training.momentum
    nepers = max(excess_db, 1.0) * math.log(10) / 20
    wanted = nepers * damping / (2 * rate * eigenvalue * DECAY_STEPS)
    bound = (1 + training.momentum) / (rate * eigenvalue)
    return min(wanted, STABLE_SHARE * bound)


def activity_penalty(row: Row, training: Training, *, excess_db: float, eigenvalue: float) -> float:
    """Lambda for `activity_regularizer=keras.regularizers.L2(...)` in the Keras in hand.

    Keras sums the penalty over units and positions; versions before 3.14 sum it over the examples
    of the batch as well.
    """
    strength = penalty(row, training, excess_db=excess_db, eigenvalue=eigenvalue)
    positions = math.prod(size or 1 for size in row.output_shape[:-1])
    examples = 1 if training.penalty_per_example else training.batch_size or 32
    return strength / (positions * examples)
