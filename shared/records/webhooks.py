"""Webhooks: who wants to hear of which events, and every message to them with its outcome.

Rules, in order:

1. A message is recorded in the transaction of the event that it tells of. What is committed will be told; what is rolled back
   never is.
2. The secret that signs a webhook's messages is kept in a file of its own, not here.
3. A webhook that is deleted stays on record with its messages, and gets no more of them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, DateTime
from sqlmodel import Field, Session, SQLModel, col, func, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id


class Webhook(SQLModel, table=True):
    """A URL that gets messages about events: `active`, `gone` (its own answer) or `deleted`."""

    __tablename__ = "webhook"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    url: str
    events: list[str] = Field(sa_column=Column(JSON, nullable=False))
    state: str = Field(default="active", index=True)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))
    ended_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class WebhookDelivery(SQLModel, table=True):
    """One message to one webhook: `pending`, `delivered`, `dead` after the last try, or `dropped` with its webhook."""

    __tablename__ = "webhook_delivery"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    webhook_id: str = Field(foreign_key="webhook.id", index=True, max_length=36)
    event: str
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str = Field(default="pending", index=True)
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    tried_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    next_try_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def load_webhook(session: Session, webhook_id: str) -> Webhook:
    """Return a webhook that is not deleted.

    Raises:
        NotFoundError: no such webhook.
    """
    webhook = session.get(Webhook, webhook_id)
    if webhook is None or webhook.state == "deleted":
        raise NotFoundError(f"no webhook {webhook_id!r}", code="webhook_not_found")
    return webhook


def list_webhooks(session: Session, after: str, limit: int) -> list[Webhook]:
    """Return a page of the webhooks that are not deleted, oldest first."""
    query = select(Webhook).where(col(Webhook.id) > after, Webhook.state != "deleted").order_by(col(Webhook.id)).limit(limit)
    return list(session.exec(query))


def list_active_webhooks(session: Session) -> list[Webhook]:
    """Return every webhook that gets messages."""
    return list(session.exec(select(Webhook).where(Webhook.state == "active").order_by(col(Webhook.id))))


def list_deliveries(session: Session, webhook_id: str, after: str, limit: int, state: str | None) -> list[WebhookDelivery]:
    """Return a page of the messages to a webhook, oldest first."""
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id, col(WebhookDelivery.id) > after)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    return list(session.exec(query.order_by(col(WebhookDelivery.id)).limit(limit)))


def count_deliveries(session: Session, webhook_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many messages to each webhook are in each state."""
    counts: dict[str, dict[str, int]] = {webhook_id: {} for webhook_id in webhook_ids}
    query = (
        select(WebhookDelivery.webhook_id, WebhookDelivery.state, func.count())
        .where(col(WebhookDelivery.webhook_id).in_(webhook_ids))
        .group_by(col(WebhookDelivery.webhook_id), col(WebhookDelivery.state))
    )
    for webhook_id, state, count in session.exec(query):
        counts[webhook_id][state] = count
    return counts


def lock_delivery(session: Session, delivery_id: str) -> WebhookDelivery:
    """Return a message as it is now and keep others from changing it until the transaction ends.

    Raises:
        NotFoundError: no such message.
    """
    query = select(WebhookDelivery).where(WebhookDelivery.id == delivery_id).with_for_update(key_share=True)
    delivery = session.exec(query.execution_options(populate_existing=True)).first()
    if delivery is None:
        raise NotFoundError(f"no message {delivery_id!r}", code="delivery_not_found")
    return delivery
