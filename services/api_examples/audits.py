"""Examples of models and audits: on record, and asked for as jobs."""

from services.api_examples.example import MOMENT, ROOT, SHA256, Example
from services.api_examples.provenance import JOB

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
}
AUDIT = {"id": AUDIT_ID, "model": {"name": "model-a"}, "copies": 3, "generations": 10000}
TRAINING_REQUEST = {
    "name": "model-a",
    "manifest": "spring",
    "config": {"resolution": 64, "channels": 3, "max_train_steps": 20000, "seed": 1},
}
AUDIT_REQUEST = {"model": "model-a", "control": "spring-control", "generations": 10000, "steps": 50, "seed": 0, "rate": 0.001}

EXAMPLES: dict[str, Example] = {
    "get_models": Example({"items": [MODEL | {"created_at": MOMENT}], "next_cursor": None}),
    "create_model": Example(JOB | {"kind": "model.training", "request": TRAINING_REQUEST}, TRAINING_REQUEST),
    "get_model": Example(MODEL | {"manifest_root": ROOT, "manifest_size": 1, "audits": [AUDIT_ID]}),
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
    "create_audit": Example(JOB | {"kind": "model.audit", "request": AUDIT_REQUEST}, AUDIT_REQUEST),
    "get_audit": Example(AUDIT),
    "get_audit_json": Example(AUDIT),
    "get_audit_report": Example('<!doctype html><html lang="en"><title>Memorisation audit</title>…</html>'),
}
