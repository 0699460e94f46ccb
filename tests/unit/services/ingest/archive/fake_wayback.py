"""A server that answers as the Wayback Machine's documentation says: Save Page Now 2, CDX, replay."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.support.web_server import Page, WebServer

AUTHORIZATION = "LOW key:secret"


def reply(content: object, status: int = 200) -> Page:
    return Page(json.dumps(content).encode(), status, (("Content-Type", "application/json"),))


@dataclass
class FakeWayback:
    """Holds captures as (stamp, url, bytes); jobs succeed after `polls` looks, or fail with `failure`.

    A capture has the bytes that `content` names, and is served after `delay` attempts to get it.
    """

    site: WebServer
    polls: int = 2
    failure: str | None = None
    captures: list[tuple[str, str, bytes]] = field(default_factory=list)
    jobs: dict[str, tuple[str, int]] = field(default_factory=dict)
    content: dict[str, bytes] = field(default_factory=dict)
    delay: int = 0

    def __post_init__(self) -> None:
        self.site.anything = self.answer

    def answer(self, handler: BaseHTTPRequestHandler) -> Page:
        url = urlsplit(handler.path)
        if url.path == "/save" or url.path.startswith("/save/status/"):
            if handler.headers["Authorization"] != AUTHORIZATION:
                return reply({"message": "You need to be logged in to use Save Page Now."}, 401)
            return self.submit() if url.path == "/save" else self.status(url.path.rpartition("/")[2])
        if url.path == "/cdx/search/cdx":
            return self.look_up(parse_qs(url.query))
        return self.replay(handler.path)

    def submit(self) -> Page:
        url = parse_qs(self.site.seen[-1].body.decode())["url"][0]
        if "blocked" in url:
            return reply({"status": "error", "status_ext": "error:blocked-url", "message": "This URL is in the block list."})
        job = f"spn2-{len(self.jobs):040x}"
        self.jobs[job] = (url, self.polls)
        return reply({"url": url, "job_id": job})

    def status(self, job: str) -> Page:
        url, left = self.jobs[job]
        if left:
            self.jobs[job] = (url, left - 1)
            return reply({"status": "pending", "job_id": job, "resources": []})
        if self.failure:
            return reply({"status": "error", "job_id": job, "status_ext": self.failure, "message": "Cannot resolve host."})
        stamp = "20260131120000"
        self.captures.append((stamp, url, self.content.get(url, b"captured")))
        return reply({"status": "success", "job_id": job, "original_url": url, "timestamp": stamp, "duration_sec": 1.5})

    def look_up(self, query: dict[str, list[str]]) -> Page:
        found = [[stamp, url, digest(data)] for stamp, url, data in sorted(self.captures) if url == query["url"][0]]
        wanted = [one.removeprefix("digest:") for one in query["filter"] if one.startswith("digest:")]
        found = [row for row in found if not wanted or row[2] == wanted[0]]
        found = [row for row in found if query.get("from", [""])[0] <= row[0] <= query.get("to", ["9"])[0]]
        limit = int(query["limit"][0])
        chosen = found[:limit] if limit > 0 else found[limit:]
        return reply([["timestamp", "original", "digest"], *chosen] if chosen else [])

    def replay(self, path: str) -> Page:
        if self.delay and path.startswith("/web/"):
            self.delay -= 1
            return Page(b"not yet", 404)
        for stamp, url, data in self.captures:
            if path == f"/web/{stamp}id_/{url}":
                return Page(data)
            if path == f"/web/{stamp}/{url}":
                return Page(b"<!-- toolbar -->" + data)
        return Page(b"no capture", 404)


def digest(data: bytes) -> str:
    return base64.b32encode(hashlib.sha1(data).digest()).decode()
