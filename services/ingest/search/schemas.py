"""What a search by image answers."""

from pydantic import BaseModel, Field

from services.ingest.items.schemas import ItemAnswer
from shared.auth.item_visibility import PublicItem
from shared.vision.image_query import MatchBasis, PerceptualAnswer, QueryAnswer


class ItemMatch(BaseModel):
    """An item that holds the picture: the same bytes, the same pixels, or a hash within the distance."""

    kind: MatchBasis
    distance: int | None = Field(description="Bits of 256 in which the hashes differ; null where the hash is undefined.")
    item: ItemAnswer | PublicItem = Field(description="Without `items:read`: in full only where it names the key's party.")


class SearchedBlobs(BaseModel):
    """What the answer speaks of: an image is absent only as far as every registered blob was compared."""

    registered: int = Field(description="Blobs registered. The exact bytes were looked for in all of them.")
    not_fingerprinted: int = Field(description="Blobs whose pixels and hash are not known yet; they will be.")
    failed: int = Field(description="Blobs that are missing, damaged or not decodable any more.")
    hash_undefined: int = Field(description="Blobs too flat to be hashed: found by their bytes or pixels only.")


class SearchAnswer(BaseModel):
    """The items that hold a picture: strongest kind first, then by distance and id."""

    query: QueryAnswer
    perceptual: PerceptualAnswer
    matches: list[ItemMatch]
    more: bool = Field(description="Whether there are matches beyond the limit.")
    searched: SearchedBlobs
    complete: bool = Field(description="Whether every registered blob was compared in every way that is defined for it.")
