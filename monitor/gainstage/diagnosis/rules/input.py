"""An input that is too loud."""

from gainstage.diagnosis.overload import overload_rule
from gainstage.diagnosis.rule import Case, Prescription
from gainstage.diagnosis.source import call, layer, replacement


def prescribe(case: Case) -> Prescription:
    """Scaling in front of the layer, to unit rms."""
    row = case.row
    scale = float(f"{10 ** (-case['input_db'] / 20):.3g}")
    feeding = [case.view.layout.rows[place].path for place in row.inputs]
    source = f"what {', '.join(feeding)} puts out" if feeding else "the data"
    return Prescription(
        f"Scale what enters {row.path}: {source} has an rms of {case['input_rms']:.3g}. "
        "Standardise it, or put the scaling into the model as below. No penalty on the kernel or "
        "the outputs makes the input any quieter; they would make the weights pay for it.",
        replacement(row, call("keras.layers.Rescaling", scale=scale), layer(row)),
    )


RULE = overload_rule(
    verdict="input",
    title="Outputs out of range by loud inputs",
    meaning="What enters is too loud: it needs scaling.",
    guilty="what enters it is too loud",
    limit="input_db",
    prescribe=prescribe,
)
