"""How each kind of Keras layer sums its inputs: z = contraction(x, kernels) + bias.

The levels of a row mean something only with the right kernel, the right x, and the number of inputs
that one pre-activation really sums. Keras's own `compute_fans` gives that number from the shape of
the kernel alone, which is wrong for depthwise, transposed, strided and padded convolutions; here it
is counted from the layer and the shapes that went through it.

`TABLE` has one entry for each kind. Layers are found by the name of their class among Keras's own,
so that no backend is imported. A layer that is not in it is read by its output only.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Shape = tuple[int | None, ...]  # of a traced tensor, batch axis first; None where unknown


@dataclass(frozen=True)
class Axes:
    """Axes of a tensor: transposed to `positions + units` and reshaped, it is [positions, units].

    The positions of a layer's input are in the order of its output's wherever the two correspond.
    """

    positions: tuple[int, ...]
    units: tuple[int, ...]

    @classmethod
    def of(cls, rank: int, *units: int) -> "Axes":
        """All axes of a tensor of `rank`, those of `units` apart."""
        chosen = tuple(axis % rank for axis in units)
        return cls(tuple(axis for axis in range(rank) if axis not in chosen), chosen)


@dataclass(frozen=True)
class Bias:
    """What is added to z: reshaped to `shape`, broadcast to `units` and flattened it is [units]."""

    variable: Any
    shape: tuple[int, ...]
    units: tuple[int, ...]


def _kernel(layer: Any) -> tuple[Any, ...]:
    return (layer.kernel,)


def _bias(layer: Any) -> Bias | None:
    return _whole(layer.bias)


def _whole(variable: Any) -> Bias | None:
    """A bias that has a value of its own for every unit."""
    if variable is None:
        return None
    units = tuple(variable.shape)
    return Bias(variable, shape=units, units=units)


def _last(_layer: Any, rank: int) -> Axes:
    return Axes.of(rank, -1)


@dataclass(frozen=True)
class Contraction:
    """How one kind of layer makes its pre-activation z.

    Attributes:
        fans: (layer, shape of x, shape of z) -> inputs that each kernel in turn sums for one value,
            on average over positions and padding not counted; None where a size that decides it is
            unknown. The kernel gain is the product of sqrt(fan) rms(kernel) over the kernels.
        kernels: The variables that multiply x, in the order they do; none where a normalisation
            has no scale.
        bias: What is added; None where nothing is.
        inputs: (layer, rank of x) -> axes of x. Its units are what one position sums over.
        outputs: (layer, rank of z) -> axes of z. Its units are the axes along which the kernel or
            the bias differs.
        normalised: x is not what the layer is given but what it normalises that to:
            `normalisation.normalised_input()` gets it back from z.
        arguments: Names that Keras puts before "_regularizer" and "_initializer" in the arguments
            for each of the kernels; none where it offers no such argument.
        bias_argument: The same for the bias.
    """

    fans: Callable[[Any, Shape, Shape], tuple[float, ...] | None]
    kernels: Callable[[Any], tuple[Any, ...]] = _kernel
    bias: Callable[[Any], Bias | None] = _bias
    inputs: Callable[[Any, int], Axes] = _last
    outputs: Callable[[Any, int], Axes] = _last
    normalised: bool = False
    arguments: tuple[str, ...] = ("kernel",)
    bias_argument: str | None = "bias"

    def fan_in(self, layer: Any, inputs: Shape, outputs: Shape) -> float | None:
        """Inputs that one pre-activation sums on average; None where that cannot be known."""
        fans = self.fans(layer, inputs, outputs)
        return None if fans is None else math.prod(fans)


# --- Dense -----------------------------------------------------------------------------------


def _dense_fans(layer: Any, _inputs: Shape, _outputs: Shape) -> tuple[float, ...]:
    return (float(layer.kernel.shape[0]),)


# --- EinsumDense -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Equation:
    """The equation of an EinsumDense, a label for each axis; "0", "1", ... in place of "..."."""

    inputs: tuple[str, ...]
    kernel: tuple[str, ...]
    outputs: tuple[str, ...]
    biased: str

    @classmethod
    def of(cls, layer: Any, elided: int) -> "_Equation":
        """The equation of `layer` where "..." stands for `elided` axes."""
        inputs, kernel, outputs = layer.equation.replace("->", ",").split(",")
        dots = "".join(str(axis) for axis in range(elided))
        return cls(
            *(tuple(labels.replace("...", dots)) for labels in (inputs, kernel, outputs)),
            biased=layer.bias_axes or "",
        )

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(one for one in self.outputs if one in self.kernel or one in self.biased)

    @property
    def positions(self) -> tuple[str, ...]:
        return tuple(one for one in self.outputs if one not in self.units)


def _elided(labels: str, rank: int) -> int:
    return rank - len(labels.replace("...", ""))


def _einsum_inputs(layer: Any, rank: int) -> Axes:
    equation = _Equation.of(layer, _elided(layer.equation.split(",")[0], rank))
    positions = tuple(equation.inputs.index(one) for one in equation.positions)
    return Axes(positions, tuple(axis for axis in range(rank) if axis not in positions))


def _einsum_outputs(layer: Any, rank: int) -> Axes:
    equation = _Equation.of(layer, _elided(layer.equation.split("->")[1], rank))
    return Axes.of(rank, *(equation.outputs.index(one) for one in equation.units))


def _einsum_fans(layer: Any, inputs: Shape, _outputs: Shape) -> tuple[float, ...] | None:
    """Sizes of the input's axes that the output lacks, whether the kernel has them or not."""
    equation = _Equation.of(layer, _elided(layer.equation.split(",")[0], len(inputs)))
    # The kernel knows its own sizes where the trace may not.
    sizes = dict(zip(equation.inputs, inputs, strict=True))
    sizes |= dict(zip(equation.kernel, layer.kernel.shape, strict=True))
    fan = 1.0
    for label in set(equation.inputs) - set(equation.outputs):
        size = sizes[label]
        if size is None:
            return None
        fan *= size
    return (fan,)


