"""What all answers of the HTTP interface have in common."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

# null: not there, because it is masked or was not sampled; text: the value is not finite.
Number = float | Literal["NaN", "Infinity", "-Infinity"] | None


class Answer(BaseModel):
    """What all answers have in common: they hold these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """Why there is no answer: what was wrong, expected, received, and what to do."""

    detail: str


class Health(Answer):
    """Whether the server works."""

    status: Literal["ok"]
