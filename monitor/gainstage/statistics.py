"""The table of statistics: what a frame's columns mean.

Every number of a layer that Gainstage judges or lists is one of these. The formulas use
x for what enters a layer's contraction, W for its kernel, b for its bias, z = xW + b for the
pre-activation and y for the layer's output; a recurrent layer has a state h and a kernel U that
multiplies it besides, z = xW + hU + b. Means run over the sampled examples and positions.

What is sampled has a standard error. If the values are independent and normal, it is

    x, z, y     256 positions      rms 4 %, 0.4 dB, with a single unit; less with more
    W, U        4,096 coordinates  rms 1.1 %, 0.1 dB; mean 1.6 % of a standard deviation;
                                   none where the whole kernel is smaller
    quantiles   1,024 values of z  4 % of a standard deviation at 0.5, 7 % at 0.05 and 0.95,
                                   12 % at 0.01 and 0.99

What is sent of single units is a map, and none of these: `gainstage.units`.
"""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["", "ratio", "dB"]


@dataclass(frozen=True)
class Statistic:
    """A column of a frame's block; blocks have cadences of their own.

    `version` changes whenever the same data would give another number.
    """

    id: str
    title: str
    unit: Unit
    formula: str
    meaning: str
    version: int = 1
    block: Literal["layers", "gradients"] = "layers"


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
    "recurrent_gain_db": (
        "recurrent_gain",
        "Recurrent gain",
        "What the recurrent weights' size alone does to the state's level.",
    ),
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
# Of a large kernel, all is of sampled coordinates.
_KERNEL_ERRORS = {
    "kernel_rms": "a standard error of 1.1 % of it",
    "kernel_mean": "a standard error of 1.6 % of a standard deviation",
    "kernel_std": "a standard error of 1.1 % of it",
    "kernel_max": "others may be larger",
}
# What the sampled kernel goes into, and so has another version.
_LEVELS_OF_KERNEL = {"gain_db", "coherence_db", "common_mode_db", "aligned_db"}
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

QUANTILE_IDS = tuple(f"pre_q{round(100 * q):02d}" for q in QUANTILES)


def _summary(id: str, title: str, formula: str, meaning: str) -> Statistic:
    if id not in _KERNEL_ERRORS:
        return Statistic(id, title, "", formula, meaning)
    sampled = f"{meaning} Of 4,096 coordinates: {_KERNEL_ERRORS[id]}."
    return Statistic(id, title, "", formula, sampled, version=2)


