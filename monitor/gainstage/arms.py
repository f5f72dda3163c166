"""The arms of a trial: what each puts in the place of a layer, and what it penalises."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.activations import TABLE
from gainstage.contractions import contraction_of
from gainstage.copies import copied
from gainstage.diagnosis.shield import LEAST_FEATURES, loudest, shield
from gainstage.diagnosis.strength import activity_penalty, amplitude, penalty, safe_db


@dataclass(frozen=True)
class Subject:
    """The layer that is tried, before anything is changed.

    Attributes:
        layer: The user's layer.
        row: What is known of it.
        training: How the model is trained.
        levels: Statistic id -> its value on examples that are trained on.
        exposed: Whether an activity penalty needs `diagnosis.shield` in front.
        input_mean: What enters, on average, [features] along `axis`; None: it is no signal.
        axis: The axis of features in what enters.
        patch: Makes the layers of a finding's patch; None without one.
    """

    layer: Any
    row: wire.Row
    training: wire.Training
    levels: Mapping[str, float]
    exposed: bool
    input_mean: npt.NDArray[np.float32] | None
    axis: int
    patch: Callable[[], list[Any]] | None = None

    @property
    def wanted_db(self) -> float:
        """The level at which the layer is safe: half its headroom, or unit rms without one."""
        function = TABLE.get(self.row.activation or "linear")
        headroom = function.headroom if function is not None else None
        return safe_db(np.nan if headroom is None else 20 * float(np.log10(headroom)))

    @property
    def excess_db(self) -> float:
        """How far the level stands above that; 0 where the layer has no level."""
        level = self.levels["pre_db"]
        return level - self.wanted_db if np.isfinite(level) else 0.0

    def copy(self) -> Any:
        """Another layer like it."""
        return copied(self.layer)


Strength = Callable[[Subject], float]


@dataclass(frozen=True)
class Arm:
    """One way to treat a layer.

    Attributes:
        name: What it is called in tables and messages.
        meaning: What it does, in a few words.
        layers: What stands in the layer's place, the layer's own copy among it.
        applies: Whether it can be done to the layer.
        strength: For a penalty: the L2 strength computed for the layer.
        penalise: For a penalty: gives it to the copy of the layer, built.
    """

    name: str
    meaning: str
    layers: Callable[[Subject], list[Any]]
    applies: Callable[[Subject], bool] = lambda _subject: True
    strength: Strength | None = None
    penalise: Callable[[Any, Any], None] = lambda _layer, _regularizer: None

    def strengths(self, subject: Subject, multiples: Sequence[float]) -> tuple[float | None, ...]:
        """What a penalty is tried at; a single None for an arm without one."""
        if self.strength is None:
            return (None,)
        computed = self.strength(subject)
        return tuple(float(f"{computed * multiple:.2g}") for multiple in multiples)


def _alone(subject: Subject) -> list[Any]:
    return [subject.copy()]


def _split(subject: Subject) -> list[Any]:
    """The layer, its activation behind it: a penalty must not act on what that has bounded."""
    copy = subject.copy()
    front: list[Any] = []
    if subject.exposed:
        front = [keras.layers.LayerNormalization(**shield(subject.row)["arguments"])]
    if not subject.row.fused:
        return [*front, copy]
    function, copy.activation = copy.activation, keras.activations.linear
    return [*front, copy, keras.layers.Activation(function)]


def _centred(subject: Subject) -> list[Any]:
    mean = np.asarray(subject.input_mean)
    shift = keras.layers.Normalization(axis=subject.axis, mean=mean, variance=np.ones_like(mean))
    return [shift, subject.copy()]


def _scaled(subject: Subject) -> list[Any]:
    rms = subject.levels["input_rms"]
    return [keras.layers.Rescaling(1 / rms if rms > 0 else 1.0), subject.copy()]


def _batch_normalised(subject: Subject) -> list[Any]:
    return [keras.layers.BatchNormalization(axis=subject.axis), subject.copy()]


def _layer_normalised(subject: Subject) -> list[Any]:
    return [keras.layers.LayerNormalization(axis=subject.axis), subject.copy()]


def _patched(subject: Subject) -> list[Any]:
    return subject.patch() if subject.patch is not None else _alone(subject)


def _has_kernel(subject: Subject) -> bool:
    contraction = contraction_of(subject.layer)
    return contraction is not None and bool(contraction.kernels(subject.layer))


def _has_a_level(subject: Subject) -> bool:
    """Of an LSTM, what it puts out is bounded already, and has none."""
    return bool(np.isfinite(subject.levels["pre_db"]))


def _gets_a_signal(subject: Subject) -> bool:
    return subject.input_mean is not None


def _gets_features(subject: Subject) -> bool:
    mean = subject.input_mean
    return mean is not None and mean.size >= LEAST_FEATURES


def _kernel_strength(subject: Subject) -> float:
    shrunk = subject.levels["kernel_rms"] * amplitude(-subject.excess_db)
    return penalty(subject.training, excess_db=subject.excess_db, target=shrunk)


def _activity_strength(subject: Subject) -> float:
    return activity_penalty(
        subject.row,
        subject.training,
        excess_db=subject.excess_db,
        target=amplitude(subject.wanted_db),
        eigenvalue=loudest(
            subject.row, subject.levels["input_eigenvalue"], shielded=subject.exposed
        ),
    )


def _penalise_kernel(layer: Any, regularizer: Any) -> None:
    contraction = contraction_of(layer)
    for kernel in contraction.kernels(layer) if contraction is not None else ():
        kernel.regularizer = regularizer


def _penalise_activity(layer: Any, regularizer: Any) -> None:
    layer.activity_regularizer = regularizer


ARMS = (
    Arm("nothing", "the model as it is", _alone),
    Arm("patch", "what the finding proposes", _patched, lambda subject: subject.patch is not None),
    Arm(
        "activity",
        "an L2 penalty on what enters the activation, shielded from layers in front that train",
        _split,
        _has_a_level,
        strength=_activity_strength,
        penalise=_penalise_activity,
    ),
    Arm(
        "kernel",
        "an L2 penalty on the kernel",
        _alone,
        _has_kernel,
        _kernel_strength,
        _penalise_kernel,
    ),
    Arm("centred", "the mean of each input taken off it", _centred, _gets_a_signal),
    Arm("scaled", "the input divided by its rms", _scaled, _gets_a_signal),
    Arm("batch norm", "a BatchNormalization in front", _batch_normalised, _gets_a_signal),
    Arm("layer norm", "a LayerNormalization in front", _layer_normalised, _gets_features),
)
ARM_NAMES = tuple(arm.name for arm in ARMS)


def chosen(names: Sequence[str] | None, subject: Subject) -> tuple[Arm, ...]:
    """The arms of these names that apply to `subject`, "nothing" always among them.

    Raises:
        ValueError: There is no such arm.
    """
    unknown = set(names or ()) - set(ARM_NAMES)
    if unknown:
        raise ValueError(
            f"`arms` takes names out of {', '.join(ARM_NAMES)}. Received: {', '.join(unknown)}."
        )
    wanted = ARM_NAMES if names is None else {"nothing", *names}
    return tuple(arm for arm in ARMS if arm.name in wanted and arm.applies(subject))
