"""`POST /v1/items/search`: search by image over REST."""

from typing import Annotated

from fastapi import APIRouter, File, Query, UploadFile

from services.ingest.search.dependencies import CurrentSearch
from services.ingest.search.schemas import SearchAnswer
from shared.auth.access import needs
from shared.http.problems import PROBLEM_RESPONSES
from shared.vision.image_query import MAX_LIMIT
from shared.vision.perceptual_hash import MATCH_DISTANCE, MAX_DISTANCE

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEM_RESPONSES)


@router.post("/search", dependencies=needs("items:read", "items:own"), summary="Search by image")
def search_items(
    search: CurrentSearch,
    image: Annotated[UploadFile, File(description="The picture to look for: PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF.")],
    max_distance: Annotated[
        int, Query(ge=0, le=MAX_DISTANCE, description="How many of a perceptual hash's 256 bits may differ.")
    ] = MATCH_DISTANCE,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> SearchAnswer:
    """Answer with the registered items that hold a picture: the same bytes, the same pixels, or a near copy.

    Nothing is stored. `searched` says how many blobs were not compared: only without them is an empty answer an absence.
    """
    return search.search(image.file.read(search.workspace.limits.max_bytes + 1), max_distance, limit)
