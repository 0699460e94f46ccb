"""The page at `/`: public, in no description, allowed to do nothing, and every link leads to a route that is public too."""

import re

from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.server.app import build_api
from services.server.landing import router
from shared.auth.access import declared_routes, find_access


def load_page() -> tuple[str, dict[str, str]]:
    app = FastAPI()
    app.include_router(router)
    answer = TestClient(app).get("/")
    assert answer.status_code == 200
    return answer.text, dict(answer.headers)


def test_every_link_leads_to_a_public_route() -> None:
    page, _ = load_page()
    links = re.findall(r'href="([^"]+)"', page)
    assert {"/docs", "/checkpoint", "/log.vkey", "/healthz"} <= set(links)
    routes = tuple(declared_routes(build_api()))
    for link in links:
        access = find_access(routes, "GET", link)
        assert access is not None, link
        assert access.public, link


def test_it_is_in_no_description() -> None:
    assert "/" not in build_api().openapi()["paths"]


def test_it_may_run_nothing_and_load_nothing() -> None:
    page, headers = load_page()
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"<script|<img|<link|style=|https?://", page)
    assert headers["x-content-type-options"] == "nosniff"
