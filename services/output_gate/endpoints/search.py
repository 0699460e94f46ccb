"""`POST /v1/search`: the registered items nearest to a picture by embedding."""

from typing import Annotated

from fastapi import APIRouter, File, Query, UploadFile

from services.output_gate.dependencies import CurrentGate
from services.output_gate.embedding_search.schemas import NearestAnswer
from services.output_gate.embedding_search.service import MAX_NEAREST, find_nearest
from shared.auth.access import needs
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["items"], responses=PROBLEM_RESPONSES)


@router.post(
    "/search", dependencies=needs("items:read", "items:own"), summary="Find the registered items nearest to a picture"
)
def search_nearest(
    gate: CurrentGate,
    image: Annotated[UploadFile, File(description="The picture: PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF.")],
    limit: Annotated[int, Query(ge=1, le=MAX_NEAREST)] = 10,
) -> NearestAnswer:
    """Answer with the registered items nearest by embedding, each with the similarity suite; withdrawn ones are marked.

    Near means alike in what is shown. Whether a picture is a copy is what `POST /v1/checks` decides; whether the very image
    is registered, what `POST /v1/items/search` says. Nothing is stored.
    """
    return find_nearest(gate, image.file.read(gate.workspace.limits.max_bytes + 1), limit)
