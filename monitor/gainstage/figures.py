"""A run in a few numbers: those of its newest frame, what it costs, and what is open."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gainstage.finding import Finding

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class FrameFigures:
    """A frame's layers in one number each; None where no layer has such a statistic.

    Attributes:
        worst_saturation: Saturation rate of the most saturated layer.
        mean_saturation: Its mean over the layers that have one.
        worst_excess: Decibels by which the loudest layer's level is above its activation's
            headroom; below 0 where all are within theirs.
        worst_nonfinite: Largest share of values that are not finite among a layer's outputs or its
            weights.
    """

    worst_saturation: float | None = None
    mean_saturation: float | None = None
    worst_excess: float | None = None
    worst_nonfinite: float | None = None


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """A run as it is at the time of a scrape.

    Attributes:
        status: "live" or "lost".
        step: Optimizer step of the newest frame.
        last_frame: When the newest frame came, Unix time in seconds.
        frames: Frames so far.
        verdicts: One a row; empty where the row is not judged.
        of_frame: The newest frame's.
        costs: What samples cost, `Cadence.costs`.
        thinned: Frames dropped because the spool was full.
        spooled: Bytes that wait in the spool.
        findings: The open ones, without those that a person has muted.
    """

    run: str
    project: str
    status: str
    step: int | None
    last_frame: float | None
    frames: int
    verdicts: Sequence[str]
    of_frame: FrameFigures = FrameFigures()
    costs: Mapping[str, float] = field(default_factory=dict[str, float])
    thinned: int = 0
    spooled: int = 0
    findings: Sequence[Finding] = ()


def frame_figures(column: Callable[[str], Floats], headroom_db: Floats) -> FrameFigures:
    """The figures of a frame.

    Args:
        column: Statistic -> its values, [layers], NaN where a layer has none.
        headroom_db: [layers], NaN where the layer's activation does not saturate.
    """
    saturation = _finite(column("saturation_rate"))
    nonfinite = np.fmax(column("nonfinite_rate"), column("weight_nonfinite_rate"))
    return FrameFigures(
        worst_saturation=_worst(saturation),
        mean_saturation=float(saturation.mean()) if saturation.size else None,
        worst_excess=_worst(_finite(column("pre_db") - headroom_db)),
        worst_nonfinite=_worst(_finite(nonfinite)),
    )


def _finite(values: Floats) -> Floats:
    """Those that are; a layer whose value is NaN or infinite shows in its share of such values."""
    return values[np.isfinite(values)]


def _worst(values: Floats) -> float | None:
    return float(values.max()) if values.size else None
