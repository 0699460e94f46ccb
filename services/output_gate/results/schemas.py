"""What a check comes to: the decision and everything it rests on, as recorded and as answered."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field, computed_field

from shared.ledger.body_fields import MatchKind

Outcome = Literal["clear", "flag", "undecided"]


class MatchedOwner(BaseModel):
    """A presumed owner of a matched item."""

    party_id: str
    name: str
    url: str | None
    role: str
    basis: str
    confidence: float


class RecordedItem(BaseModel):
    """What is read again of a matched item on record."""

    id: str
    dataset: str
    source_key: str
    sha256: str
    title: str | None
    licence: str


class MatchedItem(RecordedItem):
    """A training item that the generation resembles."""

    licence_url: str | None
    source_url: str | None
    state: str = Field(description="`active`, or `withdrawn` when the check was made.")
    contested: bool = Field(description="Whether items of these bytes name different owners.")
    owners: list[MatchedOwner]


class RecordedClusterOwner(BaseModel):
    """An owner of the duplicate cluster as recorded: the name stays with the party, where it can be erased."""

    party_id: str


class ClusterOwner(RecordedClusterOwner):
    """Somebody whom items of the match's duplicate cluster name as owner."""

    name: str
    url: str | None
    items: int = Field(description="How many items of the cluster name them.")
    contests: bool = Field(description="Whether near duplicates name them and no item of the match's bytes does.")


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


class KindFigures(BaseModel):
    """What the kind of a match rests on: how the item lies in the generation, and what agrees there."""

    agreement: float = Field(description="Of the drawings, by what is drawn, -1..1; below 0.5 no kind is told.")
    contradicted: float = Field(description="Share of what is drawn within the item that is something else; from 0.05 `part`.")
    recoloured: float = Field(description="Share of the windows that agree in drawing only; from 0.04 other colours.")
    shown: float = Field(description="Share of the item's area that is shown; below 0.9 cropped, below 0.5 `part`.")
    turned_degrees: float = Field(description="Either way; above 2 turned.")
    scale: float = Field(description="Size of the item in the generation, 1 as it was.")
    mirrored: bool


class RuleFinding(BaseModel):
    """What one published rule says of the generation; the policy's own rules decide, the others stand beside them."""

    rule: str
    verdict: Literal["fired", "not_fired", "undefined"]
    score: float | None
    threshold: float
    fires: Literal["above", "below", "at_most", "at_least"] = Field(description="Which side of the threshold fires.")
    reason: str | None = Field(description="Why the rule is undefined here.")
    item: str | None = Field(description="The item that the score belongs to.")
    source: str
    kind: MatchKind | None = Field(
        default=None, description="In which way the generation shows that item, where it was laid over the generation."
    )


class PlacedWork(BaseModel):
    """A registered work that the generation shows, whole or in part, and where."""

    item: str
    cluster: list[str] = Field(
        default=[], description="Items of the work's duplicate cluster, itself included; empty in older checks."
    )
    fired: bool = Field(description="Whether its score alone exceeds the threshold of the rule of works.")
    score: float
    p_value: float = Field(description="As the decision's: times the rules of the policy and the ways of showing the file.")
    kind: MatchKind
    region: list[tuple[float, float]] = Field(
        description="Corners of where it shows, in order: x and y as shares of the generation's width and height, from the "
        "upper left. Empty where the place is not known."
    )
    share_of_generation: float = Field(description="Of the generation's area, 0..1.")
    share_of_item: float = Field(description="Of the work's area, 0..1.")
    agreement: float = Field(description="Of what is drawn in the windows compared there, by content, 0..1.")
    features: int = Field(description="Local features that agree with the work's place.")
    placement: list[float] = Field(
        description="How the work lies in the generation: a, b, c, d, e, f with x' = a·x + b·y + c and y' = d·x + e·y + f; "
        "x, y are shares of the work's width and height, x', y' of the generation's."
    )


class RecordedWork(PlacedWork):
    """A work as it is read from its record."""

    matched: RecordedItem


class ShownWork(RecordedWork):
    """A work with what is on record of it."""

    matched: MatchedItem


