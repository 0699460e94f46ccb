"""Webhooks: made with a secret, once for each key; messages sent again only where nobody tries them."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.output_gate.webhooks.schemas import WebhookRequest
from services.output_gate.webhooks.service import (
    create_webhook,
    delete_webhook,
    page_of_deliveries,
    page_of_webhooks,
    redeliver,
    show_webhook,
)
from services.output_gate.webhooks.signing import secret_file
from shared.clock import utc_now
from shared.errors import ConflictError, InputError, NotFoundError
from shared.http.paging import PageRequest
from shared.records.webhooks import WebhookDelivery
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace

REQUEST = WebhookRequest(url="http://127.0.0.1:9/hook", events=("flag.raised",))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(
        Settings(home=tmp_path / "home", database_url=None, fetch_allowed_networks=["127.0.0.0/8"], fetch_allowed_ports=[9])
    )


def add_message(workspace: Workspace, webhook_id: str, state: str) -> str:
    with workspace.writing() as session:
        delivery = WebhookDelivery(webhook_id=webhook_id, event="flag.raised", payload={}, state=state, next_try_at=utc_now())
        session.add(delivery)
        session.flush()
        return delivery.id


def test_a_key_makes_one_webhook_and_its_secret_is_shown_once(workspace: Workspace) -> None:
    created = create_webhook(workspace, REQUEST, "key")
    again = create_webhook(workspace, REQUEST, "key")
    assert created.secret is not None
    assert (again.id, again.secret) == (created.id, None)
    folder = secret_file(workspace.home, created.id).parent
    assert [file.name for file in folder.iterdir()] == [f"{created.id}.secret"]
    other = REQUEST.model_copy(update={"events": ("policy.adopted",)})
    with pytest.raises(ConflictError):
        create_webhook(workspace, other, "key")
    assert len(list(folder.iterdir())) == 1
    assert [webhook.id for webhook in page_of_webhooks(workspace, PageRequest()).items] == [created.id]


def test_a_url_that_may_not_be_reached_makes_none(workspace: Workspace) -> None:
    with pytest.raises(InputError):
        create_webhook(workspace, WebhookRequest(url="http://192.0.2.1:9/", events=("flag.raised",)))
    assert page_of_webhooks(workspace, PageRequest()).items == []


def test_a_deleted_webhook_loses_secret_and_waiting_messages(workspace: Workspace) -> None:
    created = create_webhook(workspace, REQUEST)
    add_message(workspace, created.id, "pending")
    assert show_webhook(workspace, created.id).deliveries == {"pending": 1}
    delete_webhook(workspace, created.id)
    assert not secret_file(workspace.home, created.id).exists()
    with pytest.raises(NotFoundError):
        show_webhook(workspace, created.id)


def test_only_what_nobody_tries_is_sent_again(workspace: Workspace) -> None:
    created = create_webhook(workspace, REQUEST)
    dead, pending = add_message(workspace, created.id, "dead"), add_message(workspace, created.id, "pending")
    with pytest.raises(ConflictError) as caught:
        redeliver(workspace, created.id, pending)
    assert caught.value.code == "delivery_not_dead"
    queued = redeliver(workspace, created.id, dead, "key")
    assert (queued.state, queued.attempts) == ("pending", 0)
    assert redeliver(workspace, created.id, dead, "key").id == dead
    with workspace.writing() as session:
        session.get_one(WebhookDelivery, pending).next_try_at = utc_now() - timedelta(hours=1)
    assert redeliver(workspace, created.id, pending).state == "pending"
    assert len(page_of_deliveries(workspace, created.id, PageRequest(), "pending").items) == 2
    with pytest.raises(NotFoundError):
        redeliver(workspace, create_webhook(workspace, REQUEST).id, dead)
