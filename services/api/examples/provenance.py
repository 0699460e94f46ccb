"""Examples of what is on record of items, and of manifests."""

import json
from typing import Any

from services.api.examples.example import CHECKPOINT, ITEM_ID, MOMENT, OTHER_ITEM_ID, RECEIPT, ROOT, SALT, SHA256, Example

RECORD: dict[str, Any] = {
    "dataset": "works",
    "source_key": "harbour.png",
    "title": "Harbour",
    "licence": "CC-BY-4.0",
    "archival_link": {"original_url": "https://example.org/harbour.png", "version_date": "2026-01-31"},
    "acquirer": "Ada Acquirer",
    "owners": [{"name": "Olga Owner", "basis": "dataset metadata", "confidence": 0.7}],
}
SIGNAL = {
    "kind": "robots-txt",
    "verdict": "deny",
    "raw_sha256": ROOT,
    "detail": {"agent": "*", "rule": "Disallow: /"},
    "observed_at": MOMENT,
}
SEARCH = {
    "search_id": "0198c0de-5b20-7d22-8e1f-3a7b62c1d001",
    "sources": ["VG Bild-Kunst", "picture agencies"],
    "query": "Olga Owner",
    "searched_by": "Rita Researcher",
    "searched_at": MOMENT,
    "jurisdiction": "DE",
    "work_category": "photography",
    "result": "owner_identified",
    "note": "member since 2009",
    "expires_at": "2027-03-01T09:00:00.000Z",
    "expired": False,
}
ITEM: dict[str, Any] = {
    "id": ITEM_ID,
    "dataset": "works",
    "source_key": "harbour.png",
    "sha256": SHA256,
    "media_type": "image/png",
    "width_px": 640,
    "height_px": 480,
    "frames": None,
    "title": "Harbour",
    "licence": "CC-BY-4.0",
    "licence_url": None,
    "source_url": "https://example.org/harbour.png",
    "archival_link": {
        "original_url": "https://example.org/harbour.png",
        "snapshot_url": None,
        "version_date": "2026-01-31",
        "sha256": SHA256,
        "state": "verified",
    },
    "acquired_from": None,
    "acquired_at": MOMENT,
    "acquirer": "Ada Acquirer",
    "owners": [
        {
            "party_id": "0198c0de-6c30-7e33-9f20-4b8c73d2e001",
            "name": "Olga Owner",
            "url": None,
            "role": "creator",
            "basis": "dataset metadata",
            "confidence": 0.7,
        }
    ],
    "contested": False,
    "rights_verdict": "unknown",
    "training_permission": None,
    "signals": [],
    "diligence": [SEARCH],
    "state": "active",
    "extra": {},
}
SEARCH_REQUEST = {key: SEARCH[key] for key in SEARCH if key not in {"search_id", "expired"}}
SEARCH_ANSWER = {"id": SEARCH["search_id"], "items": [ITEM_ID], "search": SEARCH, "receipt": RECEIPT}
HELD = {
    "rights_verdict": "deny",
    "signals": [SIGNAL | {"basis": "read"}],
    "manifests": [{"id": "0198c0de-7d40-7f44-a031-5c9d84e3f001", "name": "spring", "purpose": "train"}],
    "models": [{"id": "0198c0de-8e50-7055-b142-6dae95f40001", "name": "model-a"}],
}
LINK_HTML = (
    '<a href="https://example.org/harbour.png" data-originalurl="https://example.org/harbour.png" '
    f'data-versiondate="2026-01-31" data-sha256="{SHA256}" data-state="verified">Harbour</a>'
)
JOB = {
    "id": "0198c0de-9f60-7166-8253-7ebfa6050001",
    "kind": "archive.verification",
    "state": "queued",
    "request": {"dataset": "works", "limit": None, "older_than_days": 1},
    "done": 0,
    "total": None,
    "counts": {},
    "result": None,
    "error": None,
    "created_at": MOMENT,
    "finished_at": None,
}
RUNNING_JOB = JOB | {"state": "running", "done": 7, "total": 10, "counts": {"verified": 6, "missing": 1}}
MANIFEST = {"id": HELD["manifests"][0]["id"], "name": "spring", "purpose": "train", "size": 1, "root": ROOT}  # type: ignore[index]
LEAF = {"blob": SHA256, "entry": ROOT, "item": ITEM_ID}
PROOF = {"sha256": SHA256, "member": True, "size": 1, "root": ROOT, "leaves": [LEAF | {"index": 0, "proof": []}]}
ARCHIVE_REQUEST = {"dataset": "works", "older_than_days": 1}

