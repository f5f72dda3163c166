"""Answers that explain: rules, statistics, activation functions."""

from pydantic import Field

from gainstage.finding import Severity
from gainstage_server.models.answer import Answer


class RuleModel(Answer):
    """`diagnosis.Rule`."""

    verdict: str
    title: str
    meaning: str
    threshold: str
    severity: Severity
    opens_after: int
    least_steps: int
    closes_after: int
    runbook: str = Field(description="Address of the page that says what to do.")


class Rules(Answer):
    """The rules in their order of precedence."""

    rules: list[RuleModel]
    version: int


class StatisticModel(Answer):
    """`statistics.Statistic`."""

    id: str
    title: str
    unit: str
    formula: str
    meaning: str
    version: int
    block: str = Field(description="Block of a frame that holds it.")


class Statistics(Answer):
    """The table of statistics."""

    statistics: list[StatisticModel]


class ActivationModel(Answer):
    """`activations.Activation`, and its curve."""

    name: str
    low: float | None = Field(description="Saturated below; null: never.")
    high: float | None = Field(description="Saturated above; null: never.")
    headroom: float | None
    elementwise: bool
    values: list[float] | None = Field(description="At each z; null where f mixes units.")


class Activations(Answer):
    """The table of activation functions, and the z at which their curves are given."""

    z: list[float]
    activations: list[ActivationModel]
