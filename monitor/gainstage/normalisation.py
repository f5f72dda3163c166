"""What a normalisation layer made of its input, got back from its output."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

# The spacing of numbers around 1, by Keras's name of what a layer computes in.
RESOLUTIONS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
# z is rounded to its resolution, which x inherits divided by the scale. At this many times the
# resolution of the bias, the error is at most 1/32 of a unit, a quarter of a decibel.
RESOLVED = 16


def normalised_input(
    z: Array, bias: Array | None, scale: Array | None, *, resolution: float = RESOLUTIONS["float32"]
) -> Array | None:
    """What a layer normalised its input to: x = (z - bias) / scale, [positions, known units].

    A unit of scale 0, as of a residual branch that begins as nothing, shows nothing of its x; nor
    does one whose scale is lost in the rounding of its bias, or is not finite. Such units are left
    out: 0 in their place would lower the level, 1 would be made up. They carry no signal either,
    so that the level of the others is the one that goes with the gain over all.

    Args:
        z: [positions, units].
        bias: [units]; None where the layer has none.
        scale: [units]; None where the layer has none, which is a scale of 1.
        resolution: The spacing of numbers around 1 of the layer's output, from `RESOLUTIONS`.

    Returns:
        None where no unit is known.
    """
    units = z.shape[1]
    offset = np.broadcast_to(np.float32(0) if bias is None else bias, units)
    factor = np.broadcast_to(np.float32(1) if scale is None else scale, units)
    known = np.isfinite(factor) & np.isfinite(offset) & (factor != 0)
    known[known] &= np.abs(factor[known]) >= RESOLVED * resolution * np.abs(offset[known])
    if not known.any():
        return None
    with np.errstate(all="ignore"):  # infinity in z stays what it is
        x = (z[:, known].astype(np.float64) - offset[known]) / factor[known]
        return x.astype(np.float32)
