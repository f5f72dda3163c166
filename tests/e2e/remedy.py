"""What is done about the canonical case: `remedy.py trial URL RUN`, `remedy.py fit URL RUN`.

The trial is added to a run that is there; the fit is a run of its own, with the layer patched.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from gainstage import LayerMonitor, cases, run_trial

DATA, CASE = cases.load("digits"), cases.CANONICAL


def trial(url: str, run: str) -> None:
    run_trial(
        cases.build(DATA, CASE, CASE.hidden()),
        (DATA.train_x, DATA.train_y),
        validation_data=(DATA.test_x, DATA.test_y),
        layer="hidden",
        arms=["kernel"],
        strengths=(1.0, 3.0),
        steps=20,
        seeds=2,
        progress=False,
        run=run,
        url=url,
    )


def fit(url: str, run: str) -> None:
    keras.Sequential()  # so that the model has another name than the one before it
    hidden = [
        keras.layers.Dense(64, activity_regularizer=keras.regularizers.L2(1e-3), name="hidden"),
        keras.layers.Activation("sigmoid"),
    ]
    monitor = LayerMonitor(url, project="e2e", run=run, every=7, config={"patched": True})
    cases.train(cases.build(DATA, CASE, hidden), DATA, CASE, [monitor], epochs=3)


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    {"trial": trial, "fit": fit}[sys.argv[1]](*sys.argv[2:])