BATCH_ROW = {"row": 1, "source_key": "harbour.png", "state": "registered", "item": ITEM_ID}
BATCH_SUMMARY = {"rows": 1, "registered": 1, "known": 0, "refused": 0}
BATCH_ANSWER = "\n".join(json.dumps(line) for line in (BATCH_ROW, {"summary": BATCH_SUMMARY, "checkpoint": CHECKPOINT}))
MEMBERSHIP = {
    "format": "sleeve.membership/1",
    "manifest": "spring",
    "receipt": RECEIPT,
    "proof": PROOF,
    "opening": {"body.name": {"value": "spring", "salt": SALT}},
}

EXAMPLES: dict[str, Example] = {
    "register_item": Example(
        {"item": ITEM, "created": True, "receipt": RECEIPT}, {"image": "(the file)", "record": json.dumps(RECORD)}
    ),
    "register_batch": Example(
        BATCH_ANSWER,
        json.dumps(RECORD | {"image": "iVBORw0KGgo…"}) + "\n",
    ),
    "get_items": Example({"items": [ITEM], "next_cursor": None}),
    "get_item": Example(ITEM),
    "get_item_receipt": Example(RECEIPT),
    "post_amendment": Example(ITEM, {"reason": "the photographer wrote to us", "title": "Harbour"}),
    "post_withdrawal": Example(ITEM | {"state": "withdrawn"}, {"reason": "the owner opted out"}),
    "get_history": Example(
        {
            "entries": [
                {
                    "index": 4,
                    "type": "item.withdrawn",
                    "at": MOMENT,
                    "body": {"reason": "the owner opted out"},
                    "receipt": RECEIPT,
                    "opening": {"body.reason": {"value": "the owner opted out", "salt": SALT}},
                }
            ]
        }
    ),
    "create_item_search": Example(SEARCH_ANSWER, SEARCH_REQUEST),
    "create_search": Example(
        SEARCH_ANSWER | {"items": [ITEM_ID, OTHER_ITEM_ID]}, SEARCH_REQUEST | {"items": [ITEM_ID, OTHER_ITEM_ID]}
    ),
    "get_search": Example(SEARCH_ANSWER),
    "get_item_diligence": Example({"searches": [SEARCH]}),
    "get_signals": Example(HELD),
    "create_signal": Example(
        HELD | {"signal": SIGNAL | {"basis": "read"}, "receipt": RECEIPT},
        {"kind": "robots-txt", "raw_base64": "VXNlci1hZ2VudDogKgpEaXNhbGxvdzogLwo=", "observed_at": MOMENT},
    ),
    "get_archival_link": Example(
        ITEM["archival_link"] | {"checked_at": MOMENT, "html": LINK_HTML}, other_forms={"text/html": LINK_HTML}
    ),
    "get_archive_states": Example(
        {"dataset": None, "items": 10, "unlinked": 1, "verified": 6, "drifted": 1, "missing": 1, "unchecked": 1}
    ),
    "create_verification": Example(JOB, ARCHIVE_REQUEST),
    "create_capture": Example(JOB | {"kind": "archive.capture"}, ARCHIVE_REQUEST),
    "get_job": Example(RUNNING_JOB),
    "get_jobs": Example({"items": [RUNNING_JOB], "next_cursor": None}),
    "post_job_cancel": Example(RUNNING_JOB | {"state": "cancelled", "finished_at": MOMENT}),
    "create_manifest": Example(MANIFEST | {"receipt": RECEIPT}, {"name": "spring", "purpose": "train", "dataset": "works"}),
    "list_manifests": Example({"items": [MANIFEST | {"sealed_at": MOMENT}], "next_cursor": None}),
    "get_manifest": Example(MANIFEST | {"receipt": RECEIPT}),
    "list_manifest_items": Example({"items": [LEAF], "next_cursor": None}),
    "get_proof": Example(PROOF),
    "get_membership": Example(MEMBERSHIP),
    "post_membership": Example(MEMBERSHIP, {"image": "(the bytes of a file)"}),
}
