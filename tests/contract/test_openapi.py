"""The OpenAPI description: the committed one is current, every operation is described, and every example fits its schema."""

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from services.api.examples import EXAMPLES
from services.server.app import build_api
from services.server.openapi import openapi_json
from tests.support.paths import ROOT

COMMITTED = ROOT / "docs" / "api" / "openapi.json"
DESCRIBED: dict[str, Any] = build_api().openapi()
PROBLEM = "application/problem+json"


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DESCRIBED["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Status (or "request"), media type, content."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, content
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            yield status, media_type, content


def test_the_committed_description_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == openapi_json(), "run: make openapi"


def test_every_operation_is_named_and_described() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(set(names)) == len(names)
    for where, operation in operations():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), where
        assert operation.get("summary"), where
        assert operation.get("description"), where
        assert operation.get("tags"), where
    assert set(EXAMPLES) <= set(names), set(EXAMPLES) - set(names)


def test_every_body_has_an_example_that_fits_its_schema() -> None:
    components = {"components": DESCRIBED["components"]}
    for where, operation in operations():
        for status, media_type, content in contents(operation):
            assert content.get("example") is not None, (where, status, media_type)
            schema = content["schema"] | components
            found = [error.message for error in Draft202012Validator(schema).iter_errors(content["example"])]
            assert not found, (where, status, media_type, found)


def test_every_error_is_a_documented_problem() -> None:
    for where, operation in operations():
        for status, media_type, content in contents(operation):
            if status[0] in "45":
                assert media_type == PROBLEM, (where, status)
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert content["example"]["status"] == int(status)
        if "/v1/" in where:
            assert {"404", "422", "503"} <= set(operation["responses"]), where


def test_what_carries_a_tag_takes_one() -> None:
    tagged = {operation["operationId"] for _, operation in operations() if "304" in operation["responses"]}
    assert {"get_item", "get_items", "get_manifest", "list_manifests", "list_manifest_items", "get_signals"} <= tagged
    for where, operation in operations():
        takes = {parameter["name"] for parameter in operation.get("parameters", ())}
        assert ("If-None-Match" in takes) == ("304" in operation["responses"]), where
        assert ("If-Match" in takes) == ("412" in operation["responses"]), where
