"""A real server on a disk that becomes full: every answer is a problem, nothing is half done, and room makes it work again."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.settings import Settings
from shared.workspace import open_workspace
from tests.campaigns.processes import output_of, start
from tests.support.factories import png, register, registration
from tests.support.postgres import free_port

DISK_BYTES = 128 * 2**20
START_SECONDS = 240
ENOUGH = 40


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file: Path) -> None:
    """Take every block that is left."""
    with file.open("ab", buffering=0) as rest:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    rest.write(b"x" * size)
            except OSError:
                continue


def requests_of(client: httpx.Client, number: int) -> Iterator[httpx.Response]:
    """One request of each kind, every one with something new in it."""
    image = {"image": (f"{number}.png", png(1000 + number), "image/png")}
    record = registration(f"full-{number}.png").model_dump_json()
    yield client.post("/v1/items", files=image, data={"record": record})
    yield client.post("/v1/keys", json={"name": "a key", "scopes": ["items:read"]})
    yield client.post("/v1/manifests", json={"name": f"m-{number}", "purpose": "train", "dataset": "works"})
    yield client.post("/v1/webhooks", json={"url": "https://example.org/hook", "events": ["check.decided"]})
    line = registration(f"line-{number}.png").model_dump_json()[:-1].encode() + b', "sha256": "' + b"0" * 64 + b'"}\n'
    yield client.post("/v1/items/batch", content=line, headers={"Content-Type": "application/jsonl"})
    yield client.post("/v1/checks", files=image, data={"model": "nothing"})
    yield client.post("/v1/items/search", files=image)
    yield client.post("/v1/archive/verifications", json={"older_than_days": number})
    for path in (
        "/",
        "/healthz",
        "/readyz",
        "/checkpoint",
        "/log.vkey",
        "/tile/0/000.p/1",
        "/v1/items",
        "/v1/jobs",
        "/metrics",
    ):
        yield client.get(path)
    yield client.get(f"/v1/manifests/sealed/proofs/{'0' * 64}")


def verify_answers(answers: Any) -> list[int]:
    statuses = []
    for answer in answers:
        where = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:200]}"
        statuses.append(answer.status_code)
        assert answer.is_success or answer.headers["content-type"] == "application/problem+json", where
    return statuses


@pytest.mark.timeout(600)
def test_a_full_disk_ends_no_server_and_loses_no_key(disk: Path) -> None:
    home, port = disk / "home", free_port()
    workspace = open_workspace(Settings(home=home, database_url=None))
    for number in range(3):
        register(workspace, f"{number}.png", png(number))
    workspace.engine.dispose()
    process = start(["serve", "--port", str(port)], home, f"sqlite:///{home / 'sleeve.db'}")
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_until_up(client, process, home)
            sealed = client.post("/v1/manifests", json={"name": "sealed", "purpose": "train", "dataset": "works"})
            assert sealed.status_code == 201, sealed.text
            keys = []
            # From nearly full to full, so that some requests fail half-way.
            fill(disk / "rest")
            os.truncate(disk / "rest", (disk / "rest").stat().st_size - 2**18)
            for number in range(ENOUGH):
                for answer in requests_of(client, number):
                    verify_answers([answer])
                    if answer.request.url.path == "/v1/keys" and answer.is_success:
                        keys.append(answer.json())
                assert process.poll() is None, output_of(home)
                if number == ENOUGH // 2:
                    fill(disk / "rest")
            assert all(key["key"] for key in keys)
            listed = [key["id"] for page in pages(client, "/v1/keys") for key in page]
            assert sorted(listed) == sorted(key["id"] for key in keys)
            (disk / "rest").unlink()
            time.sleep(2)
            statuses = verify_answers(requests_of(client, ENOUGH))
            assert statuses[:3] == [201, 201, 201], statuses
            assert process.poll() is None, output_of(home)
    finally:
        process.terminate()
        process.wait(60)


def wait_until_up(client: httpx.Client, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client.get("/healthz").raise_for_status()
        except httpx.TransportError:
            assert process.poll() is None, output_of(home)
            assert time.monotonic() < deadline, output_of(home)
            time.sleep(0.2)
        else:
            return


def pages(client: httpx.Client, path: str) -> Iterator[list[dict[str, Any]]]:
    cursor = None
    while True:
        page = client.get(path, params={"limit": 500} | ({"cursor": cursor} if cursor else {})).json()
        yield page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
