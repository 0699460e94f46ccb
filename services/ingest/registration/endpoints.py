"""`POST /v1/items` and `GET /v1/items/{id}`: registration over REST."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from services.ingest.items.answers import build_item_answer, build_seen_item
from services.ingest.items.schemas import ItemAnswer, Registration, RegistrationAnswer
from services.ingest.registration.preparation import PreparedItem
from services.ingest.registration.service import prepare_item, record_item
from shared.auth.access import PUBLIC, needs
from shared.auth.caller import current_caller
from shared.auth.item_visibility import PublicItem
from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError
from shared.http.conditional import ConditionalRoute
from shared.http.idempotency import Key
from shared.http.problems import PROBLEM_RESPONSES
from shared.records.idempotency import bind_effect, find_effect
from shared.records.items import Item, load_item
from shared.schemas import describe_field_errors
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)

OPERATION = "items.register"


@router.post("", status_code=201, dependencies=needs("items:write"), summary="Register one training image")
def register_item(
    request: Request,
    response: Response,
    image: Annotated[UploadFile, File(description="The image as acquired: PNG, JPEG or WebP.")],
    record: Annotated[str, Form(description="The record as JSON: a `Registration` object.")],
    idempotency_key: Key = None,
) -> RegistrationAnswer:
    """Record an image with its owners, acquirer, archival link and diligence, log it, and answer with a receipt.

    The same registration sent again answers 200 and changes nothing.
    """
    workspace: Workspace = request.app.state.workspace
    registration = parse_registration(record)
    data = image.file.read(workspace.limits.max_bytes + 1)
    prepared = prepare_item(registration, data, workspace.blobs, workspace.limits)
    item, created = _register_once(workspace, prepared, idempotency_key)
    if not created:
        response.status_code = 200
    response.headers["Location"] = f"/v1/items/{item.id}"
    receipt = workspace.log.receipt(item.entry_id)
    with workspace.reading() as session:
        return RegistrationAnswer(item=build_item_answer(session, item), created=created, receipt=receipt)


def parse_registration(text: str) -> Registration:
    """Parse the JSON of a registration.

    Raises:
        InputError: it does not fit; the message names every field that is off.
    """
    try:
        return Registration.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"record does not fit: {describe_field_errors(error, 'record')}", code="record_invalid") from error


def _register_once(workspace: Workspace, prepared: PreparedItem, key: str | None) -> tuple[Item, bool]:
    try:
        return _register(workspace, prepared, key)
    except IntegrityError:
        # Another request registered the same key between our look and our write: its effect is now there to be found.
        return _register(workspace, prepared, key)


def _register(workspace: Workspace, prepared: PreparedItem, key: str | None) -> tuple[Item, bool]:
    request_sha256 = sha256_hex(canonical_json({"record": prepared.record_sha256, "blob": prepared.blob.sha256}))
    with workspace.writing() as session:
        made_before = find_effect(session, OPERATION, key, request_sha256)
        if made_before is not None:
            return load_item(session, made_before), False
        registered = record_item(session, prepared)
        bind_effect(session, OPERATION, key, request_sha256, registered.item.id)
    return registered.item, registered.created


@router.get("/{item_id}", dependencies=needs("items:read", "items:own"), summary="Show one item")
def get_item(request: Request, item_id: str) -> ItemAnswer | PublicItem:
    """Answer with an item's record; a key that speaks for one party sees of others' items what anyone may see."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        return build_seen_item(session, load_item(session, item_id), current_caller())


@router.get("/{item_id}/receipt", response_class=PlainTextResponse, dependencies=PUBLIC, summary="Fetch an item's receipt")
def get_item_receipt(request: Request, item_id: str) -> PlainTextResponse:
    """Answer with the proof that the item's registration is in the log (C2SP tlog-proof)."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        entry_id = load_item(session, item_id).entry_id
    return PlainTextResponse(workspace.log.receipt(entry_id))
