"""The committed OpenAPI description is the one that the code gives."""

from pathlib import Path

from services.openapi import openapi_json

COMMITTED = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"


def test_the_committed_description_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == openapi_json(), "run: make openapi"
