"""Parts inside a layer, gates and attention logits: no argument of Keras penalises them."""

from collections.abc import Sequence

from gainstage.wire import Row

# Layers whose softmax gets logits that no layer returns, and the projections that they come from.
ATTENTION = {"MultiHeadAttention", "GroupedQueryAttention", "Attention", "AdditiveAttention"}
PROJECTIONS = {"query", "key"}
GATE = (
    " No argument of Keras penalises a gate. Scale what enters the layer, put "
    "`keras.layers.LayerNormalization()` in front of it, begin its bias lower, or clip gradients "
    "with `clipnorm=1.0` in the optimizer."
)
LOGITS = (
    " No argument of Keras penalises attention logits. Scale what enters the layer, put "
    "`keras.layers.LayerNormalization()` in front of it, or clip gradients with `clipnorm=1.0` in "
    "the optimizer."
)


def wholes(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Of each row the layer that it is a part of, or itself."""
    first: dict[tuple[str, str], int] = {}
    for place, row in enumerate(rows):
        first.setdefault((row.kind, row.path), place)

    def whole(place: int) -> int:
        row = rows[place]
        if row.arguments:  # a part has none
            return place
        names = row.path.split("/")
        above = ((row.kind, "/".join(names[:depth])) for depth in range(1, len(names)))
        return min((first[one] for one in above if one in first), default=place)

    return tuple(rows[whole(place)] for place in range(len(rows)))


def maker(rows: Sequence[Row], row: Row) -> Row | None:
    """The attention layer that makes `row`, a projection: nothing can be put in its place."""
    parent = row.path.rpartition("/")[0]
    return next((one for one in rows if one.kind in ATTENTION and one.path == parent), None)


def means(rows: Sequence[Row], row: Row) -> str:
    """What helps a gate, or what attention logits come from; empty for any other row."""
    if row.state_fan_in is not None:
        return GATE
    parent, _, name = row.path.rpartition("/")
    attending = {one.path for one in rows if one.kind in ATTENTION}
    if row.path in attending or (name in PROJECTIONS and parent in attending):
        return LOGITS
    return ""
