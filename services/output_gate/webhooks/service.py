"""Webhooks: made with a fresh secret, listed, deleted; their messages listed and sent again.

Rules, in order:

1. The secret is on disk before the webhook is on record, and removed again where that fails: no webhook is without one.
2. A deleted webhook's secret is gone, and its messages that were not delivered are dropped.
3. A message that is dead is tried again only when somebody asks for it. It then has all its tries before it again. So does one
   that was due a while ago, whose job was cancelled.
"""

from collections.abc import Sequence
from datetime import UTC, timedelta

from sqlalchemy import update
from sqlmodel import Session, col

from services.output_gate.webhooks.delivery import verify_webhook_url
from services.output_gate.webhooks.outbox import DELIVERY, lane_of
from services.output_gate.webhooks.schemas import CreatedWebhook, DeliveryAnswer, WebhookAnswer, WebhookRequest
from services.output_gate.webhooks.signing import create_secret, delete_secret
from shared.clock import format_moment, utc_now
from shared.errors import ConflictError, NotFoundError
from shared.http.paging import Page, PageRequest
from shared.idempotency import once
from shared.ids import new_id
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


def create_webhook(workspace: Workspace, request: WebhookRequest, idempotency_key: str | None = None) -> CreatedWebhook:
    """Make a webhook and its secret.

    Args:
        workspace: whose events.
        request: where to, and of what.
        idempotency_key: sent again with it, the request gives the webhook without the secret.

    Raises:
        InputError: the URL may not be reached.
        UnavailableError: its host is unknown, or the database is down.
        ConflictError: the key was used for another request.
    """
    verify_webhook_url(workspace.settings, request.url)
    secrets: dict[str, str] = {}
    made: dict[str, Webhook] = {}
    recorded_id = None

    def act(session: Session) -> str:
        webhook_id = new_id()
        secrets[webhook_id] = create_secret(workspace.home, webhook_id)
        made[webhook_id] = Webhook(id=webhook_id, url=request.url, events=list(request.events))
        session.add(made[webhook_id])
        session.flush()
        return webhook_id

    try:
        recorded_id = once(workspace, OPERATION, idempotency_key, request.model_dump(mode="json"), act).resource_id
    finally:
        for webhook_id in secrets.keys() - {recorded_id}:
            delete_secret(workspace.home, webhook_id)
    if recorded_id not in secrets:
        return CreatedWebhook(**show_webhook(workspace, recorded_id).model_dump(), secret=None)
    # From what was committed: a secret that is shown this once waits for no further reading.
    return CreatedWebhook(**_build_answer(made[recorded_id], {}).model_dump(), secret=secrets[recorded_id])


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


def redeliver(workspace: Workspace, webhook_id: str, delivery_id: str, idempotency_key: str | None = None) -> DeliveryAnswer:
    """Queue a message once more that is dead, or that nobody tries any more.

    Args:
        workspace: whose message.
        webhook_id: of which webhook.
        delivery_id: which message.
        idempotency_key: sent again with it, the request queues nothing and gives the message as it is by then.

    Raises:
        NotFoundError: no such webhook, or no such message of it.
        ConflictError: the message was delivered, dropped or will be tried; the webhook is gone; or the key was used for
            another message.
    """

    def act(session: Session) -> str:
        webhook, delivery = load_webhook(session, webhook_id), lock_delivery(session, delivery_id)
        if delivery.webhook_id != webhook_id:
            raise NotFoundError(f"no message {delivery_id!r} to this webhook", code="delivery_not_found")
        if webhook.state != "active":
            raise ConflictError(f"webhook {webhook_id} is {webhook.state}; expected an active one", code="webhook_gone")
        if delivery.state != "dead" and not _is_overdue(delivery):
            raise ConflictError(f"expected a dead message, got one that is {delivery.state}", code="delivery_not_dead")
        delivery.state, delivery.attempts, delivery.next_try_at = "pending", 0, utc_now()
        session.add(delivery)
        session.flush()
        add_job(session, DELIVERY, {"delivery": delivery.id}, lane_of(webhook_id))
        return delivery_id

    once(workspace, RETRY, idempotency_key, {"webhook": webhook_id, "delivery": delivery_id}, act)
    with workspace.reading() as session:
        load_webhook(session, webhook_id)
        return _build_delivery_answer(session.get_one(WebhookDelivery, delivery_id))


def _is_overdue(delivery: WebhookDelivery) -> bool:
    if delivery.state != "pending" or delivery.next_try_at is None:
        return False
    due = delivery.next_try_at if delivery.next_try_at.tzinfo else delivery.next_try_at.replace(tzinfo=UTC)
    return due < utc_now() - OVERDUE


def show_webhook(workspace: Workspace, webhook_id: str) -> WebhookAnswer:
    """Return a webhook, and how its messages fare.

    Raises:
        NotFoundError: no such webhook.
    """
    with workspace.reading() as session:
        webhook = load_webhook(session, webhook_id)
        return _build_answer(webhook, count_deliveries(session, [webhook_id])[webhook_id])


def page_of_webhooks(workspace: Workspace, page: PageRequest) -> Page[WebhookAnswer]:
    """Return a page of webhooks, oldest first.

    Raises:
        InputError: the cursor is none of ours.
    """

    def build_answers(webhooks: Sequence[Webhook]) -> list[WebhookAnswer]:
        counts = count_deliveries(session, [webhook.id for webhook in webhooks])
        return [_build_answer(webhook, counts[webhook.id]) for webhook in webhooks]

    with workspace.reading() as session:
        webhooks = list_webhooks(session, page.position, page.rows_to_load)
        return page.build(webhooks, lambda webhook: webhook.id, build_answers)


def page_of_deliveries(
    workspace: Workspace, webhook_id: str, page: PageRequest, state: str | None = None
) -> Page[DeliveryAnswer]:
    """Return a page of the messages to a webhook, oldest first; of those in one state only, where it is given.

    Raises:
        NotFoundError: no such webhook.
        InputError: the cursor is none of ours.
    """
    with workspace.reading() as session:
        load_webhook(session, webhook_id)
        deliveries = list_deliveries(session, webhook_id, page.position, page.rows_to_load, state)
    return page.build(
        deliveries,
        lambda delivery: delivery.id,
        lambda shown: [_build_delivery_answer(delivery) for delivery in shown],
    )


def _build_answer(webhook: Webhook, deliveries: dict[str, int]) -> WebhookAnswer:
    fields = webhook.model_dump(include={"id", "url", "events", "state"})
    return WebhookAnswer.model_validate(fields | {"created_at": format_moment(webhook.created_at), "deliveries": deliveries})


def _build_delivery_answer(delivery: WebhookDelivery) -> DeliveryAnswer:
    fields = delivery.model_dump(include={"id", "event", "state", "attempts", "last_status", "last_error", "payload"})
    times = {
        name: None if moment is None else format_moment(moment)
        for name, moment in (("tried_at", delivery.tried_at), ("next_try_at", delivery.next_try_at))
    }
    return DeliveryAnswer.model_validate(fields | times | {"created_at": format_moment(delivery.created_at)})
