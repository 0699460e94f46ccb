"""Conditional requests: an entity tag on every answer that is read, compared when it is read again and before it is changed.

Rules, in order:

1. The tag is the SHA-256 of the answer's canonical JSON. Equal answers have equal tags, whichever process gives them.
2. `If-None-Match` with the tag of the present answer is answered 304, without a body.
3. `If-Match` is compared inside the transaction that makes the change, so nobody changes the thing in between. Where the tag
   is out of date, the answer is 412 and nothing is changed.

Source: RFC 9110 sections 8.8.3 (ETag), 13.1.1 (If-Match, strong comparison), 13.1.2 (If-None-Match, weak comparison).
"""

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute

from shared.http.entity_tags import is_current, tag_value

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=2000, description="Change the item only if this is its `ETag`; 412 otherwise."),
]

# What the description of the API says of the answer 304.
NOT_MODIFIED = "The client has the present answer already"


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
    etag = tag_value(json.loads(bytes(response.body)))
    # RFC 9111 section 5.2.2.4: kept answers are asked about before they are used again.
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_current(request.headers.get("If-None-Match"), etag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
