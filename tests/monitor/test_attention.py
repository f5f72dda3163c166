"""The logits of attention layers against loops written from the papers' formulas, in float64."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from gainstage import attention

from .backends import as_probe, wide
from .test_probe_traces import different, everything_of

layers = keras.layers
pytestmark = [pytest.mark.every_backend, pytest.mark.usefixtures("seeded")]
Array = npt.NDArray[Any]
EXAMPLES, QUERIES, KEYS, FEATURES = 3, 5, 6, 8

QUERY_MASK = np.ones((EXAMPLES, QUERIES), bool)
QUERY_MASK[1, 3:] = False
KEY_MASK = np.ones((EXAMPLES, KEYS), bool)
KEY_MASK[0, 4:] = KEY_MASK[2, 0] = False
PAIRS = np.random.default_rng(5).random((EXAMPLES, QUERIES, KEYS)) < 0.7


def normal(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def seen(layer: Any, *inputs: Any, positions: Any = None, **options: Any) -> tuple[Array, Any]:
    """(logits, output) of one call of `layer` as the probe makes it."""

    def function(inputs: Any, options: Any) -> Any:
        with attention.watched(layer) as calls:
            output = layer(*inputs, **options, **plain)
        (call,) = calls
        at = np.arange(call.queries) if positions is None else positions
        return attention.logits(call, at), output

    plain = {
        name: options.pop(name) for name in list(options) if not hasattr(options[name], "dtype")
    }
    found, output = as_probe(function)(inputs, options)
    return wide(found), output


def masked(found: Array, mask: Any) -> Array:
    return np.where(mask, found, -np.inf)


def softmax(z: Array) -> Array:
    """Of the last axis; 0 where a row has nothing to see."""
    top = np.max(z, axis=-1, keepdims=True, initial=-1e9)
    shares = np.exp(z - top)
    total = shares.sum(axis=-1, keepdims=True)
    return np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)


def dot_product(layer: Any, query: Array, key: Array) -> Array:
    """Vaswani et al. 2017: q k / sqrt(d) of each pair; one key may serve several query heads."""
    parts = [np.asarray(w, np.float64) for w in layer.get_weights()]
    (Wq, bq), (Wk, bk) = parts[:2], parts[2:4]
    heads, width = bq.shape
    shared = heads // len(bk)
    found = np.zeros((len(query), heads, query.shape[1], key.shape[1]))
    for example, head, i, j in np.ndindex(found.shape):
        q = query[example, i] @ Wq[:, head] + bq[head]
        k = key[example, j] @ Wk[:, head // shared] + bk[head // shared]
        found[example, head, i, j] = q @ k / np.sqrt(width)
    return found


def built(layer: Any, *shapes: Any) -> Any:
    """`layer` with weights of which none is 0 by its initializer."""
    layer.build(*shapes)
    generator = np.random.default_rng(7)
    layer.set_weights([generator.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def heads(**options: Any) -> Any:
    return built(layers.MultiHeadAttention(2, 3, **options), (None, QUERIES, 8), (None, KEYS, 8))


def grouped(**options: Any) -> Any:
    return built(
        layers.GroupQueryAttention(3, 4, 2, **options), (None, QUERIES, 8), (None, KEYS, 8)
    )


CAUSAL = np.tril(np.ones((QUERIES, KEYS), bool))
NEAR = abs(np.arange(QUERIES)[:, None] - np.arange(KEYS)) < 2
FROM_KEYS = KEY_MASK[:, None, None, :]
CASES = {
    "plain": ({}, {}, True),
    "causal": ({}, {"use_causal_mask": True}, CAUSAL),
    "causal, dropout": ({"dropout": 0.1}, {"use_causal_mask": True}, CAUSAL),
    "pairs": ({}, {"attention_mask": PAIRS}, PAIRS[:, None]),
    "one for all": ({}, {"attention_mask": PAIRS[:, :1]}, PAIRS[:, None, :1]),
    "padding": (
        {},
        {"value_mask": KEY_MASK, "key_mask": KEY_MASK, "use_causal_mask": True},
        FROM_KEYS & CAUSAL,
    ),
    "all": (
        {"sliding_window": 2, "dropout": 0.1},
        {"value_mask": KEY_MASK, "attention_mask": PAIRS, "use_causal_mask": True},
        FROM_KEYS & CAUSAL & NEAR & PAIRS[:, None],
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("make", [heads, grouped])
def test_logits_are_those_of_the_papers_formula(make: Any, case: str) -> None:
    own, options, mask = CASES[case]
    layer = make(**own)
    query, key = normal(EXAMPLES, QUERIES, FEATURES), normal(EXAMPLES, KEYS, FEATURES)

    logits, _ = seen(layer, query, key, **options)

    assert np.allclose(logits, masked(dot_product(layer, query, key), mask), atol=1e-4)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("make", [heads, grouped])
def test_their_softmax_is_what_the_layer_attends_with(make: Any, case: str) -> None:
    own, options, _ = CASES[case]
    layer = make(**own)
    query, key = normal(EXAMPLES, QUERIES, FEATURES), normal(EXAMPLES, KEYS, FEATURES)

    logits, (_, scores) = seen(layer, query, key, return_attention_scores=True, **options)

    assert np.allclose(softmax(logits), wide(scores), atol=1e-5)


# Keras's own layer passes its query on with the mask, to a layer that knows none.
@pytest.mark.filterwarnings("ignore:(?s).*destroy the mask information:UserWarning")
@pytest.mark.parametrize("make", [heads, grouped])
def test_queries_that_are_padding_see_nothing(make: Any) -> None:
    layer = make()
    query, key = normal(EXAMPLES, QUERIES, FEATURES), normal(EXAMPLES, KEYS, FEATURES)

    def function(query: Any, key: Any, mask: Any) -> Any:
        hidden = layers.Masking(0.0)(keras.ops.where(mask[..., None], query, 0.0))
        with attention.watched(layer) as calls:
            layer(hidden, key)
        return attention.logits(calls[0], np.arange(QUERIES))

    logits = wide(as_probe(function)(query, key, QUERY_MASK))

    assert np.array_equal(np.isneginf(logits).all(axis=(1, 3)), ~QUERY_MASK)
    assert np.isfinite(logits[QUERY_MASK.nonzero()[0], :, QUERY_MASK.nonzero()[1]]).all()


def test_only_the_positions_asked_for_are_formed() -> None:
    layer = heads()
    query, key = normal(EXAMPLES, QUERIES, FEATURES), normal(EXAMPLES, KEYS, FEATURES)
    options = {"attention_mask": PAIRS, "use_causal_mask": True}
    positions = np.array([4, 0, 4])

    some, _ = seen(layer, query, key, positions=positions, **options)

    whole, _ = seen(layer, query, key, **options)
    assert np.array_equal(some, whole[:, :, positions])


def single(kind: str, query: Array, key: Array, weights: Any) -> Array:
    """Luong et al. 2015, dot and concat, and Bahdanau et al. 2015, with Keras's scales."""
    found = np.zeros((len(query), 1, query.shape[1], key.shape[1]))
    for example, _, i, j in np.ndindex(found.shape):
        q, k = query[example, i].astype(float), key[example, j].astype(float)
        if kind == "dot":
            found[example, 0, i, j] = weights[0] * (q @ k)
        elif kind == "concat":
            found[example, 0, i, j] = weights[1] * np.tanh(weights[0] * (q + k)).sum()
        else:
            found[example, 0, i, j] = weights[0] @ np.tanh(q + k)
    return found


