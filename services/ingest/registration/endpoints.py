"""`POST /v1/items`: one image registered."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Response, UploadFile

from services.ingest.items.schemas import RegistrationAnswer
from services.ingest.registration.service import parse_registration, register_image
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace
from shared.http.idempotency import Key
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


@router.post("", status_code=201, dependencies=needs("items:write"), summary="Register one training image")
def register_item(
    workspace: CurrentWorkspace,
    response: Response,
    image: Annotated[
        UploadFile,
        File(
            description="The image as acquired: PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF; "
            "of several frames the first is the item."
        ),
    ],
    record: Annotated[str, Form(description="The record as JSON: a `Registration` object.")],
    idempotency_key: Key = None,
) -> RegistrationAnswer:
    """Record an image with its owners, acquirer, archival link and diligence, log it, and answer with a receipt.

    The same registration sent again answers 200 and changes nothing.
    """
    registration = parse_registration(record)
    answer = register_image(workspace, registration, image.file.read(workspace.limits.max_bytes + 1), idempotency_key)
    response.status_code = 201 if answer.created else 200
    response.headers["Location"] = f"/v1/items/{answer.item.id}"
    return answer
