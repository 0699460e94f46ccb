"""Webhooks: made with a fresh secret, listed, deleted; their messages listed and sent again.

Rules, in order:

1. The secret is on disk before the webhook is on record, and removed again where that fails: no webhook is without one.
2. A deleted webhook's secret is gone, and its messages that were not delivered are dropped.
3. A message that is dead is tried again only when somebody asks for it, with all its tries before it; so is one that was due
   a while ago, whose job was cancelled.
"""

from datetime import UTC, timedelta

from sqlalchemy import update
from sqlmodel import col

from services.output_gate.webhooks.delivery import verify_webhook_url
from services.output_gate.webhooks.outbox import DELIVERY, lane_of
from services.output_gate.webhooks.schemas import CreatedWebhook, DeliveryAnswer, WebhookAnswer, WebhookRequest
from services.output_gate.webhooks.signing import create_secret, delete_secret
from shared.canonical import canonical_json, sha256_hex
from shared.clock import format_moment, utc_now
from shared.errors import ConflictError, NotFoundError
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.ids import new_id
from shared.records.idempotency import bind_effect, find_effect
from shared.records.jobs import add_job
from shared.records.webhooks import (
    Webhook,
    WebhookDelivery,
    count_deliveries,
    list_deliveries,
    list_webhooks,
    load_webhook,
    lock_delivery,
)
from shared.workspace import Workspace

OPERATION, RETRY = "webhooks.create", "webhooks.retry"
# A worker looks for what is due twice a second, a try ends within 15 seconds, and the receiver's other messages go before it.
OVERDUE = timedelta(minutes=5)


def create_webhook(workspace: Workspace, request: WebhookRequest, key: str | None = None) -> CreatedWebhook:
    """Make a webhook and its secret.

    Args:
        workspace: whose events.
        request: where to, and of what.
        key: an Idempotency-Key, if the caller gave one; repeated, it gives the webhook without the secret.

    Raises:
        InputError: the URL may not be reached.
        UnavailableError: its host is unknown, or the database is down.
        ConflictError: the key was used for another request.
    """
    verify_webhook_url(workspace.settings, request.url)
    digest = sha256_hex(canonical_json(request.model_dump(mode="json")))
    webhook_id, secret = new_id(), None
    try:
        with workspace.writing() as session:
            made_before = find_effect(session, OPERATION, key, digest)
            if made_before is None:
                secret = create_secret(workspace.home, webhook_id)
                session.add(Webhook(id=webhook_id, url=request.url, events=list(request.events)))
                bind_effect(session, OPERATION, key, digest, webhook_id)
    except BaseException:
        delete_secret(workspace.home, webhook_id)
        raise
    shown = build_webhook_answer(workspace, made_before or webhook_id)
    return CreatedWebhook(**shown.model_dump(), secret=secret)


def delete_webhook(workspace: Workspace, webhook_id: str) -> None:
    """Delete a webhook: its secret goes, its undelivered messages are dropped, the record stays.

    Raises:
        NotFoundError: no such webhook.
    """
    with workspace.writing() as session:
        webhook = load_webhook(session, webhook_id)
        webhook.state, webhook.ended_at = "deleted", utc_now()
        session.add(webhook)
        pending = (col(WebhookDelivery.webhook_id) == webhook_id) & (col(WebhookDelivery.state) == "pending")
        session.execute(update(WebhookDelivery).where(pending).values(state="dropped", next_try_at=None))
    delete_secret(workspace.home, webhook_id)


