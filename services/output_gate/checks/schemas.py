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


class CheckResult(BaseModel):
    """The decision and everything it rests on, as recorded."""

    decision: Literal["clear", "flag", "undecided"]
    reason: str = Field(description="Stable code of why.")
    match: MatchedItem | None = None
    metrics: Metrics | None = None
    p_value: float | None = Field(default=None, description="Share of the control at least this similar, never zero.")
    threshold: float | None = Field(default=None, description="Best SSIM above which a generation is flagged.")
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
