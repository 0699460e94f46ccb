"""Requests that mean harm or make no sense: each is answered 4xx problem+json, and nothing of it is recorded."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import func, select

from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.http.paging import encode_cursor
from shared.records.items import Item
from shared.records.parties import Party
from shared.workspace import Workspace
from tests.support.factories import png, registration

PROBLEM = "application/problem+json"
GOOD = json.loads(registration().model_dump_json())
OWNER = GOOD["owners"][0]
SEARCH = GOOD["diligence"][0]
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture
def client(any_workspace: Workspace) -> Iterator[TestClient]:
    app = create_app(any_workspace, open_gate(any_workspace))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as opened:
        yield opened


def changed(**fields: Any) -> str:
    return json.dumps(GOOD | fields)


# By name: the text of a record that is none.
RECORDS: dict[str, str] = {
    "nothing": "",
    "half": changed()[:-5],
    "no object": "[]",
    "a number": "7",
    "not a number": "NaN",
    "deep": DEEP,
    "deep extra": changed()[:-1] + f', "extra": {{"a": {DEEP}}}}}',
    "unknown field": changed(owner="me"),
    "another type": changed(dataset=["works"]),
    "object as text": changed(title={"$gt": ""}),
    "huge text": changed(title="x" * 2001),
    "huge record": changed(extra={"a": "x" * 2_000_000}),
    "many owners": changed(owners=[OWNER] * 101),
    "entry too long": changed(owners=[{**OWNER, "name": f"{n} " + "x" * 1900, "basis": "b" * 1900} for n in range(100)]),
    "lone surrogate": changed(title="@").replace("@", "\\ud800"),
    "lone surrogate in extra": changed(extra={"a": "@"}).replace("@", "\\udfff"),
    "lone surrogate as a key": changed(extra={"@": 1}).replace("@", "\\udfff"),
    "NUL in the key": changed(source_key="a\0b"),
    "NUL in the data set": changed(dataset="a\0b"),
    "NUL in the title": changed(title="a\0b"),
    "NUL in the acquirer": changed(acquirer="a\0b"),
    "NUL in a name": changed(owners=[{**OWNER, "name": "a\0b"}]),
    "NUL in a URL": changed(archival_link={"original_url": "https://example.org/a\0b"}),
    "NUL in a query": changed(diligence=[{**SEARCH, "query": "a\0b"}]),
    "NUL in a licence": changed(licence="MIT\0"),
    "NUL in extra": changed(extra={"a": "a\0b"}),
    "NUL in a key of extra": changed(extra={"a\0b": 1}),
    "year 0": changed(acquired_at="0000-01-01T00:00:00Z"),
    "before the first year": changed(acquired_at="0001-01-01T00:00:00+14:00"),
    "after the last year": changed(acquired_at="9999-12-31T23:59:59-14:00"),
    "year 10000": changed(acquired_at="10000-01-01T00:00:00Z"),
    "month 13": changed(acquired_at="2026-13-01T00:00:00Z"),
    "no zone": changed(acquired_at="2026-01-01T00:00:00"),
    "endless seconds": changed(acquired_at=10**30),
    "search before the first year": changed(diligence=[{**SEARCH, "searched_at": "0001-01-01T00:00:00+14:00"}]),
    "day 32": changed(archival_link={"original_url": "https://example.org/", "version_date": "2026-01-32"}),
    "another scheme": changed(source_url="file:///etc/passwd", archival_link=None),
    "script": changed(source_url="javascript:alert(1)", archival_link=None),
    "confidence beyond certainty": changed(owners=[{**OWNER, "confidence": 1.1}]),
    "confidence that is no number": changed(owners=[{**OWNER, "confidence": 0}]).replace(
        '"confidence": 0', '"confidence": NaN'
    ),
    "integer that no double holds": changed(extra={"a": 2**60}),
    "infinite number in extra": changed(extra={"a": 1}).replace('"a": 1', '"a": 1e999'),
    "licence of a megabyte": changed(licence="(" * 500_000 + "MIT" + ")" * 500_000),
    "deep licence": changed(licence="(" * 950 + "MIT" + ")" * 950 + " AND"),
    "two sources": changed(source_url="https://example.org/other"),
}


def test_a_bad_record_is_a_problem(client: TestClient, any_workspace: Workspace) -> None:
    answers = {
        name: client.post("/v1/items", files={"image": ("x.png", png(1), "image/png")}, data={"record": record})
        for name, record in RECORDS.items()
    }
    assert_refused(answers)
    assert_nothing_recorded(any_workspace)


def assert_refused(answers: dict[str, Any]) -> None:
    wrong = [f"{name}: {answer.status_code} {answer.text[:200]}" for name, answer in answers.items() if not is_problem(answer)]
    assert not wrong, "\n".join(wrong)


def is_problem(answer: Any) -> bool:
    if not 400 <= answer.status_code < 500 or answer.headers["content-type"] != PROBLEM:
        return False
    body = answer.json()
    return set(body) == {"type", "title", "status", "code", "detail", "request_id"} and body["status"] == answer.status_code


def assert_nothing_recorded(workspace: Workspace) -> None:
    # The policy that the gate adopted is an entry; nothing else is.
    assert workspace.log.integrate().size == 1
    with workspace.reading() as session:
        assert session.exec(select(func.count()).select_from(Item)).one() == 0
        assert session.exec(select(func.count()).select_from(Party)).one() == 0


BOUNDARY = "multipart/form-data; boundary=b"
# By name: content type and body of a registration that is none.
BODIES: dict[str, tuple[str | None, bytes]] = {
    "no type": (None, b"{}"),
    "JSON": ("application/json", changed().encode()),
    "a form without a file": ("application/x-www-form-urlencoded", b"record=%7B%7D&image=x"),
    "no boundary": ("multipart/form-data", b"--b\r\n\r\n--b--"),
    "no parts": (BOUNDARY, b"--b--\r\n"),
    "nothing": (BOUNDARY, b""),
    "not what the type says": (BOUNDARY, changed().encode()),
    "a part without an end": (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name="record"\r\n\r\n{}'),
    "a part without a name": (BOUNDARY, b"--b\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--b--\r\n"),
    "an image as text": (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n--b--\r\n'),
    "a record as a file": (
        BOUNDARY,
        b'--b\r\nContent-Disposition: form-data; name="record"; filename="r"\r\n\r\n{}\r\n--b--\r\n',
    ),
    "a thousand fields": (
        BOUNDARY,
        b"".join(b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n' % n for n in range(1100)) + b"--b--\r\n",
    ),
    "another charset": ("multipart/form-data; boundary=b; charset=nonsense", b"--b--\r\n"),
}


def test_a_bad_body_is_a_problem(client: TestClient, any_workspace: Workspace) -> None:
    answers = {
        name: client.post("/v1/items", content=body, headers={"content-type": kind} if kind else {})
        for name, (kind, body) in BODIES.items()
    }
    assert_refused(answers)
    assert_nothing_recorded(any_workspace)


# By name: method, path and JSON body (None for none) of a request that cannot be answered.
REQUESTS: dict[str, tuple[str, str, bytes | None]] = {
    "NUL in an id": ("GET", "/v1/items/%00", None),
    "NUL in a receipt's id": ("GET", "/v1/items/a%00b/receipt", None),
    "NUL in a history's id": ("GET", "/v1/items/a%00b/history", None),
    "NUL in a manifest's name": ("GET", "/v1/manifests/a%00b", None),
    "NUL in a model's name": ("GET", "/v1/models/a%00b", None),
    "NUL in an audit's id": ("GET", "/v1/audits/a%00b", None),
    "NUL in a check's id": ("GET", "/v1/checks/a%00b", None),
    "NUL in a filter": ("GET", "/v1/items?dataset=a%00b", None),
    "invalid UTF-8 in an id": ("GET", "/v1/items/%ff%fe", None),
    "huge id": ("GET", "/v1/items/" + "9" * 5000, None),
    "no such path": ("GET", "/v1/nothing", None),
    "no such method": ("PUT", "/v1/items", None),
    "negative limit": ("GET", "/v1/items?limit=-1", None),
    "no limit": ("GET", "/v1/items?limit=0", None),
    "endless limit": ("GET", f"/v1/items?limit={10**30}", None),
    "limit in words": ("GET", "/v1/items?limit=all", None),
    "cursor that is none": ("GET", "/v1/items?cursor=%21%21", None),
    "cursor of bytes": ("GET", "/v1/items?cursor=_____w", None),
    "cursor with NUL": ("GET", f"/v1/items?cursor={encode_cursor(chr(0))}", None),
    "long cursor": ("GET", "/v1/items?cursor=" + "A" * 201, None),
    "digest that is none": ("GET", "/v1/items?sha256=xyz", None),
    "unknown state": ("GET", "/v1/items?state=deleted", None),
    "manifest's cursor in words": ("GET", f"/v1/manifests/m/items?cursor={encode_cursor('x')}", None),
    "manifest's endless cursor": ("GET", f"/v1/manifests/m/items?cursor={encode_cursor('9' * 100)}", None),
    "tile out of the folder": ("GET", "/tile/..%2f..%2fkeys%2flog.pem", None),
    "tile by dots": ("GET", "/tile/../keys/log.pem", None),
    "tile by an absolute path": ("GET", "/tile/%2fetc%2fpasswd", None),
    "tile with NUL": ("GET", "/tile/0/000%00", None),
    "tile of no level": ("GET", "/tile/-1/000", None),
    "tile of endless level": ("GET", "/tile/" + "9" * 400 + "/000", None),
    "tile of endless index": ("GET", "/tile/0/" + "x999/" * 400 + "999", None),
    "tile of no width": ("GET", "/tile/0/000.p/0", None),
    "tile beyond its width": ("GET", "/tile/0/000.p/257", None),
    "writer's lock": ("GET", "/tile/%2e%2e/.lock", None),
    "amendment of nothing": ("POST", "/v1/items/x/amendments", b'{"reason": "r", "title": "t"}'),
    "amendment of half a JSON": ("POST", "/v1/items/x/amendments", b'{"reason":'),
    "amendment in invalid UTF-8": ("POST", "/v1/items/x/amendments", b'{"reason": "\xff", "title": "t"}'),
    "amendment with NUL": ("POST", "/v1/items/x/amendments", b'{"reason": "a\\u0000b", "title": "t"}'),
    "amendment with a lone surrogate": ("POST", "/v1/items/x/amendments", b'{"reason": "\\ud800", "title": "t"}'),
    "amendment, deep": ("POST", "/v1/items/x/amendments", DEEP.encode()),
    "withdrawal without a reason": ("POST", "/v1/items/x/withdrawal", b"{}"),
    "withdrawal with NUL in the id": ("POST", "/v1/items/a%00b/withdrawal", b'{"reason": "r"}'),
    "manifest of NUL": ("POST", "/v1/manifests", b'{"name": "a\\u0000b", "purpose": "train", "dataset": "works"}'),
    "manifest of nothing": ("POST", "/v1/manifests", b'{"name": "m", "purpose": "train", "dataset": "a\\u0000b"}'),
    "manifest of items with NUL": ("POST", "/v1/manifests", b'{"name": "m", "purpose": "train", "items": ["a\\u0000b"]}'),
    "manifest of a lone surrogate": ("POST", "/v1/manifests", b'{"name": "\\ud800", "purpose": "train", "dataset": "x"}'),
    "manifest of items of no type": ("POST", "/v1/manifests", b'{"name": "m", "purpose": "train", "items": [1, null, {}]}'),
    "manifest that is a list": ("POST", "/v1/manifests", b"[]"),
}


def test_a_bad_request_is_a_problem(client: TestClient, any_workspace: Workspace) -> None:
    headers = {"content-type": "application/json"}
    answers = {
        name: client.request(method, path, content=body, headers={} if body is None else headers)
        for name, (method, path, body) in REQUESTS.items()
    }
    assert_refused(answers)
    assert_nothing_recorded(any_workspace)


def test_names_of_files_are_not_looked_at(client: TestClient, any_workspace: Workspace) -> None:
    before = folders(any_workspace)
    for number, name in enumerate(("../../x.png", "/etc/x.png", "a\r\nb\x01.png", "x" * 300, "\u202egnp.exe")):
        record = changed(source_key=f"{number}.png")
        answer = client.post("/v1/items", files={"image": (name, png(number), "text/html")}, data={"record": record})
        assert answer.status_code == 201, (name, answer.text)
        assert answer.json()["item"]["media_type"] == "image/png"
    public = (any_workspace.blobs.folder, any_workspace.log.folder)
    assert all(any(path.is_relative_to(folder) for folder in public) for path in folders(any_workspace) - before)


def folders(workspace: Workspace) -> set[Path]:
    return {path for path in workspace.home.rglob("*") if path.is_dir()}


def test_odd_keys_are_kept_as_they_are(client: TestClient) -> None:
    for number, key in enumerate(("../../etc/passwd", "a\x01\x1b[2Jb", "'; DROP TABLE item; --", "日本語/\u202e", "%00")):
        answer = client.post(
            "/v1/items", files={"image": ("x.png", png(number))}, data={"record": changed(source_key=key, title=key)}
        )
        assert (answer.status_code, answer.json()["item"]["source_key"]) == (201, key)


def test_an_upload_beyond_the_limit_is_refused_and_not_read(client: TestClient, any_workspace: Workspace) -> None:
    chunks, sent = send_endless_upload(client.app)
    assert sent["status"] == 413
    assert (b"content-type", PROBLEM.encode()) in sent["headers"]
    assert any_workspace.limits.max_bytes < chunks * 2**20 < 3 * any_workspace.limits.max_bytes
    answer = client.post("/v1/manifests", content=b"[]", headers={"content-length": str(2**40)})
    assert_refused({"said to be endless": answer})
    assert answer.status_code == 413
    assert_nothing_recorded(any_workspace)


def send_endless_upload(app: Any) -> tuple[int, dict[str, Any]]:
    """Send an image without an end, a megabyte at once; return how many were taken, and the start of the answer."""
    chunks, sent = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal chunks
        chunks += 1
        start = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n' if chunks == 1 else b""
        return {"type": "http.request", "body": start + bytes(2**20), "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/items",
        "raw_path": b"/v1/items",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", BOUNDARY.encode())],
    }
    asyncio.run(app(scope, receive, send))
    return chunks, sent[0]