@pytest.mark.parametrize("kind", ["dot", "concat", "additive"])
@pytest.mark.parametrize("case", ["plain", "causal", "padding", "all"])
def test_logits_of_layers_without_heads(kind: str, case: str) -> None:
    layer = (
        layers.AdditiveAttention()
        if kind == "additive"
        else layers.Attention(use_scale=True, score_mode=kind)
    )
    inputs = [normal(EXAMPLES, QUERIES, FEATURES), normal(EXAMPLES, KEYS, FEATURES)]
    layer = built(layer, [each.shape for each in inputs])
    options: dict[str, Any] = {"use_causal_mask": case in {"causal", "all"}}
    mask: Any = CAUSAL if case in {"causal", "all"} else True
    given = [QUERY_MASK, KEY_MASK] if case in {"padding", "all"} else [None, None]
    if given[0] is not None:
        mask = mask & KEY_MASK[:, None, None] & QUERY_MASK[:, None, :, None]

    def function(inputs: Any, given: Any) -> Any:
        with attention.watched(layer) as calls:
            layer(inputs, mask=given if given[0] is not None else None, **options)
        return attention.logits(calls[0], np.arange(QUERIES))

    logits = wide(as_probe(function)(inputs, given))

    expected = masked(single(kind, *inputs, layer.get_weights()), mask)
    assert np.allclose(logits, expected, atol=1e-4)


