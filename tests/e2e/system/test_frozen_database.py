"""PostgreSQL frozen by SIGSTOP under a running server: every answer comes in time and says why, and all goes on afterwards."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import png, register
from tests.support.keys import bearer, make_key
from tests.support.live_server import serve
from tests.support.postgres import frozen, new_database

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(180)]
# Measured on an idle machine: about 2 s, and about 4 s where a key is looked up first.
READY_SECONDS = 8
# What is set here, and what the client grants beyond it.
CONNECT_SECONDS, STATEMENT_SECONDS = 2, 3
REQUEST_SECONDS = CONNECT_SECONDS * 2 + STATEMENT_SECONDS * 2 + 4
# The threads in the background ask again within seconds.
RECOVERY_SECONDS = 30
# More than the server has threads for requests, so that readiness would wait behind them.
WAITING = 60


@pytest.fixture(params=["none", "keys"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path, postgres_cluster: str) -> Iterator[Workspace]:
    with new_database(postgres_cluster) as url:
        settings = Settings(
            home=tmp_path / "home",
            database_url=url,
            authentication=request.param,
            database_connect_seconds=CONNECT_SECONDS,
            database_statement_seconds=STATEMENT_SECONDS,
        )
        opened = open_workspace(settings)
        register(opened, "a.png", png(1))
        yield opened
        opened.engine.dispose()


def test_readiness_and_requests_answer_while_the_database_is_frozen(workspace: Workspace, postgres_cluster: str) -> None:
    key = bearer(make_key(workspace, "metrics:read", "checks:write", "items:read"))
    picture = {"image": ("a.png", png(1), "image/png")}
    limits = httpx.Limits(max_connections=None)
    with (
        serve(create_app(workspace, open_gate(workspace))) as url,
        httpx.Client(base_url=url, headers=key, timeout=60, limits=limits) as client,
        ThreadPoolExecutor(WAITING) as threads,
    ):
        assert client.get("/v1/items").status_code == 200
        with frozen(postgres_cluster):
            waiting = [threads.submit(_timed, client, "GET", "/v1/items") for _ in range(WAITING)]
            check = threads.submit(_timed, client, "POST", "/v1/checks", files=picture, data={"model": "m"})
            time.sleep(0.3)
            public = httpx.get(f"{url}/readyz", timeout=READY_SECONDS)
            status, body, seconds = _timed(client, "GET", "/readyz")
            assert seconds < READY_SECONDS
            refused = [future.result() for future in (*waiting, check)]
        assert (public.status_code, public.headers["content-type"]) == (503, "application/problem+json")
        assert status == 503
        if workspace.settings.authentication == "keys":
            assert body["detail"] == "the database does not answer"
        else:
            reasons = {one["name"]: one["reason"] for one in body["dependencies"] if not one["ready"]}
            assert reasons["database"] == "unavailable"
            assert {reasons[name] for name in ("log", "index", "policy")} == {"database_down"}
            assert "blobs" not in reasons
        assert {status for status, _, _ in refused} == {503}
        assert {body["code"] for _, body, _ in refused} == {"unavailable"}
        assert max(seconds for _, _, seconds in refused) < REQUEST_SECONDS
        deadline = time.monotonic() + RECOVERY_SECONDS
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline, client.get("/readyz").json()
            time.sleep(0.2)
        assert client.get("/v1/items").status_code == 200


def _timed(client: httpx.Client, method: str, path: str, **options: object) -> tuple[int, dict, float]:  # type: ignore[type-arg]
    began = time.monotonic()
    answer = client.request(method, path, **options)  # type: ignore[arg-type]
    return answer.status_code, answer.json(), time.monotonic() - began