def redeliver(workspace: Workspace, webhook_id: str, delivery_id: str, key: str | None = None) -> DeliveryAnswer:
    """Queue a message once more that is dead, or that nobody tries any more.

    Args:
        workspace: whose message.
        webhook_id: of which webhook.
        delivery_id: which message.
        key: an Idempotency-Key, if the caller gave one; repeated, it queues nothing and gives the message as it is by then.

    Raises:
        NotFoundError: no such webhook, or no such message of it.
        ConflictError: the message was delivered, dropped or will be tried; the webhook is gone; or the key was used for
            another message.
    """
    digest = sha256_hex(canonical_json({"webhook": webhook_id, "delivery": delivery_id}))
    with workspace.writing() as session:
        queued_before = find_effect(session, RETRY, key, digest)
        webhook = load_webhook(session, webhook_id)
        delivery = lock_delivery(session, delivery_id)
        if delivery.webhook_id != webhook_id:
            raise NotFoundError(f"no message {delivery_id!r} to this webhook", code="delivery_not_found")
        if queued_before is not None:
            return _delivery_answer(delivery)
        if webhook.state != "active":
            raise ConflictError(f"webhook {webhook_id} is {webhook.state}; expected an active one", code="webhook_gone")
        if delivery.state != "dead" and not _is_overdue(delivery):
            raise ConflictError(f"expected a dead message, got one that is {delivery.state}", code="delivery_not_dead")
        delivery.state, delivery.attempts, delivery.next_try_at = "pending", 0, utc_now()
        session.add(delivery)
        session.flush()
        add_job(session, DELIVERY, {"delivery": delivery.id}, lane_of(webhook_id))
        bind_effect(session, RETRY, key, digest, delivery.id)
    return _delivery_answer(delivery)


def _is_overdue(delivery: WebhookDelivery) -> bool:
    if delivery.state != "pending" or delivery.next_try_at is None:
        return False
    due = delivery.next_try_at if delivery.next_try_at.tzinfo else delivery.next_try_at.replace(tzinfo=UTC)
    return due < utc_now() - OVERDUE


def build_webhook_answer(workspace: Workspace, webhook_id: str) -> WebhookAnswer:
    """Build the answer about a webhook.

    Raises:
        NotFoundError: no such webhook.
    """
    with workspace.reading() as session:
        webhook = load_webhook(session, webhook_id)
        return _answer(webhook, count_deliveries(session, [webhook_id])[webhook_id])


def page_of_webhooks(workspace: Workspace, cursor: str | None, limit: int) -> Page[WebhookAnswer]:
    """Return a page of webhooks, oldest first.

    Raises:
        InputError: the cursor is none of ours.
    """
    after = decode_cursor(cursor) if cursor else ""
    with workspace.reading() as session:
        found = list_webhooks(session, after, limit + 1)
        counts = count_deliveries(session, [one.id for one in found[:limit]])
    shown = [_answer(one, counts[one.id]) for one in found[:limit]]
    return Page(items=shown, next_cursor=encode_cursor(found[limit - 1].id) if len(found) > limit else None)


def page_of_deliveries(
    workspace: Workspace, webhook_id: str, cursor: str | None, limit: int, state: str | None
) -> Page[DeliveryAnswer]:
    """Return a page of the messages to a webhook, oldest first.

    Raises:
        NotFoundError: no such webhook.
        InputError: the cursor is none of ours.
    """
    after = decode_cursor(cursor) if cursor else ""
    with workspace.reading() as session:
        load_webhook(session, webhook_id)
        found = list_deliveries(session, webhook_id, after, limit + 1, state)
    shown = [_delivery_answer(one) for one in found[:limit]]
    return Page(items=shown, next_cursor=encode_cursor(found[limit - 1].id) if len(found) > limit else None)


def _answer(webhook: Webhook, deliveries: dict[str, int]) -> WebhookAnswer:
    shown = webhook.model_dump(include={"id", "url", "events", "state"})
    return WebhookAnswer.model_validate(shown | {"created_at": format_moment(webhook.created_at), "deliveries": deliveries})


def _delivery_answer(delivery: WebhookDelivery) -> DeliveryAnswer:
    shown = delivery.model_dump(include={"id", "event", "state", "attempts", "last_status", "last_error", "payload"})
    times = {
        name: None if moment is None else format_moment(moment)
        for name, moment in (("tried_at", delivery.tried_at), ("next_try_at", delivery.next_try_at))
    }
    return DeliveryAnswer.model_validate(shown | times | {"created_at": format_moment(delivery.created_at)})
