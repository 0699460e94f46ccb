"""Conditional requests: an entity tag on every answer that is read, compared when it is read again and before it is changed.

Rules, in order:

1. The tag is the SHA-256 of the answer's canonical JSON. Equal answers have equal tags, whichever process gives them.
2. `If-None-Match` with the tag of the present answer is answered 304, without a body.
3. `If-Match` is compared inside the transaction that makes the change, so nobody changes the thing in between. Where the tag
   is out of date, the answer is 412 and nothing is changed.

Source: RFC 9110 sections 8.8.3 (ETag), 13.1.1 (If-Match, strong comparison), 13.1.2 (If-None-Match, weak comparison).
"""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from shared.canonical import canonical_json, sha256_hex
from shared.errors import PreconditionError

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=2000, description="Change the item only if this is its `ETag`; 412 otherwise."),
]

# What the description of the API says of the answer 304.
NOT_MODIFIED = "The client has the present answer already"

# RFC 9110 section 8.8.3: an opaque tag in quotes, W/ before it where it is weak.
_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def build_etag(answer: BaseModel) -> str:
    """Build the strong entity tag of an answer.

    >>> from shared.http.paging import Page
    >>> build_etag(Page[int](items=[], next_cursor=None))[:9]
    '"ae8ea6a4'
    """
    return _tag_of(answer.model_dump(mode="json"))


def _tag_of(value: Any) -> str:
    return f'"{sha256_hex(canonical_json(value))}"'


def is_current(if_none_match: str | None, etag: str) -> bool:
    """Say whether the client has the present answer already.

    >>> is_current('W/"a", "b"', '"a"'), is_current("*", '"a"'), is_current(None, '"a"')
    (True, True, False)
    """
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in {tag for _, tag in _TAG.findall(if_none_match)}


def verify_precondition(if_match: str | None, current: Callable[[], BaseModel]) -> None:
    """Check that what is to be changed is what the client saw.

    Args:
        if_match: the field's value; None where the client does not mind.
        current: builds the present answer; called only where the client minds.

    Raises:
        PreconditionError: the present answer has another tag.
    """
    if if_match is None or if_match.strip() == "*":
        return
    etag = build_etag(current())
    if etag not in {tag for weak, tag in _TAG.findall(if_match) if not weak}:
        raise PreconditionError(f"expected If-Match {etag}, got {if_match[:200]}")


class ConditionalRoute(APIRoute):
    """A route whose JSON answers to GET carry an entity tag and are left out where the client has them already."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "GET" in (options.get("methods") or ()):
            options["responses"] = {304: {"description": NOT_MODIFIED}, **(options.get("responses") or {})}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Build the handler: the route's own, and then the tag."""
        handle = super().get_route_handler()

        async def respond(request: Request) -> Response:
            response = await handle(request)
            return _with_tag(request, response) if request.method == "GET" else response

        return respond


def _with_tag(request: Request, response: Response) -> Response:
    if response.status_code != 200 or not response.headers.get("content-type", "").startswith("application/json"):
        return response
    etag = _tag_of(json.loads(bytes(response.body)))
    # RFC 9111 section 5.2.2.4: kept answers are asked about before they are used again.
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_current(request.headers.get("If-None-Match"), etag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
