"""What may be said of a rights signal over REST, and what is answered."""

import base64
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from services.ingest.items.schemas import Moment, SignalAnswer, Url
from services.ingest.signals.observation import Observation
from shared.clock import utc_now
from shared.records.openings import Openings
from shared.schemas import StrictModel, Text

# Clocks of different machines differ; nothing later than this was seen.
CLOCK_SKEW = timedelta(minutes=5)


def _check_base64(text: str) -> str:
    base64.b64decode(text, validate=True)  # binascii.Error is a ValueError
    return text


# RFC 4648 section 4, without line breaks.
Encoded = Annotated[
    str, StringConstraints(min_length=4), AfterValidator(_check_base64), Field(json_schema_extra={"contentEncoding": "base64"})
]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]


class SignalObservation(StrictModel):
    """A rights signal seen after acquisition, with its bytes where they are at hand."""

    kind: Kind = Field(description="Such as `robots-txt`; the verdict of a kind that no reader knows has to be stated.")
    raw_base64: Encoded | None = Field(
        default=None, description="The bytes that carry it: image, page, robots.txt, or header fields one a line."
    )
    raw_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="Their digest, if not at hand.")
    url: Url | None = Field(default=None, description="What it is about; the item's source URL where it is not given.")
    user_agent: Text | None = Field(default=None, description="Who fetched it; ours where it is not given.")
    observed_at: Moment | None = Field(default=None, description="When it was seen; now where it is not given.")
    stated: Literal["allow", "deny", "unknown"] | None = Field(
        default=None, description="The verdict, where no reader of ours can find it."
    )
    statement: Text | None = Field(default=None, description="What a stated verdict rests on, in words that name nobody.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.raw_base64 is None) == (self.raw_sha256 is None):
            raise ValueError("expected either raw_base64 or raw_sha256")
        if self.observed_at is not None and self.observed_at > utc_now() + CLOCK_SKEW:
            raise ValueError("expected observed_at in the past, got a time to come")
        return self

    def raw(self) -> bytes | None:
        """Return the bytes, where they are given."""
        return None if self.raw_base64 is None else base64.b64decode(self.raw_base64)

    def to_observation(self, user_agent: str, trust_anchors_pem: str | None) -> Observation:
        """Turn the request into what was seen; `user_agent` is ours, and so are the certificates that we trust."""
        return Observation(
            kind=self.kind,
            observed_at=self.observed_at or utc_now(),
            raw=self.raw(),
            raw_sha256=self.raw_sha256,
            url=self.url,
            user_agent=self.user_agent or user_agent,
            stated=self.stated,
            statement=self.statement,
            trust_anchors_pem=trust_anchors_pem,
        )


class RecordedSignal(SignalAnswer):
    """A rights signal as recorded, and who says so."""

    basis: Literal["read", "stated"] = Field(description="Read by a reader of ours, or stated by whoever saw it.")


class HoldingManifest(BaseModel):
    """A manifest that holds an item."""

    id: str
    name: str
    purpose: str


class HoldingModel(BaseModel):
    """A model trained on a manifest that holds an item."""

    id: str
    name: str


class ItemSignals(BaseModel):
    """Every signal of an item, what they say together, and what holds the item already."""

    rights_verdict: Literal["allow", "deny", "unknown"]
    signals: list[RecordedSignal]
    manifests: list[HoldingManifest]
    models: list[HoldingModel]


class SignalRecorded(ItemSignals):
    """A signal as recorded, with the receipt of its entry."""

    signal: RecordedSignal
    receipt: str
    opening: Openings
