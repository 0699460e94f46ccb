"""Webhooks as they are asked for and answered."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from services.output_gate.webhooks.outbox import Event
from shared.schemas import StrictModel

Url = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^https?://[^\s\x00]+$", max_length=2000)]


def _each_once(events: tuple[Event, ...]) -> tuple[Event, ...]:
    if len(set(events)) != len(events):
        raise ValueError("expected each event once")
    return events


class WebhookRequest(StrictModel):
    """Who wants to be told of what."""

    url: Url = Field(description="Where messages are posted: https, or an address in an allowed network.")
    events: Annotated[tuple[Event, ...], AfterValidator(_each_once)] = Field(
        min_length=1, fail_fast=True, description="Of which events."
    )


class WebhookAnswer(BaseModel):
    """A webhook, and how its messages fare."""

    id: str
    url: str
    events: list[Event]
    state: Literal["active", "gone"] = Field(description="`gone`: the receiver answered 410 and gets nothing more.")
    created_at: str
    deliveries: dict[str, int] = Field(description="How many messages are in each state.")


class CreatedWebhook(WebhookAnswer):
    """A webhook as created, with its secret."""

    secret: str | None = Field(
        description="Signs every message (Standard Webhooks, `v1`). Shown this once; null where the request is repeated."
    )


class DeliveryAnswer(BaseModel):
    """One message and what came of it."""

    id: str = Field(description="The message's `webhook-id`, the same for every try.")
    event: Event
    state: Literal["pending", "delivered", "dead", "dropped"] = Field(
        description="`dead`: no try is left; `dropped`: its webhook was deleted before it was delivered."
    )
    attempts: int
    last_status: int | None
    last_error: str | None = Field(description="Code of what went wrong at the last try.")
    created_at: str
    tried_at: str | None
    next_try_at: str | None
    payload: dict[str, Any]
