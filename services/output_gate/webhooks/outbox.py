"""The outbox: messages to webhooks, put on record in the transaction of the event that they report.

Rules, in order:

1. What is committed is reported. What is rolled back never is.
2. A message holds ids, states and amounts, and no names. Whoever may know more asks the API.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_args

from sqlmodel import Session

from shared.clock import timestamp
from shared.records.jobs import add_job
from shared.records.webhooks import WebhookDelivery, list_active_webhooks

DELIVERY = "webhook.delivery"

# Named as the log entries that they report.
Event = Literal[
    "check.decided",
    "check.reviewed",
    "flag.raised",
    "flag.reviewed",
    "flag.notified",
    "flag.answered",
    "flag.assessed",
    "flag.held",
    "flag.released",
    "flag.resolved",
    "policy.adopted",
]
EVENTS: tuple[Event, ...] = get_args(Event)


def lane_of(webhook_id: str) -> str:
    """Return the lane of a webhook's messages: they are sent one after another."""
    return f"webhook/{webhook_id}"


def queue_event(session: Session, event: str, data: Mapping[str, Any], at: datetime) -> None:
    """Queue a message to every webhook that wants this event, in the caller's transaction.

    Args:
        session: an open transaction; nothing is committed here.
        event: its name; see `EVENTS`.
        data: JSON values that name nobody.
        at: when it took place.

    Source: Standard Webhooks specification, "Payload structure": type, timestamp, data.
    """
    for webhook in list_active_webhooks(session):
        if event in webhook.events:
            payload = {"type": event, "timestamp": timestamp(at), "data": dict(data)}
            delivery = WebhookDelivery(webhook_id=webhook.id, event=event, payload=payload, created_at=at, next_try_at=at)
            session.add(delivery)
            session.flush()
            add_job(session, DELIVERY, {"delivery": delivery.id}, lane_of(webhook.id))
