"""What endpoints are given: the workspace that is served, the caller of the request, and the page that is asked for."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shared.auth.caller import ANYONE, acting_as
from shared.http.dependencies import CurrentCaller, CurrentWorkspace, PageQuery
from shared.http.paging import encode_cursor
from shared.workspace import Workspace


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    app = FastAPI()
    app.state.workspace = workspace

    @app.get("/home")
    def get_home(workspace: CurrentWorkspace) -> str:
        return str(workspace.home)

    @app.get("/scopes")
    def get_scopes(caller: CurrentCaller) -> int:
        return len(caller.scopes)

    @app.get("/page")
    def get_page(page: PageQuery) -> dict[str, str | int]:
        return {"position": page.position, "rows": page.rows_to_load}

    with TestClient(app) as opened:
        yield opened


def test_the_workspace_is_the_one_that_the_application_serves(client: TestClient, workspace: Workspace) -> None:
    assert client.get("/home").json() == str(workspace.home)


def test_the_caller_is_that_of_the_request(client: TestClient) -> None:
    assert client.get("/scopes").json() > 0
    with acting_as(ANYONE):
        assert client.get("/scopes").json() == 0


def test_a_page_has_bounds_and_a_default(client: TestClient) -> None:
    assert client.get("/page").json() == {"position": "", "rows": 51}
    assert client.get("/page", params={"cursor": encode_cursor("x"), "limit": 7}).json() == {"position": "x", "rows": 8}
    for refused in ({"limit": 0}, {"limit": 501}, {"cursor": "x" * 201}):
        assert client.get("/page", params=refused).status_code == 422
