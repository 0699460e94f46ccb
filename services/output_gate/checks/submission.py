"""What a request hands in to be checked: a form with files, or JSON with base64.

Rules, in order:

1. One `image` asks for one check. Several `image` parts of a form, or `images` of JSON, ask for an entry for each.
2. What cannot be read as a request at all is refused whole. What is wrong with one image is that image's outcome.

Source: RFC 7578 (several files under one name), RFC 4648 section 4 (base64), RFC 7240 section 4.1 (respond-async).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from shared.errors import InputError
from shared.http.dependencies import get_workspace
from shared.schemas import StrictModel, describe_field_errors

# Images in one request: what a caller can wait for, and what a form parser is to be asked to hold.
MAX_IMAGES = 256
# A name is kept to be given back; file systems end at 255 bytes.
MAX_NAME = 500
FORM, JSON = "multipart/form-data", "application/json"

_MODEL = {"type": "string", "minLength": 1, "maxLength": 100, "description": "Name or id of the model that made it."}
_BINARY = {"type": "string", "format": "binary"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
_FORM_IMAGE = {
    "type": "array",
    "items": _BINARY,
    "minItems": 1,
    "maxItems": MAX_IMAGES,
    "description": "The generation: PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF; the part may be repeated.",
}
_JSON_IMAGES = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_IMAGES,
    "items": {
        "title": "CheckedImage",
        "type": "object",
        "required": ["data"],
        "additionalProperties": False,
        "properties": {"data": _BASE64, "name": {"type": ["string", "null"], "maxLength": MAX_NAME}},
    },
    "description": "Several; the answer has an entry for each.",
}
# What OpenAPI says of the body, which is read here and not by the framework.
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        FORM: {
            "schema": {
                "title": "CheckForm",
                "type": "object",
                "required": ["image", "model"],
                "properties": {"image": _FORM_IMAGE, "model": _MODEL},
            }
        },
        JSON: {
            "schema": {
                "title": "CheckRequest",
                "type": "object",
                "description": "Either `image` or `images`.",
                "required": ["model"],
                "additionalProperties": False,
                "properties": {
                    "model": _MODEL,
                    "image": {**_BASE64, "description": "One file; the answer is one check."},
                    "images": _JSON_IMAGES,
                },
            }
        },
    },
}


@dataclass(frozen=True)
class SubmittedImage:
    """One image: the caller's name for it, and its bytes; None where these are no base64."""

    name: str | None
    data: bytes | None


@dataclass(frozen=True)
class Submission:
    """What is to be checked; `several` says that an entry for each is asked for."""

    model: str
    images: tuple[SubmittedImage, ...]
    several: bool

    @property
    def only_data(self) -> bytes:
        """The bytes of the one image.

        Raises:
            InputError: they are no base64.
        """
        data = self.images[0].data
        if data is None:
            raise InputError("image: expected the file in base64 (RFC 4648 section 4)", code="not_base64")
        return data


class _JsonImage(StrictModel):
    data: str
    name: str | None = Field(default=None, max_length=MAX_NAME)


class _JsonSubmission(StrictModel):
    model: str
    image: str | None = None
    images: list[_JsonImage] | None = Field(default=None, fail_fast=True)


async def read_submission(request: Request) -> Submission:
    """Read a request's body.

    Raises:
        InputError: it does not fit.
        HTTPException: it is of another media type (415), or no form (400).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        workspace = get_workspace(request)
        async with request.form(max_files=MAX_IMAGES, max_fields=8) as form:
            return await _read_form(form, workspace.limits.max_bytes)
    if kind == JSON:
        return await run_in_threadpool(parse_json, await request.body())
    raise HTTPException(415, f"expected {FORM} or {JSON}, got {kind[:100] or 'no media type'}")


async def _read_form(form: FormData, max_bytes: int) -> Submission:
    parts, models = form.getlist("image"), form.getlist("model")
    files = [part for part in parts if isinstance(part, UploadFile)]
    if not files or len(files) != len(parts):
        raise InputError("image: expected files", code="invalid_request")
    if len(models) != 1 or not isinstance(models[0], str):
        raise InputError(f"model: expected one text field, got {len(models)} fields", code="invalid_request")
    # A byte more than is accepted, so that what is too long is found to be.
    images = [SubmittedImage(_clean(file.filename), await file.read(max_bytes + 1)) for file in files]
    return _build(models[0], images, several=len(images) > 1)


def parse_json(body: bytes) -> Submission:
    """Read a JSON body.

    Raises:
        InputError: it does not fit; the message names every field that is off.
    """
    try:
        submission = _JsonSubmission.model_validate_json(body)
    except ValidationError as error:
        raise InputError(describe_field_errors(error), code="invalid_request") from error
    if (submission.image is None) == (submission.images is None):
        raise InputError("expected either `image` or `images`", code="invalid_request")
    if submission.images is None:
        return _build(submission.model, [SubmittedImage(None, _decode(submission.image or ""))], several=False)
    images = [SubmittedImage(_clean(image.name), _decode(image.data)) for image in submission.images]
    return _build(submission.model, images, several=True)


def _build(model: str, images: list[SubmittedImage], *, several: bool) -> Submission:
    if not 1 <= len(model) <= 100 or "\0" in model:
        raise InputError("model: expected a name or id of 1 to 100 characters", code="invalid_request")
    if not 1 <= len(images) <= MAX_IMAGES:
        raise InputError(f"expected 1 to {MAX_IMAGES} images, got {len(images)}", code="invalid_request")
    return Submission(model, tuple(images), several)


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _clean(name: str | None) -> str | None:
    """Make a name one that any database keeps."""
    if not name:
        return None
    return name.encode(errors="replace").decode().replace("\0", "")[:MAX_NAME] or None


def prefers_async(values: list[str]) -> bool:
    """Say whether a request's `Prefer` fields ask for an answer at once and the work later.

    >>> prefers_async(["return=minimal, Respond-Async; wait=10"]), prefers_async(["wait=10"])
    (True, False)
    """
    preferences = (preference.partition(";")[0] for value in values for preference in value.split(","))
    return any(preference.partition("=")[0].strip().lower() == "respond-async" for preference in preferences)
