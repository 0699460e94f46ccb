"""Examples of keys."""

from services.api.examples.example import ITEM_ID, MOMENT, RECEIPT, SALT, SHA256, Example

KEY_ID = "0198c0dea4c177d18ab2e9d1c40f0001"
ASKED = {"name": "release pipeline", "scopes": ["checks:write"], "party_id": None, "expires_at": "2027-03-01T00:00:00.000Z"}
KEY = ASKED | {
    "id": KEY_ID,
    "state": "active",
    "created_by": None,
    "created_at": MOMENT,
    "revoked_at": None,
    "last_used_at": MOMENT,
}
ENTRY = {
    "index": 4,
    "type": "item.registered",
    "at": MOMENT,
    "subject": {"item": ITEM_ID, "sha256": SHA256},
    "receipt": RECEIPT,
    "opening": {"by": {"value": {"key": KEY_ID, "role": "key"}, "salt": SALT}},
}

EXAMPLES: dict[str, Example] = {
    "post_key": Example(
        KEY | {"last_used_at": None, "key": f"sleeve_{KEY_ID}_(49 digits, shown this once)", "receipt": RECEIPT}, ASKED
    ),
    "get_keys": Example({"items": [KEY], "next_cursor": None}),
    "get_api_key": Example(KEY),
    "get_key_history": Example({"items": [ENTRY], "next_cursor": None}),
    "post_key_revocation": Example(KEY | {"state": "revoked", "revoked_at": MOMENT}),
}
