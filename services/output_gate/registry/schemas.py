"""What a search in the registry of outputs answers."""

from pydantic import BaseModel, Field

from services.output_gate.checks.schemas import CheckSummary
from shared.vision.image_query import MatchBasis, PerceptualAnswer, QueryAnswer


class SeenOutput(BaseModel):
    """A generation that the gate saw, and every check of it, newest first."""

    kind: MatchBasis = Field(description="The same bytes, the same pixels, or a hash within the distance.")
    distance: int | None = Field(description="Bits of 256 in which the hashes differ; null where the hash is undefined.")
    generation_sha256: str
    checks: list[CheckSummary]


class SearchedOutputs(BaseModel):
    """What the answer speaks of."""

    generations: int = Field(description="Different generations that the gate saw.")
    hash_undefined: int = Field(description="Those too flat to be hashed: found by their bytes or pixels only.")


class SeenAnswer(BaseModel):
    """Whether the gate saw a picture, and what it said: strongest kind first, then by distance."""

    query: QueryAnswer
    perceptual: PerceptualAnswer
    seen: bool
    matches: list[SeenOutput]
    more: bool = Field(description="Whether there are matches beyond the limit.")
    searched: SearchedOutputs
