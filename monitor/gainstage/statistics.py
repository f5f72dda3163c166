"""The table of statistics: what a frame's columns mean.

Every number that Gainstage sends, stores, judges or draws is one of these. The formulas use
x for what enters a layer's contraction, W for its kernel, b for its bias, z = xW + b for the
pre-activation and y for the layer's output; means run over the sampled examples and positions.
"""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["", "ratio", "dB"]


@dataclass(frozen=True)
class Statistic:
    """A column of a frame. `version` changes whenever the same data would give another number."""

    id: str
    title: str
    unit: Unit
    formula: str
    meaning: str
    version: int = 1


_TENSORS = {
    "input": ("Input", "x", "what enters the layer"),
    "kernel": ("Kernel", "W", "the layer's weights"),
    "bias": ("Bias", "b", "the layer's bias"),
    "pre": ("Pre-activation", "z", "what enters the activation function"),
    "output": ("Output", "y", "what the layer puts out"),
}
_SUMMARIES = {
    "rms": ("rms", "sqrt(mean({0}^2))", "Root mean square of {0}."),
    "mean": ("mean", "mean({0})", "Mean of {0}."),
    "std": ("standard deviation", "std({0})", "Spread of {0} around its mean."),
    "max": ("largest magnitude", "max |{0}|", "Largest magnitude in {0}."),
}
_LEVELS = {
    "input_db": ("input_rms", "Input level", "0 dB is unit rms."),
    "gain_db": ("kernel_gain", "Kernel gain", "What the weights' size alone does to the level."),
    "coherence_db": ("coherence", "Coherence", "What their alignment with the inputs adds."),
    "common_mode_db": (
        "common_mode",
        "Common mode",
        "The part of it that is alike in all examples.",
    ),
    "aligned_db": ("aligned", "Aligned", "The part of it that differs between examples."),
    "bias_db": ("bias_rms", "Bias level", "0 dB is unit rms."),
    "pre_db": ("pre_rms", "Pre-activation level", "Held against the activation's headroom."),
    "output_db": ("output_rms", "Output level", "0 dB is unit rms."),
}
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

STATISTICS: tuple[Statistic, ...] = (
    *(
        Statistic(
            f"{tensor}_{summary}", f"{title} {noun}", "", formula.format(symbol), text.format(what)
        )
        for tensor, (title, symbol, what) in _TENSORS.items()
        for summary, (noun, formula, text) in _SUMMARIES.items()
    ),
    Statistic(
        "kernel_gain",
        "Kernel gain",
        "ratio",
        "G = sqrt(fan_in) rms(W)",
        "What the weights' size alone would do to the level of unrelated inputs.",
    ),
    Statistic(
        "coherence",
        "Coherence",
        "ratio",
        "A = rms(z - b) / (rms(x) G)",
        "1 where weights and inputs are unrelated, up to sqrt(fan_in) where they line up.",
    ),
    Statistic(
        "common_mode",
        "Common mode",
        "ratio",
        "rms over units of mean(z - b) / (rms(x) G)",
        "The part of the coherence that the mean input causes; A^2 = common mode^2 + aligned^2.",
    ),
    Statistic(
        "aligned",
        "Aligned",
        "ratio",
        "rms over units of std(z - b) / (rms(x) G)",
        "The part of the coherence that was learned, or that inputs of low rank cause.",
    ),
    *(
        Statistic(id, title, "dB", f"20 log10({source})", meaning)
        for id, (source, title, meaning) in _LEVELS.items()
    ),
    Statistic(
        "input_eigenvalue",
        "Input energy of the loudest direction",
        "",
        "largest eigenvalue of mean(x x^T)",
        "Bounds the strength of an activity penalty: above (1 + momentum) / (learning rate x it) "
        "the penalty itself diverges.",
    ),
    Statistic(
        "saturation_rate",
        "Saturation rate",
        "ratio",
        "share of z where |f'(z)| < 0.01 max |f'| on a saturating side of f",
        "Share of values through which almost no gradient passes.",
    ),
    Statistic(
        "saturated_units",
        "Saturated units",
        "ratio",
        "share of units saturated in 95 % of the values of the last 16 samples",
        "Share of units that are pinned, whatever comes in.",
    ),
    Statistic(
        "dead_units",
        "Dead units",
        "ratio",
        "share of units with one and the same output throughout the last 16 samples",
        "Share of units that put out the same value, whatever comes in.",
    ),
    Statistic(
        "zero_rate",
        "Share of zeros",
        "ratio",
        "share of f(z) = 0",
        "Sparsity of the output; high is normal behind ReLU.",
    ),
    Statistic(
        "nonfinite_rate",
        "Share of non-finite outputs",
        "ratio",
        "share of NaN and infinity in z and y",
        "Anything above 0 spreads to every weight within a step.",
    ),
    Statistic(
        "input_nonfinite_rate",
        "Share of non-finite inputs",
        "ratio",
        "share of NaN and infinity in x",
        "Above 0, the fault lies before this layer.",
    ),
    Statistic(
        "weight_nonfinite_rate",
        "Share of non-finite weights",
        "ratio",
        "share of NaN and infinity in W and b",
        "Above 0, an earlier update was not finite.",
    ),
    Statistic(
        "update_ratio",
        "Update ratio",
        "ratio",
        "rms(W_t - W_s) / ((t - s) rms(W_s)) on fixed sampled coordinates",
        "How far the weights moved per step since the last sample, relative to their size; "
        "about 1e-3 is usual.",
    ),
    *(
        Statistic(
            f"pre_q{round(100 * q):02d}",
            f"Pre-activation {round(100 * q)} % quantile",
            "",
            f"quantile of z at {q}",
            f"{round(100 * q)} % of the pre-activations lie below.",
        )
        for q in QUANTILES
    ),
)

BY_ID = {statistic.id: statistic for statistic in STATISTICS}
IDS = tuple(BY_ID)
INDEX = {id: position for position, id in enumerate(IDS)}