STATISTICS: tuple[Statistic, ...] = (
    *(
        _summary(
            f"{tensor}_{summary}", f"{title} {noun}", formula.format(symbol), text.format(what)
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
        version=2,
    ),
    Statistic(
        "recurrent_gain",
        "Recurrent gain",
        "ratio",
        "G_U = sqrt(state_fan_in) rms(U)",
        "What the size of the recurrent weights alone would do to the level of an unrelated state.",
    ),
    Statistic(
        "state_rms",
        "State rms",
        "",
        "sqrt(mean(h^2))",
        "Root mean square of the state that the recurrent kernel multiplies.",
    ),
    Statistic(
        "coherence",
        "Coherence",
        "ratio",
        "A = rms(z - b) / (rms(x) G); with a state, / sqrt((rms(x) G)^2 + (rms(h) G_U)^2)",
        "1 where weights and inputs are unrelated, up to sqrt(fan_in) where they line up.",
        version=2,
    ),
    Statistic(
        "common_mode",
        "Common mode",
        "ratio",
        "rms over units of mean(z - b), divided as the coherence is",
        "The part of the coherence that the mean input causes; A^2 = common mode^2 + aligned^2.",
        version=2,
    ),
    Statistic(
        "aligned",
        "Aligned",
        "ratio",
        "rms over units of std(z), divided as the coherence is",
        "The part of the coherence that was learned, or that inputs of low rank cause.",
        version=2,
    ),
    *(
        Statistic(
            id,
            title,
            "dB",
            f"20 log10({source})",
            meaning,
            version=2 if id in _LEVELS_OF_KERNEL else 1,
        )
        for id, (source, title, meaning) in _LEVELS.items()
    ),
    Statistic(
        "input_eigenvalue",
        "Input energy of the loudest direction",
        "",
        "(sum of the 8th powers of the eigenvalues of mean(x x^T))^(1/8), of 32 positions",
        "At most 1.54 times the largest eigenvalue; equal to it where one direction stands out. "
        "Bounds the strength of an activity penalty: above (1 + momentum) / (learning rate x it) "
        "the penalty itself diverges.",
        version=2,
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
        version=2,
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
        "share of NaN and infinity in the weights",
        "Above 0, an earlier update was not finite. Beyond 4,096 coordinates a weight is looked at "
        "where something in the pass is not finite.",
        version=2,
    ),
    Statistic(
        "update_ratio",
        "Update ratio",
        "ratio",
        "rms(W_t - W_s) / ((t - s) rms(W_s)) on 4,096 fixed coordinates",
        "How far the weights moved per step since the last sample, relative to their size; "
        "about 1e-3 is usual. Its standard error is about 1 % of it.",
        version=2,
    ),
    *(
        Statistic(
            id,
            f"Pre-activation {round(100 * q)} % quantile",
            "",
            f"quantile of z at {q}, of 1,024 values",
            f"{round(100 * q)} % of the pre-activations lie below; the standard error is "
            f"{error} % of a standard deviation.",
            version=2,
        )
        for id, q, error in zip(QUANTILE_IDS, QUANTILES, (12, 7, 4, 4, 4, 7, 12), strict=True)
    ),
    Statistic(
        "logit_range",
        "Range of attention logits",
        "",
        "mean over positions of max - min of the logits that are not masked",
        "How far apart the keys score; beyond 20 the softmax is all but a choice of one. Positions "
        "with a single key count nowhere; NaN where there are no others.",
    ),
    Statistic(
        "score_entropy",
        "Entropy of attention",
        "ratio",
        "mean over positions of the softmax's entropy / log(keys that are not masked)",
        "1 where all keys weigh the same, 0 where one takes all. Positions with a single key count "
        "nowhere; NaN where there are no others.",
    ),
    Statistic(
        "underflow_rate",
        "Underflow rate",
        "ratio",
        "share of z and y that are not 0 and below the smallest normal number of their format",
        "Share of values that lose digits on the way to 0. Only in layers that compute in float16 "
        "or bfloat16.",
    ),
    Statistic(
        "overflow_rate",
        "Overflow rate",
        "ratio",
        "share of z and y that are infinite or at the largest finite number of their format",
        "Share of values that the format has no room for. Only in layers that compute in float16 "
        "or bfloat16.",
    ),
    Statistic(
        "gradient_rms",
        "Probe's gradient",
        "",
        "rms of dL/dW over the layer's trainable weights, L the loss of the sampled examples",
        "What the loss asks of the layer's weights. It is as noisy as the gradient of a batch of "
        "that many examples.",
        block="gradients",
    ),
    Statistic(
        "gradient_ratio",
        "Probe's gradient, against the last layer's",
        "ratio",
        "gradient_rms / gradient_rms of the last layer that has one",
        "Far below 1 in the first layers, gradients vanish on their way there; far above, they "
        "explode.",
        block="gradients",
    ),
    Statistic(
        "penalty_ratio",
        "Penalties' gradient, against the data's",
        "ratio",
        "rms of dP/dW / rms of d(L - P)/dW, P the sum of the model's penalties",
        "What regularizers ask of the layer's weights, relative to what the data ask. Weight decay "
        "in the optimizer is not part of it.",
        block="gradients",
    ),
)

# Level -> the statistic that it is the decibels of.
AMPLITUDES = {id: source for id, (source, *_) in _LEVELS.items()}
BY_ID = {statistic.id: statistic for statistic in STATISTICS}
GRADIENTS = tuple(id for id, statistic in BY_ID.items() if statistic.block == "gradients")
# The columns of the block "layers", which every sample has.
IDS = tuple(id for id, statistic in BY_ID.items() if statistic.block == "layers")
INDEX = {id: position for position, id in enumerate(IDS)}
# The columns of each block, in the order in which they are sent.
BLOCKS = {"layers": IDS, "gradients": GRADIENTS}
