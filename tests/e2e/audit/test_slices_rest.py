"""A slice sealed over REST without near copies: counted, listed, and audited without being void."""

import csv
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.audit.audits.audit import audit_model
from services.audit.models.trained_models import model_recipe, train_model
from services.audit.sampling.samples import sample_model
from services.audit.sealing.near_copies import check_near_copies
from shared.workspace import Workspace
from tests.e2e.audit.test_audit_rest import wait_until
from tests.e2e.conftest import CONFIG, GENERATIONS, STEPS, audit_context
from tests.support.factories import encode, register
from tests.support.ingest_client import ingest_client

PICTURES, SIZE = 24, 6
SLICE: dict[str, Any] = {
    "name": "distinct",
    "datasets": ["works"],
    "size": SIZE,
    "control": "distinct-control",
    "distinct": {"resolution": CONFIG.resolution, "channels": CONFIG.channels},
}


def register_pairs(workspace: Workspace) -> None:
    """Register each picture twice: the second a few grey levels brighter."""
    for number in range(PICTURES):
        patches = np.random.default_rng(number).integers(0, 250, (4, 4, 3), dtype=np.uint8)
        pixels = np.kron(patches, np.ones((8, 8, 1), np.uint8))
        for version, picture in (("a", pixels), ("b", pixels + 3)):
            register(workspace, f"{number:02}-{version}.png", encode(Image.fromarray(picture.astype(np.uint8))))


# A process that brings torch, a training and an audit.
@pytest.mark.timeout(900)
def test_a_slice_sealed_without_near_copies_is_audited_and_not_void(workspace: Workspace) -> None:
    register_pairs(workspace)
    with ingest_client(workspace) as client:
        answer = client.post("/v1/slices", json=SLICE, headers={"Idempotency-Key": "s"})
        assert answer.status_code == 202, answer.text
        again = client.post("/v1/slices", json=SLICE, headers={"Idempotency-Key": "s"})
        assert again.headers["Location"] == answer.headers["Location"]
        job = wait_until(client, answer.headers["Location"], states={"done"})
        assert (job["done"], job["total"]) == (1, 1)
        assert job["counts"] == {"manifest": SIZE, "control": PICTURES - SIZE, "near_copies": PICTURES}
        assert client.get("/v1/manifests/distinct").json()["id"] == job["result"]["manifest"]
        assert client.get("/v1/manifests/distinct-control").json()["id"] == job["result"]["control"]
        listed = client.get(job["result"]["near_copies"])
        assert (listed.status_code, listed.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        rows = list(csv.DictReader(listed.text.splitlines()))
        assert {row["left_out_key"]: row["kept_key"] for row in rows} == {
            f"{at:02}-b.png": f"{at:02}-a.png" for at in range(PICTURES)
        }
        assert client.get("/v1/slices/none/near-copies").json()["code"] == "slice_not_found"
        for body, code in (
            (SLICE | {"datasets": ["nowhere"]}, "dataset_not_found"),
            (SLICE | {"control": "distinct"}, "invalid_request"),
            (SLICE | {"distinct": {"channels": 2}}, "invalid_request"),
        ):
            assert client.post("/v1/slices", json=body).json()["code"] == code
        location = client.post("/v1/slices", json=SLICE | {"name": "large", "size": 1000}).headers["Location"]
        failed = wait_until(client, location, states={"failed"})
        assert failed["error"]["code"] == "slice_size"
    recipe = model_recipe(CONFIG.resolution, CONFIG.channels)
    assert len(check_near_copies(workspace, "distinct", "distinct-control", recipe)[0]) == 0
    train_model(workspace, "model-d", "distinct", CONFIG)
    samples = sample_model(workspace, "model-d", GENERATIONS, 0, STEPS)
    recorded, content = audit_model(audit_context(workspace, "distinct-control"), "model-d", samples)
    assert (recorded.state, content["state"]) == ("completed", "completed")
    assert {control["name"]: control["passed"] for control in content["controls"]}["held-out"] is True
