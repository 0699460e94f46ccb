"""Examples of the log, of search by image, and of models and audits."""

from services.api_examples.example import CHECKPOINT, ROOT, SHA256, Example
from services.api_examples.provenance import ITEM

MODEL_ID = "0198c0de-8e50-7055-b142-6dae95f40001"
AUDIT_ID = "0198c0de-a070-7277-9364-8fc0b7160001"
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
}
