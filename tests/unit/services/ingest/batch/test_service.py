"""`POST /v1/items/batch`: a stream of rows over a real connection, answered row by row."""

import base64
import hashlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import select

from services.ingest.batch import duplex_stream as streaming
from services.ingest.batch import endpoints as batch
from services.ingest.batch.service import register_stream
from services.ingest.bulk import pipeline as bulk
from services.ingest.bulk.rows import Pause
from services.keys.service import revoke_key
from shared.auth.caller import OPERATOR, Caller, acting_as
from shared.errors import ForbiddenError
from shared.http.problems import add_problem_handlers
from shared.ledger.checkpoint import verify_checkpoint
from shared.records.items import Item, count_items
from shared.workspace import Workspace
from tests.support.broken_images import broken_files, palette_without_colours
from tests.support.factories import png, registration
from tests.support.keys import make_key
from tests.support.live_server import serve

JSONL = {"Content-Type": "application/jsonl"}


def build_app(workspace: Workspace) -> FastAPI:
    app = FastAPI()
    app.state.workspace = workspace
    add_problem_handlers(app)
    app.include_router(batch.router)
    return app


@pytest.fixture
def url(any_workspace: Workspace) -> Iterator[str]:
    with serve(build_app(any_workspace)) as address:
        yield f"{address}/v1/items/batch"


def record(key: str, **changed: object) -> dict[str, Any]:
    return registration(key, **changed).model_dump(mode="json", exclude_defaults=True)


def line(key: str, seed: int, **changed: object) -> bytes:
    image = base64.b64encode(png(seed)).decode()
    return json.dumps({**record(key, **changed), "image": image}).encode() + b"\n"


def held_line(key: str, sha256: str) -> bytes:
    return json.dumps({**record(key), "sha256": sha256}).encode() + b"\n"


def digest(seed: int) -> str:
    return hashlib.sha256(png(seed)).hexdigest()


