"""How convolutions sum their inputs, held against what the real layers do with ones."""

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gainstage.contractions import (
    gathered_taps,
    scattered_taps,
)

from .contracting import counted, fan_in

layers = keras.layers
few = settings(max_examples=25)
PADDINGS = st.sampled_from(["valid", "same"])
FORMATS = st.sampled_from(["channels_last", "channels_first"])


@st.composite
def arrangements(draw: st.DrawFn, *, rank: int, alike: bool = False) -> dict[str, Any]:
    """Arguments that place a kernel of `rank`: strides or dilation, since Keras takes not both."""
    each = st.lists(st.integers(1, 3), min_size=rank, max_size=rank)
    steps = draw(each.map(lambda found: found[:1] * rank if alike else found))
    one = [1] * rank
    strides, dilation = draw(st.sampled_from([(steps, one), (one, steps)]))
    return {
        "kernel_size": draw(each),
        "strides": strides,
        "dilation_rate": dilation,
        "data_format": draw(FORMATS),
    }


def shape_of(sizes: list[int], channels: int, data_format: str) -> list[int]:
    return [*sizes, channels] if data_format == "channels_last" else [channels, *sizes]


def sizes_for(rank: int) -> st.SearchStrategy[list[int]]:
    # 7 is the longest reach of three taps three apart.
    return st.lists(st.integers(7, 9), min_size=rank, max_size=rank)


CONVOLUTIONS = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
TRANSPOSED = {1: layers.Conv1DTranspose, 2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}
DEPTHWISE = {1: layers.DepthwiseConv1D, 2: layers.DepthwiseConv2D}
SEPARABLE = {1: layers.SeparableConv1D, 2: layers.SeparableConv2D}


@pytest.mark.parametrize("rank", CONVOLUTIONS)
@few
@given(data=st.data(), groups=st.integers(1, 2))
def test_convolution_sums_what_it_counts(rank: int, groups: int, data: st.DataObject) -> None:
    arranged = data.draw(arrangements(rank=rank))
    padding = data.draw(st.sampled_from(["valid", "same", *(["causal"] if rank == 1 else [])]))
    layer = CONVOLUTIONS[rank](2 * groups, groups=groups, padding=padding, **arranged)
    shape = shape_of(data.draw(sizes_for(rank)), 3 * groups, arranged["data_format"])

    assert fan_in(layer, *shape) == pytest.approx(counted(layer, *shape))


@pytest.mark.parametrize(
    ("kinds", "filters", "rank"),
    [
        *((DEPTHWISE, {}, rank) for rank in DEPTHWISE),
        *((SEPARABLE, {"filters": 5}, rank) for rank in SEPARABLE),
    ],
)
@few
@given(data=st.data(), padding=PADDINGS, multiplier=st.integers(1, 3))
def test_convolution_of_channels_one_by_one_sums_taps_and_then_what_it_mixes(
    kinds: Any, filters: dict[str, int], rank: int, padding: str, multiplier: int, data: Any
) -> None:
    arranged = data.draw(arrangements(rank=rank, alike=True))
    layer = kinds[rank](**filters, depth_multiplier=multiplier, padding=padding, **arranged)
    shape = shape_of(data.draw(sizes_for(rank)), 4, arranged["data_format"])

    assert fan_in(layer, *shape) == pytest.approx(counted(layer, *shape))


@pytest.mark.parametrize("rank", TRANSPOSED)
@few
@given(data=st.data(), padding=PADDINGS, channels=st.integers(1, 3))
def test_transposed_convolution_sums_the_taps_that_hit(
    rank: int, padding: str, channels: int, data: st.DataObject
) -> None:
    arranged = data.draw(arrangements(rank=rank))
    extra = None
    if data.draw(st.booleans()):
        extra = [data.draw(st.integers(0, stride - 1)) for stride in arranged["strides"]]
        # TensorFlow refuses an output that the convolution the other way would not make the input.
        odd = [
            (taps - 1) * dilation % 2 == 0
            for taps, dilation in zip(
                arranged["kernel_size"], arranged["dilation_rate"], strict=True
            )
        ]
        assume(padding == "valid" or all(o or e for o, e in zip(odd, extra, strict=True)))
    layer = TRANSPOSED[rank](2, padding=padding, output_padding=extra, **arranged)
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))
    shape = shape_of(sizes, channels, arranged["data_format"])

    assert fan_in(layer, *shape) == pytest.approx(counted(layer, *shape))


def test_padding_lowers_the_fan_in_of_a_small_image() -> None:
    assert fan_in(layers.Conv2D(1, 3, padding="same"), 2, 2, 5) == pytest.approx(5 * 4)


def test_border_of_a_transposed_convolution_sees_fewer_taps() -> None:
    assert fan_in(layers.Conv1DTranspose(1, 4, strides=2), 3, 5) == pytest.approx(5 * 12 / 8)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolutions_of_unknown_sizes_count_as_large(rank: int) -> None:
    unknown = [None] * rank

    assert fan_in(CONVOLUTIONS[rank](2, 3, padding="same"), *unknown, 5) == 5 * 3**rank
    assert fan_in(TRANSPOSED[rank](2, 3, strides=2), *unknown, 5) == 5 * 1.5**rank


def padded_taps(size: int, taps: int, stride: int, dilation: int, padding: str) -> float:
    """Taps on values, from a padded line of ones as the padding's definition draws it."""
    reach = (taps - 1) * dilation
    if padding == "valid":
        before = after = 0
    elif padding == "causal":
        before, after = reach, 0
    else:  # as much as ceil(size / stride) positions need, the odd one behind
        needed = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
        before, after = needed // 2, needed - needed // 2
    line = np.concatenate([np.zeros(before), np.ones(size), np.zeros(after)])
    starts = range(0, len(line) - reach, stride)
    return float(np.mean([line[start : start + reach + 1 : dilation].sum() for start in starts]))


@given(
    size=st.integers(1, 12),
    taps=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same", "causal"]),
)
def test_gathered_taps_are_those_counted_one_by_one(
    size: int, taps: int, stride: int, dilation: int, padding: str
) -> None:
    reach = (taps - 1) * dilation
    assume(padding != "valid" or size > reach)
    positions = (size - reach - 1) // stride + 1 if padding == "valid" else -(-size // stride)

    found = gathered_taps(
        size, positions, taps=taps, stride=stride, dilation=dilation, padding=padding
    )

    assert found == pytest.approx(padded_taps(size, taps, stride, dilation, padding))


def test_taps_of_a_long_line_are_counted_without_walking_it() -> None:
    # A walk over 10^9 positions would outlast the timeout of any test.
    found = gathered_taps(10**9, 10**9, taps=9, stride=1, dilation=1, padding="same")
    hit = scattered_taps(10**9, 3 * 10**9, taps=9, stride=3, dilation=1, padding="same")

    assert (found, hit) == (pytest.approx(9), pytest.approx(3))
