"""Examples of slices, models, audits and studies: on record, and asked for as jobs."""

from services.api.examples.example import MOMENT, ROOT, SHA256, Example
from services.api.examples.provenance import JOB

MODEL_ID = "0198c0de-8e50-7055-b142-6dae95f40001"
AUDIT_ID = "0198c0de-a070-7277-9364-8fc0b7160001"
MODEL = {
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
    "preprocessing": {"orientation": "applied", "background": "white", "crop": "centre", "resize_filter": "bicubic"},
}
AUDIT = {"id": AUDIT_ID, "model": {"name": "model-a"}, "copies": 3, "generations": 10000}
TRAINING_REQUEST = {
    "name": "model-a",
    "manifest": "spring",
    "config": {"resolution": 64, "channels": 3, "max_train_steps": 20000, "seed": 1},
}
AUDIT_REQUEST = {"model": "model-a", "control": "spring-control", "generations": 10000, "steps": 50, "seed": 0, "rate": 0.001}
STUDY_ID = "0198c0de-b1c0-7a10-9d52-1b1f0c4a0001"
STUDY = {
    "name": "tiles",
    "points": [{"model": "tiles-8a-s0", "size": 8, "twin": "a", "seed": 0, "copies": 190, "generations": 256, "rate": 0.742}],
}
STUDY_REQUEST = {
    "name": "tiles",
    "dataset": "tiles",
    "sizes": [1, 16, 250, 4000],
    "control": 999,
    "generations": 1000,
    "sampling_steps": 50,
    "training": {"resolution": 64, "channels": 3, "max_train_steps": 20000},
}

SLICE_REQUEST = {
    "name": "spring",
    "datasets": ["paintings"],
    "size": 500,
    "control": "spring-control",
    "distinct": {"resolution": 64, "channels": 3},
}
LEFT_OUT = (
    "left_out_item,left_out_key,kept_item,kept_key,ssim\n"
    "0198c0de-7d1a-7c3e-8f5b-2a9b6c4d0002,b.png,0198c0de-7d1a-7c3e-8f5b-2a9b6c4d0001,a.png,0.973214\n"
)

EXAMPLES: dict[str, Example] = {
    "create_slice": Example(JOB | {"kind": "slice.sealing", "request": SLICE_REQUEST}, SLICE_REQUEST),
    "get_near_copies": Example(LEFT_OUT),
    "get_models": Example({"items": [MODEL | {"created_at": MOMENT}], "next_cursor": None}),
    "create_model": Example(JOB | {"kind": "model.training", "request": TRAINING_REQUEST}, TRAINING_REQUEST),
    "get_model": Example(MODEL | {"manifest_root": ROOT, "manifest_size": 1, "orientations": 8, "audits": [AUDIT_ID]}),
    "get_audits": Example(
        {
            "items": [
                {
                    "id": AUDIT_ID,
                    "model": "model-a",
                    "control": "spring-control",
                    "state": "completed",
                    "report_sha256": SHA256,
                    "created_at": MOMENT,
                }
            ],
            "next_cursor": None,
        }
    ),
    "get_studies": Example(
        {
            "items": [{"id": STUDY_ID, "name": "tiles", "config_sha256": ROOT, "report_sha256": SHA256, "created_at": MOMENT}],
            "next_cursor": None,
        }
    ),
    "create_study": Example(JOB | {"kind": "study", "request": STUDY_REQUEST}, STUDY_REQUEST),
    "get_study": Example(STUDY),
    "get_study_json": Example(STUDY),
    "get_study_report": Example('<!doctype html><html lang="en"><title>Memorisation study tiles</title>…</html>'),
    "create_audit": Example(JOB | {"kind": "model.audit", "request": AUDIT_REQUEST}, AUDIT_REQUEST),
    "get_audit": Example(AUDIT),
    "get_audit_json": Example(AUDIT),
    "get_audit_report": Example('<!doctype html><html lang="en"><title>Memorisation audit</title>…</html>'),
}
