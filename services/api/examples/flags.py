"""Examples of policies, of the review queue, of flags, and of what they owe."""

from typing import Any

from services.api.examples.audits import MODEL_ID
from services.api.examples.example import ITEM_ID, MOMENT, RECEIPT, ROOT, Example
from services.api.examples.gate import CHECK

FLAG_ID = "0198c0de-c290-7499-b586-a1e2d9380001"
OWNER = {"party_id": "0198c0de-6c30-7e33-9f20-4b8c73d2e001", "name": "Olga Owner", "share": 1.0, "amount_minor": 25000}
FLAG: dict[str, Any] = {
    "id": FLAG_ID,
    "check_id": CHECK["id"],
    "item_id": ITEM_ID,
    "kind": "transformed",
    "policy": "default v4",
    "state": "raised",
    "held": None,
    "currency": "EUR",
    "amount_minor": 25000,
    "owners": [OWNER],
    "other_owners": [],
    "raised_at": MOMENT,
    "steps": [],
    "next_steps": ["confirm", "overturn", "hold"],
}
REVIEWED = FLAG | {
    "state": "reviewed",
    "steps": [{"step": "confirm", "role": "reviewer", "state": "reviewed", "at": MOMENT}],
    "next_steps": ["notify", "assess", "hold", "waive"],
}
NOTIFIED = REVIEWED | {
    "state": "notified",
    "steps": [*REVIEWED["steps"], {"step": "notify", "role": "compliance", "state": "notified", "at": MOMENT}],
    "next_steps": ["accept", "dispute", "assess", "hold", "waive"],
}
OPEN_REVIEW = {
    "id": CHECK["id"],
    "kind": "check",
    "check_id": CHECK["id"],
    "opened_at": MOMENT,
    "model_id": MODEL_ID,
    "generation_sha256": ROOT,
    "item_id": ITEM_ID,
    "match_kind": "transformed",
    "rule": "fused",
    "score": 2.9,
    "p_value": 0.003,
    "threshold": 3.1,
    "borderline_threshold": 2.7,
    "policy": "default v4",
}
VERDICT = {"verdict": "confirm", "reason": "the same harbour, mirrored", "name": "Rita Reviewer"}

POLICY_ID = "0198c0de-d3a0-75aa-a697-b2f3ea490001"
POLICY = {
    "name": "default",
    "version": 4,
    "rule": "fused",
    "neighbours": 1000,
    "false_positive_rate": 0.001,
    "borderline": {"false_positive_rate": 0.005},
    "shares": "equal",
    "tariff": {"currency": "EUR", "amount_minor": 25000, "tiers": [{"kinds": ["part", "recoloured"], "amount_minor": 10000}]},
    "waiver_reasons": ["licensed", "owner_not_found"],
}
POLICY_TOML = """name = "default"
version = 4
rule = "fused"
neighbours = 1000
false_positive_rate = 0.001
shares = "equal"
waiver_reasons = ["licensed", "owner_not_found"]
borderline = { false_positive_rate = 0.005 }

[tariff]
currency = "EUR"
amount_minor = 25000
[[tariff.tiers]]
kinds = ["part", "recoloured"]
amount_minor = 10000
"""
CONTROL_RUN = {
    "model": "model-1",
    "pictures": 999,
    "flagged": 1,
    "borderline": 4,
    "several_pictures": 0,
    "highest_score": None,
    "unreachable": False,
    "not_decidable": None,
}
ADOPTED = {
    "id": POLICY_ID,
    "name": "default",
    "version": 4,
    "sha256": ROOT,
    "in_force": True,
    "adopted_at": MOMENT,
    "content": POLICY,
}
CHANGE = {
    "check_id": CHECK["id"],
    "item_id": ITEM_ID,
    "kind": "transformed",
    "before": "clear",
    "after": "borderline",
    "score": 2.9,
    "p_value": 0.003,
    "amount_before": None,
    "amount_after": None,
}
DRY_RUN = {
    "policy_sha256": ROOT,
    "checks": 1000,
    "unchanged": 997,
    "further_flags": 0,
    "changed": [{"kind": "clear_to_borderline", "count": 1, "changes": [CHANGE]}],
    "not_decidable": [{"reason": "index_behind", "count": 2, "check_ids": [CHECK["id"]]}],
    "more": True,
}
PAYABLE = {
    "flag_id": FLAG_ID,
    "check_id": CHECK["id"],
    "item_id": ITEM_ID,
    "owner_id": OWNER["party_id"],
    "owner": "Olga Owner",
    "share": 1.0,
    "amount_minor": 25000,
    "currency": "EUR",
    "state": "accepted",
    "held": None,
    "raised_at": MOMENT,
}
PAYABLES_CSV = "\r\n".join((",".join(PAYABLE), ",".join("" if cell is None else str(cell) for cell in PAYABLE.values()), ""))

EXAMPLES: dict[str, Example] = {
    "create_policy": Example(
        ADOPTED | {"receipt": RECEIPT, "controls": [CONTROL_RUN]},
        POLICY,
        request_forms={"application/toml": POLICY_TOML},
        other_answers={
            "202": {
                "state": "proposed",
                "sha256": ADOPTED["sha256"],
                "approvals": 1,
                "approvals_needed": 2,
                "controls": [CONTROL_RUN],
            }
        },
    ),
    "get_policies": Example({"items": [ADOPTED], "next_cursor": None}),
    "get_policy": Example(ADOPTED | {"receipt": RECEIPT}),
    "try_policy": Example(DRY_RUN, POLICY, request_forms={"application/toml": POLICY_TOML}),
    "get_payables": Example({"items": [PAYABLE], "next_cursor": None}, other_forms={"text/csv": PAYABLES_CSV}),
    "get_reviews": Example({"items": [OPEN_REVIEW], "next_cursor": None}),
    "create_flag_review": Example(REVIEWED, VERDICT),
    "create_check_review": Example(
        {
            "check_id": CHECK["id"],
            "verdict": "confirm",
            "role": "reviewer",
            "at": MOMENT,
            "flag_id": FLAG_ID,
            "flag_ids": [FLAG_ID],
            "receipt": RECEIPT,
        },
        VERDICT,
    ),
    "get_flags": Example({"items": [FLAG], "next_cursor": None}),
    "get_flag": Example(REVIEWED),
    "get_flag_history": Example(
        {
            "entries": [
                {
                    "index": 7,
                    "type": "flag.reviewed",
                    "at": MOMENT,
                    "body": {"role": "reviewer", "verdict": "confirm", "reason": VERDICT["reason"]},
                    "opened": {"actor.name": "Rita Reviewer"},
                    "receipt": RECEIPT,
                }
            ]
        }
    ),
    "create_flag_step": Example(NOTIFIED, {"step": "notify", "role": "compliance", "note": "letter of 2 March"}),
}
