"""Standardising what enters a layer, in front of it: the remedy for what is too loud."""

from gainstage.diagnosis.rule import Case
from gainstage.diagnosis.source import Call, call
from gainstage.wire import Row

# Below this share of its rms, the spread of an input is no scale to go by: it is one constant.
LEAST_SPREAD = 1e-3


def standardising(case: Case) -> tuple[str, Call]:
    """What to do about the input of the layer, in words, and the layer to put in front of it.

    What all inputs share is loud too, so that the mean goes as well.
    """
    mean, spread = case["input_mean"], case["input_std"]
    if not spread > LEAST_SPREAD * case["input_rms"]:
        mean, spread = 0.0, case["input_rms"]
    feeding = feeding_rows(case)
    source = f"what {', '.join(row.path for row in feeding)} puts out" if feeding else "the data"
    each = (
        "`keras.layers.BatchNormalization()`"
        if feeding
        else "what `normalization = keras.layers.Normalization(); normalization.adapt(x)` makes of "
        "the training data"
    )
    words = (
        f"Standardise what enters {case.row.path}, which is {source}: an rms of "
        f"{case['input_rms']:.3g} around a mean of {case['input_mean']:.3g}. The Rescaling below "
        "moves and scales all features alike; where the features differ in scale, put "
        f"{each} in its place."
    )
    scaling = call(
        "keras.layers.Rescaling",
        scale=float(f"{1 / spread:.3g}"),
        offset=float(f"{-mean / spread:.3g}"),
    )
    return words, scaling


def feeding_rows(case: Case) -> list[Row]:
    """The rows whose outputs enter the layer; none: the data do."""
    return [case.view.layout.rows[place] for place in case.row.inputs]
