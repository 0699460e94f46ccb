"""`/v1/webhooks`: have checks, flags and policies reported instead of asking for them."""

from typing import Literal

from fastapi import APIRouter, Response

from services.output_gate.webhooks.schemas import CreatedWebhook, DeliveryAnswer, WebhookAnswer, WebhookRequest
from services.output_gate.webhooks.service import (
    create_webhook,
    delete_webhook,
    page_of_deliveries,
    page_of_webhooks,
    redeliver,
    show_webhook,
)
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


@router.post("", status_code=201, dependencies=needs("webhooks:write"), summary="Create a webhook")
def post_webhook(
    workspace: CurrentWorkspace, response: Response, body: WebhookRequest, idempotency_key: Key = None
) -> CreatedWebhook:
    """Have events posted to a URL, signed as the Standard Webhooks specification says. The secret is shown this once.

    A message that is not answered with 2xx is tried again after 5 s, 5 min, 30 min, 2, 5, 10, 14, 20, 24 h; then it is dead.
    A receiver may get a message twice, with the same `webhook-id`.
    """
    answer = create_webhook(workspace, body, idempotency_key)
    response.headers["Location"] = f"/v1/webhooks/{answer.id}"
    response.headers["Cache-Control"] = "no-store"
    return answer


@router.get("", dependencies=needs("webhooks:write"), summary="List webhooks")
def get_webhooks(workspace: CurrentWorkspace, page: PageQuery) -> Page[WebhookAnswer]:
    """Answer with a page of webhooks, oldest first; deleted ones are left out."""
    return page_of_webhooks(workspace, page)


@router.get("/{webhook_id}", dependencies=needs("webhooks:write"), summary="Show one webhook")
def get_webhook(workspace: CurrentWorkspace, webhook_id: str) -> WebhookAnswer:
    """Answer with a webhook and how many of its messages are in each state."""
    return show_webhook(workspace, webhook_id)


@router.delete("/{webhook_id}", status_code=204, dependencies=needs("webhooks:write"), summary="Delete a webhook")
def remove_webhook(workspace: CurrentWorkspace, webhook_id: str) -> None:
    """Send it nothing more. Its secret is removed; messages that were not delivered are dropped."""
    delete_webhook(workspace, webhook_id)


@router.get("/{webhook_id}/deliveries", dependencies=needs("webhooks:write"), summary="List the messages to a webhook")
def get_deliveries(
    workspace: CurrentWorkspace,
    page: PageQuery,
    webhook_id: str,
    state: Literal["pending", "delivered", "dead", "dropped"] | None = None,
) -> Page[DeliveryAnswer]:
    """Answer with a page of messages, oldest first: what was sent, how often, and what came of it."""
    return page_of_deliveries(workspace, webhook_id, page, state)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/retries",
    status_code=202,
    dependencies=needs("webhooks:write"),
    summary="Send a dead message again",
)
def create_retry(
    workspace: CurrentWorkspace, webhook_id: str, delivery_id: str, idempotency_key: Key = None
) -> DeliveryAnswer:
    """Queue a message that is dead or overdue, with all its tries before it; any other is a conflict."""
    return redeliver(workspace, webhook_id, delivery_id, idempotency_key)
