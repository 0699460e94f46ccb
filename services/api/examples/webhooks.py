"""Examples of webhooks and of the messages to them."""

from typing import Any

from services.api.examples.example import MOMENT, Example
from services.api.examples.flags import FLAG, FLAG_ID

WEBHOOK_ID = "0198c0de-e4b0-76bb-8798-c304fb5a0001"
ASKED = {"url": "https://publisher.example.org/sleeve", "events": ["flag.raised", "flag.resolved"]}
WEBHOOK = ASKED | {"id": WEBHOOK_ID, "state": "active", "created_at": MOMENT, "deliveries": {"delivered": 12, "pending": 1}}
TOLD = {name: FLAG[name] for name in ("check_id", "item_id", "state", "currency", "amount_minor", "held")}
DELIVERY: dict[str, Any] = {
    "id": "0198c0de-f5c0-77cc-98a9-d4150c6b0001",
    "event": "flag.raised",
    "state": "pending",
    "attempts": 1,
    "last_status": 503,
    "last_error": "status_not_2xx",
    "created_at": MOMENT,
    "tried_at": MOMENT,
    "next_try_at": "2026-03-01T09:00:05.000Z",
    "payload": {"type": "flag.raised", "timestamp": MOMENT, "data": TOLD | {"flag_id": FLAG_ID}},
}

EXAMPLES: dict[str, Example] = {
    "post_webhook": Example(
        WEBHOOK | {"deliveries": {}, "secret": "whsec_(base64 of 32 bytes, shown this once)"},
        ASKED,
    ),
    "get_webhooks": Example({"items": [WEBHOOK], "next_cursor": None}),
    "get_webhook": Example(WEBHOOK),
    "get_deliveries": Example({"items": [DELIVERY], "next_cursor": None}),
    "create_retry": Example(DELIVERY | {"attempts": 0, "last_status": 500, "next_try_at": MOMENT}),
}
