"""What a check answers."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class MatchedOwner(BaseModel):
    """A presumed owner of the matched item."""

    name: str
    url: str | None
    role: str
    basis: str
    confidence: float


class MatchedItem(BaseModel):
    """The training item most similar to the generation."""

    id: str
    dataset: str
    source_key: str
    sha256: str
    title: str | None
    licence: str
    source_url: str | None
    contested: bool
    owners: list[MatchedOwner]


class Metrics(BaseModel):
    """The suite on the pair; null stands for +infinity where `identical` is true."""

    ssim: float
    rmse: float = Field(description="0..1")
    psnr: float | None = Field(description="dB")
    fsim: float
    sre: float | None = Field(description="dB")
    sam: float = Field(description="degrees")
    uiq: float
    identical: bool


class RuleFinding(BaseModel):
    """What one published rule says of the generation; the policy's own rule decides, the others stand beside it."""

    rule: str
    verdict: Literal["fired", "not_fired", "undefined"]
    score: float | None
    threshold: float
    fires: Literal["above", "below", "at_most", "at_least"] = Field(description="Which side of the threshold fires.")
    reason: str | None = Field(description="Why the rule is undefined here.")
    item: str | None = Field(description="The item that the score belongs to.")
    source: str


class CheckResult(BaseModel):
    """The decision and everything it rests on, as recorded."""

    decision: Literal["clear", "flag", "undecided"]
    reason: str = Field(description="Stable code of why.")
    match: MatchedItem | None = None
    cluster: list[str] = Field(default=[], description="Items of the match's duplicate cluster, itself included.")
    metrics: Metrics | None = None
    rules: list[RuleFinding] = []
    rule: str | None = Field(default=None, description="The rule that the policy decides by.")
    score: float | None = Field(default=None, description="The generation's score by that rule.")
    p_value: float | None = Field(default=None, description="Share of the control at least this similar, never zero.")
    threshold: float | None = Field(default=None, description="Score above which the rule fires.")
    borderline_threshold: float | None = Field(default=None, description="Score above which a person looks.")
    requested_rate: float | None = None
    attained_rate: float | None = Field(default=None, description="False-positive rate that the control can attain.")
    control_size: int | None = None
    calibration_sha256: str | None = None
    manifest_root: str
    policy: str
    policy_sha256: str
    embedder: str
    index: dict[str, Any] = Field(description="Engine, exactness and cursor (log size) of the search.")


class CheckAnswer(CheckResult):
    """A check as answered: the result, where it is recorded, and the receipt (C2SP tlog-proof)."""

    id: str
    model: str
    generation_sha256: str
    receipt: str
