"""Limits of bodies, held against what the OpenAPI description lets each operation carry."""

import re
from typing import Any

import pytest

from services.api.description import describe_api
from services.output_gate.checks.submission import MAX_IMAGES
from services.server.app import build_api
from services.server.body_limits import FORM_BYTES, MANIFEST_BYTES, MAX_JSON_BYTES, build_body_limits
from services.server.connections import STREAMS
from shared.http.request_limits import RequestBounds
from shared.settings import Settings

DOCUMENT = describe_api(build_api())
MAX_IMAGE_BYTES = Settings.model_fields["max_image_bytes"].default
BASE64_BYTES = (MAX_IMAGE_BYTES + 2) // 3 * 4
LIMITS = build_body_limits(MAX_IMAGE_BYTES)
OPERATIONS = {
    path: operation["requestBody"]["content"]
    for path, operations in DOCUMENT["paths"].items()
    for operation in operations.values()
    if "requestBody" in operation and path not in STREAMS
}
# A character of UTF-8, and a number or a moment as text.
CHARACTER_BYTES, VALUE_BYTES = 4, 40
# Lists and texts without a bound in the description; the reader of the body bounds them by their meaning, to a few.
FEW = 100


def longest_body(schema: dict[str, Any]) -> int:
    """The longest JSON body that a schema describes, in bytes; images count as one of the settings' size."""
    if "$ref" in schema:
        return longest_body(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if parts := [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        return max(longest_body(part) for part in parts)
    if schema.get("type") == "array":
        parts = schema.get("prefixItems", [schema.get("items", {})])
        count = 1 if "prefixItems" in schema else schema.get("maxItems", FEW)
        return int(count * sum(1 + longest_body(part) for part in parts))
    if schema.get("type") == "object":
        return sum(len(name) + 4 + longest_body(part) for name, part in schema.get("properties", {}).items())
    return longest_value(schema)


def longest_value(schema: dict[str, Any]) -> int:
    """The same of a text or a number."""
    if schema.get("contentEncoding") == "base64":
        return BASE64_BYTES
    if "maxLength" not in schema:
        return VALUE_BYTES
    # What is short is an id or a word of the format's own.
    return 2 + int(schema["maxLength"]) * (CHARACTER_BYTES if schema["maxLength"] > FEW else 1)


def test_every_path_with_a_limit_of_its_own_takes_bodies() -> None:
    assert set(LIMITS) <= set(OPERATIONS)


@pytest.mark.parametrize("path", OPERATIONS)
def test_the_limit_fits_whatever_the_description_allows(path: str) -> None:
    limit = LIMITS.get(path, MAX_JSON_BYTES)
    for media_type, content in OPERATIONS[path].items():
        if media_type == "multipart/form-data":
            assert limit >= MAX_IMAGE_BYTES + FORM_BYTES
        elif path == "/v1/manifests":
            # A million ids, each with quotes and comma; the description bounds their number, not their length.
            assert limit == MANIFEST_BYTES >= 1_000_000 * len('"01a22e2c-f972-7372-8c59-72d0e6f9409d",')
        elif path == "/v1/checks":
            # Sixteen images of the largest size are for several requests; one always fits.
            assert limit > BASE64_BYTES
            assert MAX_IMAGES > 1
        else:
            assert limit >= longest_body(content["schema"])


def test_no_limit_is_wider_than_what_is_sent_there() -> None:
    wide = {path for path in OPERATIONS if path in LIMITS}
    carried = {path for path, content in OPERATIONS.items() if "multipart/form-data" in content}
    long = {path for path, content in OPERATIONS.items() if path not in carried and _is_long(content)}
    assert wide == carried | long | {"/v1/manifests"}


def _is_long(content: dict[str, Any]) -> bool:
    return any(longest_body(body["schema"]) > MAX_JSON_BYTES for body in content.values())


@pytest.mark.parametrize("path", [*OPERATIONS, *(path for path in DOCUMENT["paths"] if path not in OPERATIONS)])
def test_a_path_has_the_limit_of_its_own_route_and_of_no_other(path: str) -> None:
    bounds = RequestBounds(_no_app, max_body_bytes=MAX_JSON_BYTES, path_bytes=LIMITS)
    # Names that are words of other paths: the templates may not take one for another.
    for name in ("a", "search", "batch", "01a22e2c-f972-7372-8c59-72d0e6f9409d"):
        asked = re.sub(r"{[^}]*}", name, path)
        if asked in OPERATIONS or asked == path:
            assert bounds.find_limit(asked) == LIMITS.get(asked, MAX_JSON_BYTES)
        else:
            assert bounds.find_limit(asked) == LIMITS.get(path, MAX_JSON_BYTES)


async def _no_app(*_arguments: object) -> None:
    raise AssertionError("nothing is to be passed on here")