def _einsum_bias(layer: Any) -> Bias | None:
    """Keras's bias has the output's axes from the first of `bias_axes` on, 1 for the others."""
    if layer.bias is None:
        return None
    equation = _Equation.of(layer, 0)
    first = min(equation.outputs.index(one) for one in equation.biased)
    # The bias may go on, with axes of size 1 for a "..." at the end.
    sizes = dict(zip(equation.outputs[first:], layer.bias.shape, strict=False))
    kernel = dict(zip(equation.kernel, layer.kernel.shape, strict=True))
    shape = tuple(sizes.get(one, 1) for one in equation.units)
    return Bias(layer.bias, shape, tuple((sizes | kernel)[one] for one in equation.units))


# --- Convolutions ----------------------------------------------------------------------------


def _channels(layer: Any, rank: int) -> Axes:
    return Axes.of(rank, -1 if layer.data_format == "channels_last" else 1)


def _inside(count: int, size: int, *, stride: int, offset: int) -> int:
    """How many k of 0, 1, ... count - 1 have 0 <= k stride + offset < size."""
    first = max(0, -(offset // stride))
    last = min(count, -((offset - size) // stride))
    return max(0, last - first)


def gathered_taps(
    size: int | None, positions: int | None, *, taps: int, stride: int, dilation: int, padding: str
) -> float:
    """Taps of a convolution along one axis that fall on values rather than on padding, on average.

    `size` inputs give `positions` outputs. Unknown sizes count as large: no padding in sight.
    """
    if padding == "valid" or not size or not positions:
        return float(taps)
    reach = (taps - 1) * dilation
    if padding == "causal":
        before = reach
    else:  # the odd one behind
        before = max((positions - 1) * stride + reach + 1 - size, 0) // 2
    inside = sum(
        _inside(positions, size, stride=stride, offset=tap * dilation - before)
        for tap in range(taps)
    )
    return inside / positions


def scattered_taps(
    size: int | None, positions: int | None, *, taps: int, stride: int, dilation: int, padding: str
) -> float:
    """Taps of a transposed convolution along one axis that hit an output position, on average.

    Each of `size` inputs puts `taps` values into the outputs, `stride` apart from the next one's;
    `positions` outputs are kept. Unknown sizes count as large: no border in sight.
    """
    if not size or not positions:
        return taps / stride
    made = (size - 1) * stride + (taps - 1) * dilation + 1
    # "same" cuts what a convolution the other way would pad, the odd one behind.
    cut = 0 if padding == "valid" else max(made - positions, 0) // 2
    hits = sum(
        _inside(size, positions, stride=stride, offset=tap * dilation - cut) for tap in range(taps)
    )
    return hits / positions


def _taps(layer: Any, inputs: Shape, outputs: Shape, along: Callable[..., float]) -> float:
    """Taps that one output sees on average: they form a grid, so the axes' averages multiply."""
    first = 1 if layer.data_format == "channels_last" else 2
    return math.prod(
        along(
            inputs[first + axis],
            outputs[first + axis],
            taps=layer.kernel_size[axis],
            stride=layer.strides[axis],
            dilation=layer.dilation_rate[axis],
            padding=layer.padding,
        )
        for axis in range(layer.rank)
    )


def _convolution_fans(layer: Any, inputs: Shape, outputs: Shape) -> tuple[float, ...]:
    # The kernel holds the input channels of one group.
    return (_taps(layer, inputs, outputs, gathered_taps) * layer.kernel.shape[-2],)


def _depthwise_fans(layer: Any, inputs: Shape, outputs: Shape) -> tuple[float, ...]:
    return (_taps(layer, inputs, outputs, gathered_taps),)


def _separable_fans(layer: Any, inputs: Shape, outputs: Shape) -> tuple[float, ...]:
    taps = _taps(layer, inputs, outputs, gathered_taps)
    return (taps, float(layer.pointwise_kernel.shape[-2]))


def _transposed_fans(layer: Any, inputs: Shape, outputs: Shape) -> tuple[float, ...]:
    # The kernel holds (filters, channels), the other way around than a convolution's.
    return (_taps(layer, inputs, outputs, scattered_taps) * layer.kernel.shape[-1],)


# --- Normalisation ---------------------------------------------------------------------------


def _scale(layer: Any) -> tuple[Any, ...]:
    return () if layer.gamma is None else (layer.gamma,)


def _scale_fans(layer: Any, _inputs: Shape, _outputs: Shape) -> tuple[float, ...]:
    return (1.0,) * len(_scale(layer))


def _normalised_axes(layer: Any, rank: int) -> Axes:
    """Of the axes with a scale of their own; Keras reshapes it onto them in the tensor's order."""
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    return Axes.of(rank, *sorted(axis % rank for axis in axes))


def _trailing_axes(layer: Any, rank: int) -> Axes:
    """Of RMSNormalization: Keras multiplies by the scale unshaped, whatever axis it normalises."""
    return Axes.of(rank, *range(rank - len(layer.scale.shape), rank))


def _normalisation() -> Contraction:
    return Contraction(
        fans=_scale_fans,
        kernels=_scale,
        bias=lambda layer: _whole(layer.beta),
        inputs=_normalised_axes,
        outputs=_normalised_axes,
        normalised=True,
        arguments=("gamma",),
        bias_argument="beta",
    )


# --- The table -------------------------------------------------------------------------------

_CONVOLUTION = Contraction(_convolution_fans, inputs=_channels, outputs=_channels)
_TRANSPOSED = Contraction(_transposed_fans, inputs=_channels, outputs=_channels)
_DEPTHWISE = Contraction(
    _depthwise_fans, inputs=_channels, outputs=_channels, arguments=("depthwise",)
)
_SEPARABLE = Contraction(
    _separable_fans,
    kernels=lambda layer: (layer.depthwise_kernel, layer.pointwise_kernel),
    inputs=_channels,
    outputs=_channels,
    arguments=("depthwise", "pointwise"),
)

TABLE: dict[str, Contraction] = {
    "Dense": Contraction(_dense_fans),
    "EinsumDense": Contraction(
        _einsum_fans, bias=_einsum_bias, inputs=_einsum_inputs, outputs=_einsum_outputs
    ),
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), _CONVOLUTION),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _TRANSPOSED),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _DEPTHWISE),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _SEPARABLE),
    **dict.fromkeys(
        ("BatchNormalization", "LayerNormalization", "GroupNormalization"), _normalisation()
    ),
    "RMSNormalization": Contraction(
        fans=lambda _layer, _inputs, _outputs: (1.0,),
        kernels=lambda layer: (layer.scale,),
        bias=lambda _layer: None,
        inputs=_trailing_axes,
        outputs=_trailing_axes,
        normalised=True,
        arguments=(),
        bias_argument=None,
    ),
}

# What decides how a layer of the table sums. A class of the user's own that redefines one of these
# may do anything; one that redefines the rest (`build`, a `kernel` that is a product) still makes z
# as its Keras class does, from the kernel that it shows.
DECIDING = ("__call__", "call", "convolution_op", "_apply_normalization", "_compose_transforms")


def contraction_of(layer: Any) -> Contraction | None:
    """How `layer` sums its inputs; None where that is not known, and only its output is read.

    Not known are quantized layers and those with low-rank adaptation, whose kernel is not one
    variable; subclasses that redefine what decides it; and normalisations without weights.
    """
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_rank", None):
        return None
    for base in type(layer).__mro__:
        if base.__module__.split(".")[0] == "keras":
            found = TABLE.get(base.__name__)
            return None if found is None or _is_weightless(layer, found) else found
        if any(name in vars(base) for name in DECIDING):
            return None
    return None


def _is_weightless(layer: Any, found: Contraction) -> bool:
    return layer.built and not found.kernels(layer) and found.bias(layer) is None