class JudgedVariant(BaseModel):
    """Which way of showing the file decided, where it has several: frames or pages, and transparency over backgrounds."""

    frame: int = Field(description="The frame or page that decided, from 0.")
    background: Literal["white", "black", "none"] = Field(
        description="What its transparency was laid over; `none`: the colours as they stand under the alpha channel."
    )
    judged: int = Field(description="How many ways that differ were judged; they share the rates, and multiply the p-value.")


class RecordedResult(BaseModel):
    """What a check came to, as it is read from its record: without the names of people. `CheckResult` is the whole of it."""

    decision: Outcome
    reason: str = Field(description="Stable code of why.")
    matches: Sequence[RecordedItem] = []
    cluster: list[str] = Field(default=[], description="Items of the match's duplicate cluster, itself included.")
    cluster_owners: Sequence[RecordedClusterOwner] = []
    kind: MatchKind | None = Field(
        default=None,
        description="In which way the generation shows the match: `whole`, `transformed` (mirrored, turned, cropped, scaled), "
        "`part`, `recoloured`; `unspecified` where the evidence does not tell. Null without a match.",
    )
    kind_figures: KindFigures | None = Field(default=None, description="What the kind rests on, where it was measured.")
    metrics: Metrics | None = Field(default=None, description="The suite on the generation and the first match.")
    rules: list[RuleFinding] = []
    works: Sequence[RecordedWork] = []
    unexamined: float | None = Field(
        default=None,
        description="Share of the generation's area in which something is drawn that was not examined, 0..1; null where whole "
        "pictures were not compared.",
    )
    rule: str | None = Field(default=None, description="The rule that decided: of several, that with the smallest p-value.")
    score: float | None = Field(default=None, description="The generation's score by that rule.")
    p_value: float | None = Field(
        default=None,
        description="Share of the control at least this similar, never zero; times the rules of the policy "
        "and the ways of showing the file that were judged.",
    )
    threshold: float | None = Field(default=None, description="Score above which the rule fires.")
    borderline_threshold: float | None = Field(default=None, description="Score above which a person looks.")
    variant: JudgedVariant | None = Field(
        default=None,
        description="Which frame and background decided. Null for a file of one frame without transparency, and where nothing "
        "was compared.",
    )
    requested_rate: float | None = None
    attained_rate: float | None = Field(default=None, description="False-positive rate that the control can attain.")
    control_size: int | None = None
    calibration_sha256: str | None = None
    manifest_root: str
    policy: str
    policy_sha256: str
    embedder: str
    index: dict[str, Any] = Field(
        description="What the search rests on: engine, its version, exact or not, `hnsw_ef`, cursor (log size)."
    )

    @property
    def item_id(self) -> str | None:
        """Id of the item that the score belongs to: the first of the matches."""
        return self.matches[0].id if self.matches else None

    @property
    def further_works(self) -> list[RecordedWork]:
        """Works that fire and are neither the match nor a duplicate of it, or of one before: each has a flag of its own."""
        further: list[RecordedWork] = []
        flagged = {self.item_id, *self.cluster}
        for work in self.works:
            if work.fired and work.item not in flagged:
                further.append(work)
                flagged |= {work.item, *work.cluster}
        return further


class CheckResult(RecordedResult):
    """The decision and everything it rests on."""

    matches: list[MatchedItem] = Field(
        default=[], description="The item that the score belongs to, and others of its duplicate cluster, at most 20."
    )
    works: list[ShownWork] = Field(
        default=[],
        description="Works that the generation shows, likeliest first, where the policy asks for the rule of works: those "
        "that fire, or the likeliest one. What lies under one of them is not named again.",
    )
    cluster_owners: list[ClusterOwner] = Field(
        default=[],
        description="Whom the items of that cluster name, the match's owners first; empty without duplicates, or where clear.",
    )

    @computed_field(description="The item that the score belongs to: the first of the matches.")  # type: ignore[prop-decorator]
    @property
    def match(self) -> MatchedItem | None:
        """The item that the score belongs to."""
        return self.matches[0] if self.matches else None
