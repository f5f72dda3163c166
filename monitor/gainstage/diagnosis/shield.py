"""What an activity penalty does to the layers in front of the one that carries it.

Its gradient reaches them too, and a quieter input lowers the penalty as well as better weights do.
Where they are rectifiers, they fall silent for it: on blobs and digits behind a ReLU layer, the
input sank by 10 to 25 dB within 300 steps, and the accuracy with it. A normalisation without
weights of its own in between leaves nothing to gain from a quieter input.
"""

from collections.abc import Sequence

from gainstage.diagnosis.source import Call, call
from gainstage.wire import Row

# Of fewer features, a normalisation over them leaves too little: of two, one sign.
LEAST_FEATURES = 16
# Layers whose kernel's last axis but one is that of the features.
KINDS = {"Dense", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D"}


def normalisable(row: Row) -> bool:
    """Whether enough features enter the row for a normalisation over them."""
    return row.kind in KINDS and row.kernel_shape[-2] >= LEAST_FEATURES


def exposed(rows: Sequence[Row], place: int) -> bool:
    """Whether layers that train feed the row at `place`, by features enough to normalise."""
    if not normalisable(rows[place]):
        return False
    waiting, before = list(rows[place].inputs), set[int]()
    while waiting:
        one = waiting.pop()
        if rows[one].trainable:
            return True
        if one not in before:
            before.add(one)
            waiting += rows[one].inputs
    return False


def shield(row: Row) -> Call:
    """The layer to put in front: over features, so that no other example is needed."""
    first = row.arguments.get("data_format") == "channels_first"
    return call(
        "keras.layers.LayerNormalization", axis=1 if first else None, center=False, scale=False
    )


def loudest(row: Row, measured: float, *, shielded: bool) -> float:
    """Energy of the input's loudest direction: `measured`, or the most that it is behind a shield.

    Of inputs of unit rms, that is their number.
    """
    return row.fan_in or 1.0 if shielded else measured
