"""Examples of the gate: checks, alone and several, at once and by a job."""

from typing import Any

from services.api.examples.example import ITEM_ID, MOMENT, RECEIPT, ROOT, SHA256, Example

CHECK_ID = "0198c0de-b180-7388-a475-90d1c8270001"
JOB_ID = "0198c0de-c290-7499-b586-a1e2d9380001"
MATCH: dict[str, Any] = {
    "id": ITEM_ID,
    "dataset": "works",
    "source_key": "harbour.png",
    "sha256": SHA256,
    "title": "Harbour",
    "licence": "CC-BY-4.0",
    "licence_url": None,
    "source_url": "https://example.org/harbour.png",
    "state": "active",
    "contested": False,
    "owners": [
        {
            "party_id": "0198c0de-0b10-7a00-8f11-5c4d3e2f0001",
            "name": "Olga Owner",
            "url": None,
            "role": "creator",
            "basis": "dataset metadata",
            "confidence": 0.7,
        }
    ],
}
KIND_FIGURES = {
    "agreement": 0.97,
    "contradicted": 0.0,
    "recoloured": 0.0,
    "shown": 0.82,
    "turned_degrees": 0.3,
    "scale": 1.11,
    "mirrored": True,
}
CHECK: dict[str, Any] = {
    "id": CHECK_ID,
    "model": "model-a",
    "generation_sha256": ROOT,
    "decision": "flag",
    "reason": "above_control_threshold",
    "matches": [MATCH],
    "match": MATCH,
    "cluster": [ITEM_ID],
    "cluster_owners": [],
    "kind": "transformed",
    "kind_figures": KIND_FIGURES,
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
    "rules": [
        {
            "rule": "fused",
            "verdict": "fired",
            "score": 14.2,
            "threshold": 3.1,
            "fires": "above",
            "reason": None,
            "item": ITEM_ID,
            "source": "docs/methods/quality.md",
            "kind": "transformed",
        }
    ],
    "rule": "fused",
    "score": 14.2,
    "p_value": 0.001,
    "threshold": 3.1,
    "requested_rate": 0.001,
    "attained_rate": 0.001,
    "control_size": 999,
    "calibration_sha256": SHA256,
    "manifest_root": ROOT,
    "policy": "default v2",
    "policy_sha256": SHA256,
    "embedder": "pixels:16 9f86d081884c",
    "index": {"engine": "qdrant-edge", "version": "0.6.0", "exact": True, "hnsw_ef": None, "cursor": 5},
    "decided_at": MOMENT,
    "flag_id": "0198c0de-c290-7499-b586-a1e2d9380001",
    "flag_ids": ["0198c0de-c290-7499-b586-a1e2d9380001"],
    "review": None,
    "timings_ms": {"decode": 1.2, "ready": 0.4, "embed": 2.1, "search": 3.0, "total": 38.5},
    "receipt": RECEIPT,
}
SUMMARY = {
    name: CHECK[name]
    for name in (
        "id",
        "model",
        "generation_sha256",
        "decision",
        "reason",
        "kind",
        "rule",
        "score",
        "p_value",
        "policy",
        "decided_at",
    )
} | {"item": ITEM_ID}
_PROBLEM = {
    "type": "about:blank",
    "title": "Image damaged",
    "status": 422,
    "code": "image_damaged",
    "detail": "image ends early",
}
BATCH = {
    "checks": [
        {"position": 0, "name": "a.png", "generation_sha256": ROOT, "check": CHECK, "problem": None},
        {"position": 1, "name": "b.png", "generation_sha256": SHA256, "check": None, "problem": _PROBLEM},
    ]
}
JOB: dict[str, Any] = {
    "id": JOB_ID,
    "state": "queued",
    "model": "model-a",
    "done": 0,
    "total": 2,
    "counts": {},
    "error": None,
    "checks": None,
    "created_at": MOMENT,
    "finished_at": None,
}
FINISHED = JOB | {"state": "done", "done": 2, "counts": {"flag": 1, "refused": 1}, "finished_at": MOMENT} | BATCH

COMPLETENESS = {
    "complete": True,
    "counted_at": MOMENT,
    "log_size": 1200,
    "checks": 1000,
    "decisions": {"clear": 990, "flag": 8, "undecided": 2},
    "flags": 8,
    "outcomes": {"paid": 7},
    "open_flags": 1,
    "oldest_open": [
        {"flag": JOB_ID, "check": CHECK_ID, "state": "notified", "raised_at": MOMENT, "age_days": 3.5},
    ],
    "waiting": 0,
    "gap_counts": {},
    "gaps": [],
}

SEEN = {
    "query": {"sha256": ROOT, "width_px": 512, "height_px": 512, "recipe": 1, "pixels_sha256": SHA256, "pdq": ROOT},
    "perceptual": {"defined": True, "quality": 100, "min_quality": 50, "max_distance": 31},
    "seen": True,
    "matches": [{"kind": "exact", "distance": 0, "generation_sha256": ROOT, "checks": [SUMMARY]}],
    "more": False,
    "searched": {"generations": 1000, "hash_undefined": 3},
}
NEAREST = {
    "sha256": ROOT,
    "width_px": 512,
    "height_px": 512,
    "embedder": CHECK["embedder"],
    "index": CHECK["index"],
    "compared_px": 64,
    "items": [{"item": MATCH, "cosine": 0.98, "metrics": CHECK["metrics"], "problem": None}],
    "searched": {"registered": 1, "behind_entries": 0, "gaps": 0, "complete": True},
}

EXAMPLES: dict[str, Example] = {
    "search_outputs": Example(SEEN, {"image": "(the file)"}),
    "search_nearest": Example(NEAREST, {"image": "(the file)"}),
    "get_completeness": Example(COMPLETENESS),
    "get_readiness": Example(
        {
            "ready": True,
            "dependencies": [{"name": "database", "ready": True, "reason": None, "detail": {"kind": "postgresql"}}],
        }
    ),
    "get_metrics": Example('sleeve_checks_total{decision="clear",reason="within_control"} 990.0\n'),
    "create_check": Example(
        CHECK,
        {"image": "(the file in base64)", "model": "model-a"},
        request_forms={"multipart/form-data": {"image": ["(the file)"], "model": "model-a"}},
        other_answers={"202": JOB, "207": BATCH},
    ),
    "list_checks_made": Example({"items": [SUMMARY], "next_cursor": None}),
    "get_check_job": Example(FINISHED),
    "get_check": Example(CHECK),
    "get_evidence_image": Example("(the picture)"),
}
