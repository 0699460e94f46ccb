"""What requests of the output duty have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

# PostgreSQL has no text with a zero character (manual, section 8.3).
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class Strict(BaseModel):
    """Base of every request: unknown fields are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)
