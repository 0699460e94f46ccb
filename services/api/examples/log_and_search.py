"""Examples of the log and of search by image."""

from services.api.examples.example import CHECKPOINT, ROOT, SHA256, Example
from services.api.examples.provenance import ITEM

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
}
