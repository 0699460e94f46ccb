"""`POST /v1/outputs/search`: did this gate see a picture, and what did it say?"""

from typing import Annotated

from fastapi import APIRouter, File, Query, UploadFile

from services.output_gate.dependencies import CurrentOutputSearch
from services.output_gate.registry.schemas import SeenAnswer
from shared.auth.access import needs
from shared.http.problems import PROBLEM_RESPONSES
from shared.vision.image_query import MAX_LIMIT
from shared.vision.perceptual_hash import MATCH_DISTANCE, MAX_DISTANCE

router = APIRouter(prefix="/v1/outputs", tags=["outputs"], responses=PROBLEM_RESPONSES)


@router.post("/search", dependencies=needs("outputs:read"), summary="Ask whether the gate saw a picture")
def search_outputs(
    search: CurrentOutputSearch,
    image: Annotated[UploadFile, File(description="The picture to look for: PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF.")],
    max_distance: Annotated[
        int, Query(ge=0, le=MAX_DISTANCE, description="How many of a perceptual hash's 256 bits may differ.")
    ] = MATCH_DISTANCE,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> SeenAnswer:
    """Answer with the generations that hold a picture (the same bytes, the same pixels, or a near copy) and their decisions.

    Nothing is stored. A picture that was never checked, or was changed beyond the distance, is not found.
    """
    return search.search(image.file.read(search.workspace.limits.max_bytes + 1), max_distance, limit)
