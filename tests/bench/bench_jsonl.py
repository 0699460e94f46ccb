"""Memory and speed of `POST /v1/items/batch`; run as `python tests/bench/bench_jsonl.py`.

Rules, in order:

1. A real server on loopback, in a process of its own, gets one stream of rows, a million unless BENCH_ROWS says otherwise. The
   first rows bring pictures, and so does every fiftieth after them; all others name one of the first by its SHA-256. Each row
   has its own key, owner out of a thousand, title and source.
2. The client reads along. At every twentieth of the rows answered it takes the resident memory of the server and of its
   workers, from /proc. Memory is flat if the slope of the server's, in the second half of the stream, is near nothing.
3. Every row must have been registered, in order, and the log must verify. Prints one JSON line.
"""

import base64
import hashlib
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.ledger.verify import verify_log
from shared.settings import Settings
from shared.workspace import open_workspace

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
PICTURES, PICTURE_EVERY = 200, 50
SAMPLES = 20
SIDE_PX = 16
LINES_AT_ONCE = 200
STARTUP_SECONDS = 60


def build_picture(number: int) -> bytes:
    """Build a tiny grey PNG that differs from every other number's."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    seed = hashlib.sha256(str(number).encode()).digest()
    pixels = zlib.compress(b"".join(b"\0" + seed[:SIDE_PX] for _ in range(SIDE_PX)))
    header = struct.pack(">IIBBBBB", SIDE_PX, SIDE_PX, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def build_line(number: int, digests: list[str]) -> bytes:
    """Build one row; the first ones bring the pictures that later ones name."""
    record: dict[str, Any] = {
        "dataset": "synthetic",
        "source_key": f"row-{number:08d}",
        "title": f"Work {number}",
        "licence": "CC-BY-4.0",
        "archival_link": {"original_url": f"https://example.org/works/{number}", "version_date": "2026-01-31"},
        "acquirer": "Ada",
        "owners": [{"name": f"Creator {number % 1000}", "basis": "dataset metadata", "confidence": 0.7}],
    }
    if number < PICTURES or number % PICTURE_EVERY == 0:
        picture = build_picture(number)
        record["image"] = base64.b64encode(picture).decode()
        if number < PICTURES:
            digests.append(hashlib.sha256(picture).hexdigest())
    else:
        record["sha256"] = digests[number % PICTURES]
    return json.dumps(record).encode() + b"\n"


def build_body(rows: int) -> Iterator[bytes]:
    """Build the stream, some lines at a time."""
    digests: list[str] = []
    for first in range(0, rows, LINES_AT_ONCE):
        yield b"".join(build_line(number, digests) for number in range(first, min(first + LINES_AT_ONCE, rows)))


def resident_bytes(process_id: int) -> tuple[int, int]:
    """Return the resident memory of a process, and that of its children together."""
    own, children = 0, 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        size_bytes = int(fields.get("VmRSS", "0 kB").split()[0]) * 1024
        own += size_bytes if int(fields["Pid"]) == process_id else 0
        children += size_bytes if int(fields["PPid"]) == process_id else 0
    return own, children


def serve(home: str, port: int) -> None:
    """Serve the ingest routes until the process is ended."""
    import uvicorn
    from fastapi import FastAPI

    from services.ingest.app import add_ingest
    from shared.http.problems import add_problem_handlers

    app = FastAPI()
    app.state.workspace = open_workspace(Settings(home=Path(home), database_url=os.environ.get("BENCH_DATABASE_URL")))
    add_problem_handlers(app)
    add_ingest(app)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def post(port: int, rows: int) -> Iterator[dict[str, Any]]:
    """Send the stream on a thread of its own and yield the answer's lines as they come."""
    talk = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    talk.putrequest("POST", "/v1/items/batch")
    talk.putheader("Content-Type", "application/jsonl")
    talk.putheader("Transfer-Encoding", "chunked")
    talk.endheaders()

    def send() -> None:
        for part in build_body(rows):
            talk.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        talk.send(b"0\r\n\r\n")

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    answer = http.client.HTTPResponse(talk.sock, method="POST")
    answer.begin()
    if answer.status != http.client.OK:
        raise SystemExit(answer.read().decode())
    try:
        for line in answer:
            yield json.loads(line)
        sending.join()
    finally:
        answer.close()
        talk.close()


def wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Wait until the server accepts connections."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the server did not come up") from error
            time.sleep(0.05)
        else:
            return


def measure(home: Path, rows: int) -> dict[str, Any]:
    """Send a stream to a fresh server and take its memory along the way."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = subprocess.Popen([sys.executable, __file__, "serve", str(home), str(port)])
    try:
        wait_for(port, server)
        samples = [(0, *resident_bytes(server.pid))]
        start = time.perf_counter()
        last: dict[str, Any] = {}
        for done, line in enumerate(post(port, rows), start=1):
            last = line
            if "row" not in line:
                continue
            if line["row"] != done or line["state"] != "registered":
                raise SystemExit(f"expected row {done} registered, got {line}")
            if done % max(rows // SAMPLES, 1) == 0:
                samples.append((done, *resident_bytes(server.pid)))
                print(done, round(time.perf_counter() - start), samples[-1][1:], file=sys.stderr, flush=True)  # noqa: T201
        seconds = time.perf_counter() - start
    finally:
        server.terminate()
        server.wait()
    if last.get("summary", {}).get("registered") != rows:
        raise SystemExit(f"expected {rows} registered, got {last}")
    return {"rows": rows, "rows_per_second": round(rows / seconds), **describe(samples)}


def describe(samples: list[tuple[int, int, int]]) -> dict[str, Any]:
    """Sum up memory over rows, in MiB."""
    sizes = [own / 2**20 for _, own, _ in samples]
    # The first sample is before the first row; the stream's own state has built up after the second.
    late = samples[len(samples) // 2 :]
    mean_row, mean_size = sum(row for row, _, _ in late) / len(late), sum(own for _, own, _ in late) / len(late)
    spread = sum((row - mean_row) ** 2 for row, _, _ in late)
    slope = sum((row - mean_row) * (own - mean_size) for row, own, _ in late) / spread if spread else 0.0
    return {
        "server_rss_mib": {
            "idle": round(sizes[0]),
            "first": round(sizes[1]),
            "last": round(sizes[-1]),
            "most": round(max(sizes)),
        },
        "slope_mib_per_100000_rows": round(slope * 100_000 / 2**20, 2),
        "workers_rss_mib_most": round(max(workers for _, _, workers in samples) / 2**20),
        "rss_mib": [round(size) for size in sizes],
    }


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as name:
        home = Path(name) / "home"
        result = measure(home, ROWS)
        workspace = open_workspace(Settings(home=home, database_url=os.environ.get("BENCH_DATABASE_URL")))
        result["log_size"] = verify_log(workspace.log.folder, workspace.log.vkey).size
        workspace.engine.dispose()
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
