"""Writes the OpenAPI description of the application: `python -m services.server.openapi FILE`."""

import json
import sys
from pathlib import Path

from services.server.app import build_api


def openapi_json() -> str:
    """Return the description as JSON, two spaces a level, with a newline at the end."""
    return json.dumps(build_api().openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(openapi_json(), encoding="utf-8")
