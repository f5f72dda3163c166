"""An input that is too loud."""

from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription
from gainstage.diagnosis.source import call, layer, replacement

# Below this share of its rms, the spread of an input is no scale to go by: it is one constant.
LEAST_SPREAD = 1e-3


def prescribe(case: Case) -> Prescription:
    """Standardising in front of the layer: what all inputs share is loud too."""
    row = case.row
    mean, spread = case["input_mean"], case["input_std"]
    if not spread > LEAST_SPREAD * case["input_rms"]:
        mean, spread = 0.0, case["input_rms"]
    feeding = [case.view.layout.rows[place].path for place in row.inputs]
    source = f"what {', '.join(feeding)} puts out" if feeding else "the data"
    return Prescription(
        f"Standardise what enters {row.path}: {source} has an rms of {case['input_rms']:.3g} "
        f"around a mean of {case['input_mean']:.3g}. Do it to the data, feature by feature, or put "
        "it into the model as below. No penalty on the kernel or the outputs makes the input any "
        "quieter; they would make the weights pay for it.",
        replacement(
            row,
            call(
                "keras.layers.Rescaling",
                scale=float(f"{1 / spread:.3g}"),
                offset=float(f"{-mean / spread:.3g}"),
            ),
            layer(row),
        ),
    )


RULE = overload_rule(
    verdict="input",
    title="Outputs out of range by loud inputs",
    meaning="What enters is too loud: it needs scaling.",
    guilty="what enters it is too loud",
    limit="input_db",
    prescribe=prescribe,
)
