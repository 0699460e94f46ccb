"""The outbox: what is committed has its message, in its webhook's lane."""

from sqlmodel import select

from services.output_gate.checks.service import check_generation
from services.output_gate.webhooks.outbox import DELIVERY, lane_of
from shared.records.jobs import Job
from shared.records.webhooks import Webhook, WebhookDelivery
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld


def test_each_webhook_gets_the_events_that_it_wants(world: MemoryWorld) -> None:
    with world.workspace.writing() as session:
        session.add(Webhook(id="flags", url="https://example.org/", events=["flag.raised"]))
        session.add(Webhook(id="both", url="https://example.org/", events=["check.decided", "flag.raised"]))
        session.add(Webhook(id="none", url="https://example.org/", events=["policy.adopted"]))
    check = check_generation(world.gate, "model-a", png(1))
    with world.workspace.reading() as session:
        messages = session.exec(select(WebhookDelivery)).all()
        jobs = session.exec(select(Job)).all()
    assert sorted((message.webhook_id, message.event) for message in messages) == [
        ("both", "check.decided"),
        ("both", "flag.raised"),
        ("flags", "flag.raised"),
    ]
    assert {job.kind for job in jobs} == {DELIVERY}
    assert {job.lane for job in jobs} == {lane_of("both"), lane_of("flags")}
    [decided] = [message.payload for message in messages if message.event == "check.decided"]
    assert decided["data"]["check_id"] == check.id
    assert "Olga" not in str([message.payload for message in messages])