def post(url: str, body: bytes, **headers: str) -> list[dict[str, Any]]:
    answer = httpx.post(url, content=body, headers={**JSONL, **headers}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jsonl"
    return [json.loads(text) for text in answer.text.splitlines()]


def test_every_row_is_answered_in_order_and_recorded(url: str, any_workspace: Workspace) -> None:
    body = b"".join([line("a", 1), b"\n", b"{broken\n", held_line("b", digest(1)), held_line("c", "0" * 64), line("d", 2)])
    *rows, last = post(url, body)
    assert [(row["row"], row["source_key"], row["state"]) for row in rows] == [
        (1, "a", "registered"),
        (3, None, "refused"),
        (4, "b", "registered"),
        (5, "c", "refused"),
        (6, "d", "registered"),
    ]
    assert [row["problem"]["code"] for row in rows if "problem" in row] == ["line_malformed", "blob_unknown"]
    assert "line 3" in rows[1]["problem"]["detail"]
    assert last["summary"] == {"rows": 5, "registered": 3, "known": 0, "refused": 2}
    assert verify_checkpoint(last["checkpoint"], any_workspace.log.vkey).size == 3
    with any_workspace.reading() as session:
        found = {item.source_key: (item.id, item.blob_sha256) for item in session.exec(select(Item))}
    assert found == {
        row["source_key"]: (row["item"], digest(2 if row["source_key"] == "d" else 1)) for row in rows if "item" in row
    }


def test_the_same_stream_again_is_known(url: str) -> None:
    body = line("a", 1) + held_line("b", digest(1))
    first, second = post(url, body), post(url, body)
    assert [row["state"] for row in second[:-1]] == ["known", "known"]
    assert [row["item"] for row in second[:-1]] == [row["item"] for row in first[:-1]]


def test_a_key_names_one_stream(url: str, any_workspace: Workspace) -> None:
    assert post(url, line("a", 1), **{"Idempotency-Key": "k"})[0]["state"] == "registered"
    assert post(url, line("a", 1), **{"Idempotency-Key": "k"})[0]["state"] == "known"
    answer = httpx.post(url, content=line("b", 2), headers={**JSONL, "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    with any_workspace.reading() as session:
        assert count_items(session) == 1


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415, "http_415"),
        ({**JSONL, "Content-Encoding": "gzip"}, b"{}", 415, "http_415"),
        (JSONL, b"", 422, "stream_empty"),
        (JSONL, b"\n \r\n", 422, "stream_empty"),
    ],
)
def test_what_cannot_be_read_at_all_is_a_problem(
    workspace: Workspace, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    with serve(build_app(workspace)) as address:
        answer = httpx.post(f"{address}/v1/items/batch", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_both_names_of_the_media_type_are_understood(workspace: Workspace) -> None:
    with serve(build_app(workspace)) as address:
        answers = [
            httpx.post(f"{address}/v1/items/batch", content=line(f"{n}", n), headers={"Content-Type": name})
            for n, name in enumerate(("application/x-ndjson; charset=utf-8", "Application/JSONL"))
        ]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_client_may_wait_for_each_answer_before_it_sends_on(workspace: Workspace) -> None:
    with serve(build_app(workspace)) as address:
        talk = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
        talk.putrequest("POST", "/v1/items/batch")
        talk.putheader("Content-Type", "application/x-ndjson")
        talk.putheader("Transfer-Encoding", "chunked")
        talk.endheaders()
        send_chunk(talk, line("a", 1))
        answer = talk.response_class(talk.sock, method="POST")
        answer.begin()
        assert json.loads(answer.readline())["source_key"] == "a"
        send_chunk(talk, line("b", 2)[:100])
        send_chunk(talk, line("b", 2)[100:])
        assert json.loads(answer.readline())["source_key"] == "b"
        send_chunk(talk, b"")
        assert json.loads(answer.readline())["summary"]["rows"] == 2
        answer.close()
        talk.close()


def send_chunk(talk: http.client.HTTPConnection, data: bytes) -> None:
    talk.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def test_a_client_that_goes_away_keeps_what_it_was_told(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH_ROWS", 3)
    body = b"".join(line(f"{n}", n) for n in range(7))
    head = ["POST /v1/items/batch HTTP/1.1", "Host: x", "Content-Type: application/jsonl", f"Content-Length: {len(body) + 10}"]
    with serve(build_app(workspace)) as address:
        place = urlsplit(address)
        assert place.hostname is not None
        with socket.create_connection((place.hostname, place.port or 0), timeout=30) as talk:
            talk.sendall("\r\n".join([*head, "", ""]).encode() + body)
            told = b""
            while told.count(b'"registered"') < 6:
                part = talk.recv(65536)
                assert part
                told += part
    with workspace.reading() as session:
        assert count_items(session) in {6, 7}
    assert workspace.log.size in {6, 7}


def test_a_stream_that_is_sent_whole_before_the_answer_is_read(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """More answer than all socket buffers hold, and nobody reads it until the request is out."""
    rows = 20_000
    with serve(build_app(workspace)) as address:
        *answers, last = post(f"{address}/v1/items/batch", b"".join(b"[%d]\n" % n for n in range(rows)))
    assert last["summary"]["refused"] == rows == len(answers)
    assert sum(len(json.dumps(one)) for one in answers) > 4 * 2**20


def test_a_failure_in_the_middle_is_told_in_the_last_line(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH_ROWS", 1)
    integrate = workspace.log.integrate
    calls: list[None] = []

    def once() -> object:
        calls.append(None)
        if len(calls) == 1:
            return integrate()
        (workspace.home / "log" / "checkpoint").write_text("not a note")
        return integrate()

    monkeypatch.setattr(workspace.log, "integrate", once)
    with serve(build_app(workspace)) as address:
        first, last = post(f"{address}/v1/items/batch", line("a", 1) + line("b", 2) + line("c", 3))
    assert first["state"] == "registered"
    assert last["summary"]["rows"] == 1
    assert last["problem"]["status"] == 500
    assert "checkpoint" not in last


def test_a_stream_pauses_no_longer_than_it_must() -> None:
    # A person waits for it; two packets of one stream on a slow line do not come further apart.
    assert 0.1 <= streaming.PAUSE_SECONDS <= 1


def test_a_broken_image_is_refused_by_itself(url: str, any_workspace: Workspace) -> None:
    broken = [palette_without_colours(), *[data for _, data in broken_files()][::40]]
    rows = [
        json.dumps({**record(f"broken-{at}"), "image": base64.b64encode(data).decode()}).encode() + b"\n"
        for at, data in enumerate(broken)
    ]
    *answers, last = post(url, line("first", 1) + b"".join(rows) + line("last", 2))
    assert [answers[0]["state"], answers[-1]["state"]] == ["registered", "registered"]
    assert (answers[1]["state"], answers[1]["problem"]["code"]) == ("refused", "image_damaged")
    assert len(answers) == last["summary"]["rows"] == len(broken) + 2
    assert "checkpoint" in last


@pytest.mark.parametrize("count", [0, 2])
def test_a_stream_ends_with_its_key(any_workspace: Workspace, count: int) -> None:
    key_id = make_key(any_workspace, "items:write").split("_")[1]
    answered: list[bytes] = []

    def chunks() -> Iterator[bytes | Pause]:
        for number in range(count):
            yield line(f"{number}.png", number)
            yield Pause()
        while sum(answer.count(b"\n") for answer in answered) < count:
            time.sleep(0.01)
        with acting_as(OPERATOR):
            revoke_key(any_workspace, key_id)
        yield line("late.png", 99)

    with acting_as(Caller(key_id, frozenset({"items:write"}))):
        if count:
            register_stream(any_workspace, None, chunks(), answered.append)
            *rows, last = [json.loads(answer) for answer in b"".join(answered).splitlines()]
            assert [row["state"] for row in rows] == ["registered"] * count
            assert (last["summary"]["rows"], last["problem"]["code"]) == (count, "key_revoked")
        else:
            with pytest.raises(ForbiddenError, match="revoked"):
                register_stream(any_workspace, None, chunks(), answered.append)
    with any_workspace.reading() as session:
        assert count_items(session) == count
