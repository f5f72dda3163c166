"""What watching a training costs, beside what people use instead.

    python -m benchmarks.overhead [--models NAME ...] [--arms NAME ...] [--rounds N] [--samples N]
                                  [--steps N] [--batch N] [--layers N] [--no-server] [--json]
    python -m benchmarks.overhead --memory [--steps N] [--no-server] [--json]

TensorBoard and W&B stand in the dependency group `bench`: `pip install --group bench` (pip 25.1 or
newer); an arm whose package is missing is left out, and the output says so. `KERAS_BACKEND` chooses
the backend.

Every arm trains its own copy of a model on the same batches, in one `fit` in a thread of its own,
and all take turns, an epoch (a block of steps) at a time, in an order that rotates from round to
round. So whatever else the machine does falls on all arms. A shared machine varies by 5 % even
where a callback does nothing, hence an arm that does nothing; its figures are what the others'
would be if they cost nothing. The arms that sample do so at the steps that Gainstage chose in the
round before. One of them, `forward`, asks the model for its outputs and reads nothing: no separate
pass over so many examples costs less.

A step lasts from the begin of one to the begin of the next, noted by a callback that stands first;
another stands last, so that all that an arm does in its hooks lies between the two. Rounds until
Gainstage's opening is over are the warm-up. Intervals are 95 % bootstrap intervals over rounds.

    share      samples per step x (median sampled - median plain step, and the same of the step
               behind it) / mean step of the median round; all steps are of the same arm
    ratio      median sampled / median plain step
    behind     median of the steps after a sample less the median plain step, in ms: where all
               cores are busy, what Gainstage makes of a sample in another thread falls there
    wall       median over rounds of an arm's time to plain training's in the same round, less 1
    hooks      what an unsampled step's hooks take longer than those of the arm that does nothing;
               measured in a tight loop as well, where nothing has gone cold
    start-up   the callbacks' begin of training, and what the first sample took longer than a step:
               tracing and compilation
    epoch end  the hooks at the end of an epoch, which `share` and `wall` leave out
"""

import os

# Before TensorFlow is imported, by whatever imports Keras.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.overhead.command import main

__all__ = ["main"]
