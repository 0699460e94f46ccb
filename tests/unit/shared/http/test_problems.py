"""Every error of an application is answered as a problem, with its status, its code and nothing of the request's values."""

import errno
import sqlite3
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from shared import errors
from shared.http.problem_details import MEDIA_TYPE, STATUS, describe_error, status_of
from shared.http.problems import add_problem_handlers


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    add_problem_handlers(app)
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as opened:
        yield opened


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize("kind", STATUS)
def test_each_class_of_errors_has_its_status(app: FastAPI, client: TestClient, kind: type[errors.SleeveError]) -> None:
    app.get("/fail")(failing(kind("expected a, got b", code="a_code")))
    answer = client.get("/fail")
    assert (answer.status_code, answer.headers["Content-Type"]) == (STATUS[kind], MEDIA_TYPE)
    assert answer.json() == describe_error(kind("expected a, got b", code="a_code"))
    assert answer.json() == {
        "type": "about:blank",
        "title": "A code",
        "status": STATUS[kind],
        "code": "a_code",
        "detail": "expected a, got b",
    }


def test_an_error_of_a_class_without_a_status_is_the_servers_own() -> None:
    assert status_of(errors.SleeveError("unexpected")) == 500


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (IntegrityError("INSERT", None, ValueError("secret")), 409, "concurrent_change"),
        (DataError("INSERT", None, ValueError("secret")), 422, "value_unstorable"),
        (HTTPException(400, "There was an error parsing the body"), 422, "invalid_request"),
        (HTTPException(413, "body too large"), 413, "http_413"),
    ],
)
def test_errors_of_libraries_are_problems_too(
    app: FastAPI, client: TestClient, error: Exception, status: int, code: str
) -> None:
    app.get("/fail")(failing(error))
    answer = client.get("/fail")
    assert (answer.status_code, answer.headers["Content-Type"], answer.json()["code"]) == (status, MEDIA_TYPE, code)
    assert "secret" not in answer.text


def test_a_field_that_is_off_is_named_and_its_value_is_not(app: FastAPI, client: TestClient) -> None:
    @app.get("/items")
    def get_items(limit: int) -> int:
        return limit

    answer = client.get("/items", params={"limit": "Ada"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["detail"].startswith("query.limit: ")
    assert "Ada" not in answer.text


def test_a_method_that_is_not_allowed_is_told_which_are(app: FastAPI, client: TestClient) -> None:
    app.get("/items/{item_id}")(lambda item_id: item_id)
    app.delete("/items/{item_id}")(lambda item_id: item_id)
    app.post("/items/batch")(lambda: "batch")
    answer = client.put("/items/1")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, DELETE")
    # A path that is described by its own name is no item.
    assert client.put("/items/batch").headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error")), 503, "unavailable"),
        (OSError(errno.ENOSPC, "No space left on device", "/home/secret"), 503, "unavailable"),
        (ZeroDivisionError("a bug"), 500, "internal_error"),
    ],
)
def test_what_fails_beneath_a_request_is_a_problem_too(error: Exception, status: int, code: str) -> None:
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise error

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["code"] == code
    assert "secret" not in answer.text
    assert "SELECT" not in answer.text
