"""Every route says what it asks of its caller, in words that exist, and finding it follows the application's own order."""

import re

from services.server.app import build_api
from shared.auth.access import CLOSED, DESCRIPTION_PATHS, declared_routes, find_access, needs
from shared.auth.scopes import MEANING, OF_A_PARTY, SCOPES
from tests.support.paths import ROOT

ROUTES = tuple(declared_routes(build_api()))
# Without a key: what proves, what describes, what leads there, and what says that the process is up.
PUBLIC_PATHS = DESCRIPTION_PATHS | {
    "/",
    "/checkpoint",
    "/log.vkey",
    "/tile/{path}",
    "/v1/items/{item_id}/receipt",
    "/v1/manifests/{name}/proofs/{sha256}",
    "/v1/manifests/{name}/membership/{sha256}",
    "/v1/manifests/{name}/membership",
    "/healthz",
    "/readyz",
}


def test_every_route_declares_what_it_asks_for() -> None:
    assert len(ROUTES) > 70
    assert [route.path for route in ROUTES if route.access is None] == []


def test_only_proofs_and_descriptions_are_public() -> None:
    assert {route.path for route in ROUTES if route.access is not None and route.access.public} == PUBLIC_PATHS
    for route in ROUTES:
        assert route.access is not None
        assert route.access.public != bool(route.access.any_of), route.path


def test_what_changes_something_asks_for_more_than_to_read() -> None:
    reads = {scope for scope in SCOPES if scope.endswith(":read")} | {"items:own"}
    searches = {"/v1/items/search", "/v1/search", "/v1/outputs/search"}
    for route in ROUTES:
        if route.methods is not None and route.methods - {"GET", "HEAD"} and route.path not in searches:
            assert route.access is not None
            assert not reads & set(route.access.any_of), route.path


def test_every_scope_opens_something_and_has_a_meaning() -> None:
    opened = {scope for route in ROUTES if route.access is not None for scope in route.access.any_of}
    assert opened == set(SCOPES) == set(MEANING)
    assert set(SCOPES) >= OF_A_PARTY


def test_the_route_of_a_request_is_found_and_an_undeclared_one_is_closed() -> None:
    assert find_access(ROUTES, "POST", "/v1/items/batch") == needs("items:write")[0].dependency
    assert find_access(ROUTES, "GET", "/tile/0/x001/234") is not None
    assert find_access(ROUTES, "GET", "/nowhere") is None
    assert find_access(ROUTES, "DELETE", "/v1/items") is None
    app = build_api()
    app.get("/forgotten")(lambda: None)
    assert find_access(tuple(declared_routes(app)), "GET", "/forgotten") is CLOSED


def test_the_documented_scopes_are_those_in_force() -> None:
    document = (ROOT / "docs" / "methods" / "auth.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `(\w+:\w+)` \| (.+) \|$", document, flags=re.MULTILINE)) == MEANING
