"""A server that speaks the routes of Qdrant which the index uses, over HTTP, and can be told to speak them wrongly.

It keeps points in memory and answers filters by manifest, item and view. It refuses what the real one refuses: bodies over
32 MiB, a collection that is there already (409) or is not there (404). It has no graph, no shards and no replicas.
"""

import json
import re
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

MAX_BODY_BYTES = 32 * 2**20
COMPLETED = {"operation_id": 0, "status": "completed"}

Body = dict[str, Any]


@dataclass
class Collection:
    """A collection: its parameters, its payload indexes and its points (vector and payload by id)."""

    params: Body
    indexes: dict[str, str] = field(default_factory=dict)
    points: dict[str, tuple[list[float], Body]] = field(default_factory=dict)


@dataclass(frozen=True)
class SeenCall:
    """A request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body_bytes: int


# Answers in the server's place and returns True, or leaves the request to it.
Fault = Callable[["QdrantHandler"], bool]


@dataclass
class QdrantServer:
    """What a test sees of the server."""

    port: int = 0
    collections: dict[str, Collection] = field(default_factory=dict)
    seen: list[SeenCall] = field(default_factory=list)
    fault: Fault | None = None
    released: threading.Event = field(default_factory=threading.Event)
    guard: threading.RLock = field(default_factory=threading.RLock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hang(self) -> None:
        """From now on accept requests and answer none, as a process that was stopped by SIGSTOP."""

        def wait(_handler: "QdrantHandler") -> bool:
            self.released.wait()
            return False

        self.released.clear()
        self.fault = wait

    def go_on(self) -> None:
        """Answer again, what was held back included."""
        self.fault = None
        self.released.set()


class QdrantHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    site: QdrantServer
    data: bytes

    def log_message(self, *_args: object) -> None:
        pass

    def handle_one_request(self) -> None:
        # Whatever the method: all of them are told apart by the routes.
        self.do_GET = self.do_POST = self.do_PUT = self.do_DELETE = self._handle
        super().handle_one_request()

    def _handle(self) -> None:
        self.data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.site.seen.append(SeenCall(self.command, self.path, dict(self.headers.items()), len(self.data)))
        if self.site.fault is not None and self.site.fault(self):
            return
        if len(self.data) > MAX_BODY_BYTES:
            self.answer(413, b"Payload reached size limit.")
            return
        with self.site.guard:
            self._route()

    def _route(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self.answer_json({"title": "qdrant", "version": "1.19.0"})
            return
        name, rest = re.fullmatch(r"/collections/([^/]+)(.*)", path).groups()  # type: ignore[union-attr]
        body = json.loads(self.data) if self.data else {}
        stored = self.site.collections.get(name)
        if rest == "/exists":
            self.result({"exists": stored is not None})
        elif (self.command, rest) == ("PUT", ""):
            self._create(name, body)
        elif (self.command, rest) == ("DELETE", ""):
            self.result(self.site.collections.pop(name, None) is not None)
        elif stored is None:
            self.answer_json({"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}, "time": 0.0}, 404)
        else:
            self._use(stored, rest, body)

    def _create(self, name: str, body: Body) -> None:
        if name in self.site.collections:
            self.answer_json({"status": {"error": f"Wrong input: Collection `{name}` already exists!"}, "time": 0.0}, 409)
            return
        self.site.collections[name] = Collection(body)
        self.result(True)

    def _use(self, stored: Collection, rest: str, body: Body) -> None:
        match (self.command, rest):
            case ("GET", ""):
                self.result(_describe(stored))
            case ("PUT", "/index"):
                stored.indexes[body["field_name"]] = body["field_schema"]
                self.result(COMPLETED)
            case ("PUT", "/points"):
                batch = body["batch"]
                for point_id, vector, payload in zip(batch["ids"], batch["vectors"], batch["payloads"], strict=True):
                    stored.points[point_id] = vector, payload
                self.result(COMPLETED)
            case ("POST", "/points/payload"):
                for _, payload in [point for point in stored.points.values() if _matches(point[1], body["filter"])]:
                    payload.update(body["payload"])
                self.result(COMPLETED)
            case ("POST", "/points/delete"):
                for point_id in body["points"]:
                    stored.points.pop(point_id, None)
                self.result(COMPLETED)
            case ("POST", "/points"):
                self.result([_show(stored, point_id, body) for point_id in body["ids"] if point_id in stored.points])
            case ("POST", "/points/count"):
                self.result({"count": sum(_matches(payload, body["filter"]) for _, payload in stored.points.values())})
            case ("POST", "/points/query/batch"):
                self.result([{"points": _search(stored, search)} for search in body["searches"]])
            case other:
                raise AssertionError(other)

    def result(self, result: object) -> None:
        self.answer_json({"result": result, "status": "ok", "time": 0.0})

    def answer_json(self, body: object, status: int = 200) -> None:
        self.answer(status, json.dumps(body).encode(), "application/json")

    def answer(self, status: int, body: bytes, media_type: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pour(self, piece: bytes) -> None:
        """Answer as fast as the client reads, and never come to an end."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(2**40))
        self.end_headers()
        while not self.site.released.is_set():
            self.wfile.write(piece)

    def drip(self, seconds: float) -> None:
        """Answer a byte at a time, with so long between two of them, and never come to an end."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.site.released.wait(seconds):
            self.wfile.write(b" ")
            self.wfile.flush()


@contextmanager
def qdrant_server(tls: ssl.SSLContext | None = None) -> Iterator[QdrantServer]:
    """Serve until the block ends."""
    site = QdrantServer()

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            # A client whose time is over hangs up; that is what some tests are about.
            if not isinstance(sys.exception(), OSError):
                traceback.print_exc()

    server = Server(("127.0.0.1", 0), type("Handler", (QdrantHandler,), {"site": site}))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.go_on()
        server.shutdown()
        thread.join()
        server.server_close()


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that a thread brings about."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def _describe(stored: Collection) -> Body:
    vectors = stored.params["vectors"]
    params = {
        "vectors": vectors,
        "shard_number": stored.params.get("shard_number", 1),
        "replication_factor": stored.params.get("replication_factor", 1),
        "write_consistency_factor": stored.params.get("write_consistency_factor", 1),
        "on_disk_payload": True,
    }
    hnsw = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0}
    optimizer = {
        "deleted_threshold": 0.2,
        "vacuum_min_vector_number": 1000,
        "default_segment_number": 0,
        "flush_interval_sec": 5,
    }
    return {
        "status": "green",
        "optimizer_status": "ok",
        "points_count": len(stored.points),
        "segments_count": 1,
        "config": {
            "params": params,
            "hnsw_config": hnsw,
            "optimizer_config": optimizer,
            "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
        },
        "payload_schema": {name: {"data_type": kind, "points": 0} for name, kind in stored.indexes.items()},
    }


def _show(stored: Collection, point_id: str, body: Body) -> Body:
    vector, payload = stored.points[point_id]
    return {
        "id": point_id,
        "payload": payload if body.get("with_payload") else None,
        "vector": vector if body.get("with_vector") else None,
    }


def _search(stored: Collection, search: Body) -> list[Body]:
    within = [item for item in stored.points.items() if _matches(item[1][1], search["filter"], item[0])]
    scores = [float(np.dot(vector, search["query"]["nearest"])) for _, (vector, _) in within]
    nearest = sorted(zip(scores, within, strict=True), key=lambda match: -match[0])[: search["limit"]]
    return [{"id": point_id, "version": 0, "score": score, "payload": payload} for score, (point_id, (_, payload)) in nearest]


def _matches(payload: Body, conditions: Body, point_id: str = "") -> bool:
    if any(point_id in condition["has_id"] for condition in conditions.get("must_not") or []):
        return False
    return all(_meets(payload, condition) for condition in conditions.get("must") or [])


def _meets(payload: Body, condition: Body) -> bool:
    value, match = payload.get(condition["key"]), condition["match"]
    values = value if isinstance(value, list) else [value]
    return bool(set(match.get("any", [match.get("value")])) & set(values))
