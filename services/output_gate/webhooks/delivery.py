"""Delivering messages to webhooks: signed, tried again with growing waits, dead after the last try.

Rules, in order:

1. A message is delivered when its receiver answers with a status of 200 to 299. Any other answer, a redirect among them, and
   none at all is a failed try. 410 says that the webhook is gone: it gets nothing more.
2. A receiver may get a message twice, when this process ends between the answer and its record; the id is the same.
3. The messages to one webhook are sent one after another, in the order of their events; one that is tried again comes when its
   time has come, and those behind it do not wait for it. Webhooks do not wait for each other, up to `RECEIVERS_AT_ONCE`.
4. The host is resolved once a try, every address is checked, and the connection goes to exactly these; https, or to an allowed
   network, where http is taken as well. What a URL may reach is the settings' word, as for every fetch.
5. What is recorded of a failure is a status or a code: never the answer's text, never a signature.

Source: Standard Webhooks specification 1.0.0: "Webhook headers", "Deliverability and reliability" (its retry schedule).
"""

import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session

from services.output_gate.webhooks.outbox import DELIVERY
from services.output_gate.webhooks.signing import load_secret, sign
from shared.canonical import canonical_json
from shared.clock import utc_now
from shared.errors import CorruptStateError, InputError, SleeveError
from shared.fetching.addresses import AddressPolicy
from shared.fetching.connection import Exchange
from shared.fetching.fetcher import DEFAULT_USER_AGENT, Fetcher
from shared.fetching.limits import FetchLimits, parse_retry_after
from shared.jobs.kind import JobKind
from shared.jobs.run import JobPutOffError, JobRun
from shared.records.webhooks import Webhook, WebhookDelivery, lock_delivery
from shared.settings import Settings
from shared.workspace import Workspace

# The specification's schedule: immediately, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400))
# Webhooks that are sent to at the same time: threads that wait for an answer.
RECEIVERS_AT_ONCE = 16
# The specification asks for 15 to 30 seconds.
LIMITS = FetchLimits(max_bytes=2**20, total_seconds=15.0, connect_seconds=5.0, idle_seconds=15.0, max_redirects=0, attempts=1)
# RFC 9110 section 15.5.11, and the specification: "410 Gone: the sender should disable the endpoint".
GONE = 410
LONGEST_WAIT = timedelta(days=1)


def build_messenger(settings: Settings, url: str) -> Fetcher:
    """Make what posts to a webhook: https to wherever fetches may go, http to allowed networks only."""
    policy = AddressPolicy(
        settings.fetch_allowed_networks, frozenset(settings.fetch_allowed_ports), public=not url.lower().startswith("http:")
    )
    return Fetcher(LIMITS, policy, settings.fetch_user_agent or DEFAULT_USER_AGENT)


def deliver(workspace: Workspace, run: JobRun, *, waits: Sequence[timedelta] = WAITS) -> None:
    """Try to deliver the message that a job is about, once.

    Args:
        workspace: where message, webhook and secret are.
        run: the job.
        waits: before the second, third … try; after one more the message is dead.

    Raises:
        JobPutOffError: the try failed and another one will follow.
        UnavailableError: the database is down.
    """
    with workspace.reading() as session:
        delivery = session.get(WebhookDelivery, run.job.request["delivery"])
        webhook = session.get(Webhook, delivery.webhook_id) if delivery else None
    if delivery is None or webhook is None:
        raise CorruptStateError(f"job {run.job.id} is about a message that is not on record")
    if delivery.state != "pending":
        return
    status, error, retry_after_seconds = _post(workspace, webhook, delivery)
    with workspace.writing() as session:
        next_try_at = _record(session, delivery.id, status, error, retry_after_seconds, waits)
    if next_try_at is not None:
        raise JobPutOffError(next_try_at)


def _post(workspace: Workspace, webhook: Webhook, delivery: WebhookDelivery) -> tuple[int | None, str | None, float | None]:
    """Post a message; return the answer's status, the code of what went wrong, and the wait that was asked for."""
    try:
        exchange = _send(workspace, webhook, delivery)
    except SleeveError as error:
        return None, error.code, None
    if 200 <= exchange.status < 300:
        return exchange.status, None, None
    return exchange.status, "status_not_2xx", parse_retry_after(exchange.header("retry-after"))


def _send(workspace: Workspace, webhook: Webhook, delivery: WebhookDelivery) -> Exchange:
    body = canonical_json(delivery.payload)
    now = int(time.time())
    headers = {
        "webhook-id": delivery.id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(load_secret(workspace.home, webhook.id), delivery.id, now, body),
    }
    return build_messenger(workspace.settings, webhook.url).post(webhook.url, body, "application/json", headers=headers)


def _record(
    session: Session,
    delivery_id: str,
    status: int | None,
    error: str | None,
    retry_after_seconds: float | None,
    waits: Sequence[timedelta],
) -> datetime | None:
    """Put on record what came of a try; return when the next one is due, None where none follows."""
    delivery = lock_delivery(session, delivery_id)
    now = utc_now()
    delivery.attempts, delivery.last_status, delivery.last_error, delivery.tried_at = delivery.attempts + 1, status, error, now
    delivery.next_try_at = None
    if error is None:
        delivery.state = "delivered"
    elif delivery.state == "pending" and status != GONE and delivery.attempts <= len(waits):
        delivery.next_try_at = now + _choose_wait(waits[delivery.attempts - 1], retry_after_seconds)
    elif delivery.state == "pending":
        delivery.state = "dead"
    if status == GONE:
        webhook = session.get_one(Webhook, delivery.webhook_id)
        if webhook.state == "active":
            webhook.state, webhook.ended_at = "gone", now
            session.add(webhook)
    session.add(delivery)
    session.flush()
    return delivery.next_try_at


def _choose_wait(wait: timedelta, retry_after_seconds: float | None) -> timedelta:
    """Return the wait, longer where the receiver asked for more, spread so that many messages do not return together."""
    retry_after = timedelta(seconds=min(retry_after_seconds or 0.0, LONGEST_WAIT.total_seconds()))
    return max(wait * random.uniform(1.0, 1.1), retry_after)  # noqa: S311 - spreads load, hides nothing


def verify_webhook_url(settings: Settings, url: str) -> None:
    """Check that a webhook may be at a URL, as its host resolves now; each try checks again.

    Raises:
        InputError: code `url_refused`; it is not https and not in an allowed network, or its address is not public.
        UnavailableError: its host is unknown.
    """
    try:
        build_messenger(settings, url).verify_allowed(url)
    except InputError as error:
        hint = "; webhooks are https, or in one of SLEEVE_FETCH_ALLOWED_NETWORKS"
        raise InputError(error.message + hint, code=error.code) from error


WEBHOOK_JOBS = (JobKind(DELIVERY, "webhooks:write", "webhooks:write", deliver),)
