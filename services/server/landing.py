"""The page at `/`: what Sleeve is, and where its API, its log and its health are.

It holds nothing of the records, so it is public. It runs no script and loads nothing: its policy allows its own style alone.
"""

import base64
import hashlib
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.auth.access import PUBLIC

_FOLDER = Path(__file__).parent / "landing_page"

router = APIRouter()


def _hash_source(text: str) -> str:
    """Return the source expression that allows an inline element of this text (Content Security Policy Level 3, 2.3.1)."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _render_page(style: str) -> str:
    templates = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
    return templates.get_template("landing.html.j2").render(style=Markup(style))  # noqa: S704 (a file of ours)


_STYLE = (_FOLDER / "landing.css").read_text(encoding="utf-8")
_PAGE = _render_page(_STYLE)
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash_source(_STYLE)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@router.get("/", include_in_schema=False, dependencies=PUBLIC, response_class=HTMLResponse)
def get_landing_page() -> HTMLResponse:
    """Answer with the page that leads to the API description, the log and the health checks."""
    return HTMLResponse(_PAGE, headers=_HEADERS)
