"""Which statistics exist for which row: each needs fields of a reading, or facts of the row."""

from collections.abc import Iterable, Mapping

import numpy as np

from gainstage.statistics import IDS
from gainstage.summaries import Bools

# Statistics by what a row must have for them: fields of `Reading`, and beside them
#   inputs        x, or data that enter
#   outputs       z or y
#   saturates     an activation that saturates somewhere
#   format        a number format that is not float32's
#   recurrent     a recurrent kernel (`state_fan_in` is known)
#   decomposed    fan_in, x, z, W and, where it is recurrent, h and U
_SUMMARIES = ("rms", "mean", "std", "max", "db")
_IDS_BY_NEED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("x",): tuple(f"input_{name}" for name in _SUMMARIES),
    ("inputs",): ("input_nonfinite_rate",),
    ("z",): tuple(id for id in IDS if id.startswith("pre_")),
    ("y",): tuple(f"output_{name}" for name in _SUMMARIES),
    ("bias",): tuple(f"bias_{name}" for name in _SUMMARIES),
    ("kernel",): ("kernel_rms", "kernel_mean", "kernel_std", "kernel_max"),
    ("decomposed",): (
        "kernel_gain",
        "gain_db",
        *(
            f"{name}{unit}"
            for name in ("coherence", "common_mode", "aligned")
            for unit in ("", "_db")
        ),
        "input_eigenvalue",
    ),
    ("recurrent", "recurrent_kernel"): ("recurrent_gain", "recurrent_gain_db"),
    ("recurrent", "state"): ("state_rms",),
    ("z", "saturates"): ("saturation_rate", "saturated_units"),
    ("z", "post"): ("zero_rate", "dead_units"),
    ("outputs",): ("nonfinite_rate",),
    ("outputs", "format"): ("underflow_rate", "overflow_rate"),
    ("nonfinite_weights",): ("weight_nonfinite_rate",),
    ("moving",): ("update_ratio",),
    ("logits",): ("logit_range", "score_entropy"),
}
NEEDS = {id: needs for needs, ids in _IDS_BY_NEED.items() for id in ids}
_BITS = {
    need: 1 << place
    for place, need in enumerate(dict.fromkeys(need for needs in NEEDS.values() for need in needs))
}


def _mask(needs: Iterable[str]) -> int:
    return sum(_BITS[need] for need in needs)


_NEEDED = np.array([_mask(NEEDS[id]) for id in IDS])


def presence(has: Mapping[str, Bools]) -> Bools:
    """[rows, statistics], True where a row has all that the statistic needs.

    Args:
        has: What a statistic may need -> [rows], True where a row has it.
    """
    masks = [np.where(has[need], bit, 0) for need, bit in _BITS.items()]
    there = np.bitwise_or.reduce(masks)
    return there[:, None] & _NEEDED == _NEEDED
