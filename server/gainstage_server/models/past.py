"""Answers over steps, and how they are downsampled."""

from pydantic import Field

from gainstage_server.models.answer import Answer, Number


class Downsampled(Answer):
    """What all answers over steps have in common: a point stands for a few samples in a row."""

    steps: list[int] = Field(description="Of each point, that of its last sample.")
    frames: list[int] = Field(description="How many samples each point stands for.")
    downsampled: bool = Field(description="Whether some point stands for several samples.")


class Bands(Answer):
    """The smallest, largest, mean and last value of each point's samples."""

    min: list[Number]
    max: list[Number]
    mean: list[Number]
    last: list[Number]


class Series(Downsampled):
    """Statistics of one row over steps."""

    run: str
    row: str
    path: str
    from_: int | None = Field(alias="from", description="First step shown.")
    to: int | None = Field(description="Last step shown.")
    times: list[float]
    series: dict[str, Bands]


class Logs(Downsampled):
    """What the training logged over steps: the names of the newest frame that logged anything."""

    run: str
    times: list[float]
    series: dict[str, Bands]


class Heatmap(Downsampled):
    """One statistic of all rows over steps; the values are [rows][steps], else as in `Bands`."""

    run: str
    statistic: str
    rows: list[str]
    min: list[list[Number]]
    max: list[list[Number]]
    mean: list[list[Number]]
    last: list[list[Number]]


class Units(Downsampled):
    """One row's units over those steps that have a map: the share of values without a gradient."""

    run: str
    row: str
    layer: str = Field(description="The row's path.")
    units: int = Field(description="Of the row; 0 where it has no unit map.")
    groups: int = Field(description="Of neighbouring units, one each where there are few.")
    pinned: list[list[Number]] = Field(
        description="[groups][steps], means over a group; of a point's samples the largest."
    )