def test_half_precision_layers_have_logits_in_full() -> None:
    # JAX's fused kernel for it does not run on a CPU; with dropout, none is used.
    layer = heads(dtype="mixed_float16", dropout=0.1)
    query, key = normal(EXAMPLES, QUERIES, FEATURES), normal(EXAMPLES, KEYS, FEATURES)

    logits, _ = seen(layer, query, key, use_causal_mask=True)

    expected = masked(dot_product(layer, query, key), CAUSAL)
    assert np.allclose(logits, expected, rtol=2e-2, atol=5e-2)


def test_other_kinds_are_not_guessed_at() -> None:
    class Own(layers.MultiHeadAttention):
        def _compute_attention(self, *args: Any, **kwargs: Any) -> Any:
            return super()._compute_attention(*args, **kwargs)

    class MultiHeadAttention(Own):
        """Named as Keras's own."""

    others = [Own(2, 3), MultiHeadAttention(2, 3), layers.Dense(3)]
    image = normal(EXAMPLES, 4, 4, FEATURES)
    areas = layers.MultiHeadAttention(2, 3)
    areas(image, image)
    rows = layers.MultiHeadAttention(2, 3, attention_axes=1)

    assert [attention.covers(layer) for layer in [*others, areas]] == [False] * 4
    assert attention.covers(layers.MultiHeadAttention(2, 3))
    with attention.watched(rows) as calls:
        rows(image, image)
    assert calls == []


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("kind", ["heads", "single"])
def test_nothing_is_left_behind_in_the_layer(kind: str, fails: bool) -> None:
    query, key = keras.Input((QUERIES, FEATURES)), keras.Input((KEYS, FEATURES))
    layer = layers.MultiHeadAttention(2, 3, dropout=0.5) if kind == "heads" else None
    layer = layer or layers.Attention(dropout=0.5)
    output = layer(query, key) if kind == "heads" else layer([query, key])
    model = keras.Model([query, key], output)
    inputs = [normal(EXAMPLES, QUERIES, FEATURES), normal(EXAMPLES, KEYS, FEATURES)]
    model(inputs)
    before = everything_of(model)

    def function(*inputs: Any) -> Any:
        with attention.watched(layer) as calls:
            model(list(inputs), training=True)
            assert not fails
        return attention.logits(calls[0], np.arange(QUERIES))

    if fails:
        with pytest.raises(AssertionError):
            as_probe(function)(*inputs)
    else:
        as_probe(function)(*inputs)

    assert different(before, everything_of(model)) == []


def test_length_that_is_only_known_at_run_time() -> None:
    if keras.backend.backend() != "tensorflow":
        return  # the others have no such lengths
    import tensorflow as tf

    layer = heads()

    def function(query: Any, key: Any, mask: Any) -> Any:
        with attention.watched(layer) as calls:
            layer(query, key, value_mask=mask, use_causal_mask=True)
        return attention.logits(calls[0], tf.range(calls[0].queries))

    spec = tf.TensorSpec((None, None, FEATURES))
    read = as_probe(function, spec, spec, tf.TensorSpec((None, None), tf.bool))
    query, key = normal(EXAMPLES, QUERIES, FEATURES), normal(EXAMPLES, KEYS, FEATURES)
    expected = masked(dot_product(layer, query, key), FROM_KEYS & CAUSAL)

    assert np.allclose(wide(read(query, key, KEY_MASK)), expected, atol=1e-4)
