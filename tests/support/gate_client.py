"""A client of the gate for tests: requests in the forms that users send."""

import base64
import time
from collections.abc import Sequence
from typing import Any

from services.audit.training_sets.sealed_set import load_sealed_set
from shared.workspace import Workspace

WAIT_SECONDS = 60.0


def post_checks(client: Any, images: Sequence[bytes], model: str = "model-a", **headers: str) -> Any:
    files = [("image", (f"{number}.png", data, "image/png")) for number, data in enumerate(images)]
    return client.post("/v1/checks", files=files, data={"model": model}, headers=headers)


def post_json(client: Any, body: dict[str, Any], **headers: str) -> Any:
    return client.post("/v1/checks", json=body, headers=headers)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def training_original(workspace: Workspace, position: int = 0) -> bytes:
    """The bytes of an item that the audited model was trained on."""
    return workspace.blobs.load(load_sealed_set(workspace, "small").items[position].blob_sha256)


def wait_for_job(client: Any, location: str) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while (body := client.get(location).json())["finished_at"] is None:
        assert time.monotonic() < deadline, body
        time.sleep(0.05)
    return body
