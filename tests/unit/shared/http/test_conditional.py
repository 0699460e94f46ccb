"""Entity tags: of an answer, on reading again, and before a change."""

from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI, Response
from fastapi.testclient import TestClient
from pydantic import BaseModel

from shared.errors import PreconditionError
from shared.http.conditional import ConditionalRoute
from shared.http.entity_tags import build_etag, is_current, verify_precondition

ETAG, OTHER = '"a1"', '"b2"'


class Answer(BaseModel):
    name: str
    size: int = 0


@pytest.fixture
def client() -> Iterator[TestClient]:
    router = APIRouter(route_class=ConditionalRoute)
    router.get("/answer")(lambda: Answer(name="a").model_dump())
    router.post("/answer")(lambda: Answer(name="a").model_dump())
    router.get("/text")(lambda: Response("plain", media_type="text/plain"))
    app = FastAPI()
    app.include_router(router)
    with TestClient(app) as opened:
        yield opened


def test_equal_answers_have_equal_tags_and_others_have_others() -> None:
    assert build_etag(Answer(name="a", size=1)) == build_etag(Answer(size=1, name="a"))
    assert build_etag(Answer(name="a")) != build_etag(Answer(name="b"))


@pytest.mark.parametrize(
    ("if_none_match", "expected"),
    [(None, False), ("*", True), (ETAG, True), (f"W/{ETAG}", True), (f"{OTHER}, {ETAG}", True), (OTHER, False), ("a1", False)],
)
def test_on_reading_again_tags_are_compared_weakly(if_none_match: str | None, expected: bool) -> None:
    assert is_current(if_none_match, ETAG) is expected


def test_before_a_change_tags_are_compared_strongly() -> None:
    present = Answer(name="a")
    etag = build_etag(present)
    for accepted in (None, "*", etag, f"{OTHER}, {etag}"):
        verify_precondition(accepted, lambda: present)
    for refused in (OTHER, f"W/{etag}", etag.strip('"'), ""):
        with pytest.raises(PreconditionError):
            verify_precondition(refused, lambda: present)


def test_the_present_answer_is_not_built_where_nobody_minds() -> None:
    def fail() -> Answer:
        raise AssertionError

    verify_precondition(None, fail)
    verify_precondition("*", fail)


def test_a_json_answer_to_get_has_a_tag_and_is_left_out_where_the_client_has_it(client: TestClient) -> None:
    first = client.get("/answer")
    assert first.headers["ETag"] == build_etag(Answer(name="a"))
    again = client.get("/answer", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert client.get("/answer", headers={"If-None-Match": OTHER}).json() == first.json()


def test_other_answers_have_no_tag(client: TestClient) -> None:
    assert "ETag" not in client.post("/answer").headers
    assert "ETag" not in client.get("/text").headers
