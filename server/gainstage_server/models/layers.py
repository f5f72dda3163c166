"""Answers about the rows of a run."""

from typing import Any

from pydantic import Field

from gainstage_server.models.answer import Answer, Number


class TrainingModel(Answer):
    """`wire.Training`."""

    backend: str
    keras: str
    optimizer: str
    learning_rate: Number
    momentum: Number
    weight_decay: Number
    loss: str
    batch_size: int | None
    penalty_per_example: bool


class LayerRow(Answer):
    """`wire.Row`, its verdict and its newest values."""

    id: str
    path: str
    kind: str
    call: int
    inputs: list[int]
    output_shape: list[int | None]
    kernel_shape: list[int]
    parameters: int
    trainable: bool
    fan_in: Number
    activation: str | None
    fused: bool
    unjudged: str
    arguments: dict[str, Any]
    state_fan_in: Number
    dtype: str
    verdict: str = Field(description="Empty where the row is not judged.")
    headroom_db: float | None = Field(description="Level at which its activation saturates.")
    values: dict[str, Number]


class Layers(Answer):
    """The newest frame of a run, row by row in order of data flow."""

    run: str
    step: int | None
    time: float | None
    training: TrainingModel | None
    rows: list[LayerRow]
