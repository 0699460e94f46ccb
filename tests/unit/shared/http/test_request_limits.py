"""Bounds of a request: bodies with and without a stated length, streams, and zero characters."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from shared.http.problems import add_problem_handlers
from shared.http.request_limits import RequestBounds

LIMIT_BYTES = 10


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    add_problem_handlers(app)

    async def count(request: Request) -> int:
        return len(await request.body())

    app.post("/counted")(count)
    app.post("/stream")(count)
    app.get("/read")(lambda: "read")
    app.add_middleware(RequestBounds, max_body_bytes=LIMIT_BYTES, streams=["/stream"])
    with TestClient(app) as opened:
        yield opened


def in_pieces(size_bytes: int) -> Iterator[bytes]:
    """A body of no stated length."""
    yield from (b"x" for _ in range(size_bytes))


def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_refused(client: TestClient) -> None:
    assert client.post("/counted", content=bytes(LIMIT_BYTES)).json() == LIMIT_BYTES
    assert client.post("/counted", content=in_pieces(LIMIT_BYTES)).json() == LIMIT_BYTES
    for content in (bytes(LIMIT_BYTES + 1), in_pieces(LIMIT_BYTES + 1)):
        answer = client.post("/counted", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "http_413")
        assert answer.json()["detail"] == "body too large: expected at most 10 bytes"


def test_a_length_that_lies_does_not_help(client: TestClient) -> None:
    answer = client.post("/counted", content=in_pieces(LIMIT_BYTES + 1), headers={"Content-Length": "3"})
    assert answer.status_code == 413


def test_a_stream_has_bounds_of_its_own(client: TestClient) -> None:
    assert client.post("/stream", content=in_pieces(3 * LIMIT_BYTES)).json() == 3 * LIMIT_BYTES


@pytest.mark.parametrize("url", ["/read?name=%00", "/re%00ad"])
def test_a_zero_character_is_refused(client: TestClient, url: str) -> None:
    answer = client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (422, "zero_character")
