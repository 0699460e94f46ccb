"""Examples of the log, of search by image, of models and audits, and of the gate's checks."""

from services.api_examples.example import CHECKPOINT, ITEM_ID, RECEIPT, ROOT, SHA256, Example
from services.api_examples.provenance import ITEM

MODEL_ID = "0198c0de-8e50-7055-b142-6dae95f40001"
AUDIT_ID = "0198c0de-a070-7277-9364-8fc0b7160001"
CHECK = {
    "id": "0198c0de-b180-7388-a475-90d1c8270001",
    "model": "model-a",
    "generation_sha256": ROOT,
    "decision": "flag",
    "reason": "above_control_threshold",
    "match": {
        "id": ITEM_ID,
        "dataset": "works",
        "source_key": "harbour.png",
        "sha256": SHA256,
        "title": "Harbour",
        "licence": "CC-BY-4.0",
        "source_url": "https://example.org/harbour.png",
        "contested": False,
        "owners": [{"name": "Olga Owner", "url": None, "role": "creator", "basis": "dataset metadata", "confidence": 0.7}],
    },
    "metrics": {
        "ssim": 0.97,
        "rmse": 0.01,
        "psnr": 40.0,
        "fsim": 0.99,
        "sre": 60.1,
        "sam": 1.2,
        "uiq": 0.95,
        "identical": False,
    },
    "p_value": 0.001,
    "threshold": 0.62,
    "requested_rate": 0.001,
    "attained_rate": 0.001,
    "control_size": 999,
    "calibration_sha256": SHA256,
    "manifest_root": ROOT,
    "policy": "default 1",
    "policy_sha256": SHA256,
    "embedder": "pixels:16",
    "index": {"engine": "qdrant-edge", "exact": True, "cursor": 5},
    "receipt": RECEIPT,
}

EXAMPLES: dict[str, Example] = {
    "get_checkpoint": Example(CHECKPOINT),
    "get_key": Example("log.example.org/sleeve+ccfc3eb1+AcmK…=\n"),
    "get_tile": Example("(32-byte hashes, or length-prefixed entries)"),
    "get_health": Example({"status": "ok"}),
    "search_items": Example(
        {
            "query": {"sha256": SHA256, "width_px": 640, "height_px": 480, "recipe": 1, "pixels_sha256": ROOT, "pdq": ROOT},
            "perceptual": {"defined": True, "quality": 100, "min_quality": 50, "max_distance": 31},
            "matches": [{"kind": "exact", "distance": 0, "item": ITEM}],
            "more": False,
            "searched": {"registered": 10, "not_fingerprinted": 0, "failed": 0, "hash_undefined": 0},
            "complete": True,
        },
        {"image": "(the file)"},
    ),
    "get_model": Example(
        {
            "id": MODEL_ID,
            "name": "model-a",
            "origin": "trained",
            "weights_sha256": SHA256,
            "config_sha256": ROOT,
            "resolution_px": 64,
            "channels": 3,
            "updates": 20000,
            "seed": 1,
            "manifest": "spring",
            "manifest_root": ROOT,
            "manifest_size": 1,
            "audits": [AUDIT_ID],
        }
    ),
    "get_audit": Example({"id": AUDIT_ID, "model": {"name": "model-a"}, "copies": 3, "generations": 10000}),
    "create_check": Example(CHECK, {"image": "(the file)", "model": "model-a"}),
    "get_check": Example(CHECK),
}
