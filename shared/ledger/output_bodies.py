"""The bodies of the output duty: policies, checks and their reviews, and what becomes of a flag.

Rules, in order:

1. The rules of `bodies` hold here too.
2. Who acts stands here by role; the name of who acted, and notes that may hold names, are commitments of the entry.
   Completeness is counted from what the log shows: decision and reason code, verdict, how many flags they call for, answer,
   outcome, and flag by check.
3. An owner's share has at most six decimals; the shares of a flag sum to exactly 1, their amounts to exactly the flag's.
4. Amounts are whole numbers of the currency's minor unit; null where no tariff says one.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.ledger.body_fields import Amount, Count, Currency, EntryBody, MatchKind, Name, Part, Positive, Sha256, Share


class OwnerShare(Part):
    """What part of a flag is an owner's."""

    party: Name
    share: Share
    amount_minor: Amount | None = None


class PolicyAdopted(EntryBody):
    """The policy that decisions are made under from now on; `content` is all that it says (older entries have its digest)."""

    entry_type: ClassVar[str] = "policy.adopted"

    name: Name
    version: Name
    sha256: Sha256
    content: dict[str, Any] | None = None


class MatchKindFigures(Part):
    """What the kind of a match rests on; `shared.matching.copy_detection.match_classification` says each."""

    agreement: float
    contradicted: Share
    recoloured: Share
    shown: Share
    turned_degrees: float
    scale: float
    mirrored: bool


class CheckDecided(EntryBody):
    """One decision of the gate on one generation; entries before there were kinds say none."""

    entry_type: ClassVar[str] = "check.decided"
    clear: ClassVar[frozenset[str]] = frozenset(
        {
            "model_id",
            "manifest_root",
            "generation_sha256",
            "decision",
            "reason",
            "calibration_sha256",
            "index_cursor",
            "further_flags",
        }
    )

    model_id: Name
    manifest_root: Sha256
    generation_sha256: Sha256
    decision: Literal["clear", "flag", "undecided"]
    reason: Name | None
    item: Name | None
    rule: Name | None
    score: float | None
    p_value: Share | Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$")] | None
    metrics: dict[str, float | None]
    policy_sha256: Sha256
    calibration_sha256: Sha256 | None
    embedder: Name
    index_cursor: Count
    kind: MatchKind | None = None
    kind_figures: MatchKindFigures | None = None
    # Works beside the deciding item that a flag is raised for as well; entries that call for one flag alone say none.
    further_flags: Positive | None = None
    further_items: list[Name] | None = None


class CheckReviewed(EntryBody):
    """What a reviewer said of a check that was too close to decide: `confirm`, it is a copy; `overturn`, it is none."""

    entry_type: ClassVar[str] = "check.reviewed"
    clear: ClassVar[frozenset[str]] = frozenset({"verdict", "further_flags"})

    role: Name
    verdict: Literal["confirm", "overturn"]
    reason: Name | None
    # Where it is confirmed: as in `CheckDecided`.
    further_flags: Positive | None = None
    further_items: list[Name] | None = None


class FlagRaised(EntryBody):
    """A fired compensation flag: the owners that it names, the kind of the match, the amount by the tariff, what holds it."""

    entry_type: ClassVar[str] = "flag.raised"
    clear: ClassVar[frozenset[str]] = frozenset({"check_id"})

    check_id: Name
    item: Name
    owners: list[OwnerShare]
    currency: Currency | None = None
    amount_minor: Amount | None = None
    held: Name | None = None
    kind: MatchKind | None = None


class FlagReviewed(EntryBody):
    """What a reviewer said of a flag; one that is overturned has ended."""

    entry_type: ClassVar[str] = "flag.reviewed"
    clear: ClassVar[frozenset[str]] = frozenset({"verdict"})

    role: Name
    verdict: Literal["confirm", "overturn"]
    reason: Name | None


class FlagNotified(EntryBody):
    """The owners were told of the flag."""

    entry_type: ClassVar[str] = "flag.notified"

    role: Name
    reason: Name | None


class FlagAnswered(EntryBody):
    """What the owners answered; the role says who put it on record."""

    entry_type: ClassVar[str] = "flag.answered"
    clear: ClassVar[frozenset[str]] = frozenset({"answer"})

    role: Name
    answer: Literal["accepted", "disputed"]
    reason: Name | None


class FlagAssessed(EntryBody):
    """An amount in place of the tariff's, with its reason and each owner's part."""

    entry_type: ClassVar[str] = "flag.assessed"

    role: Name
    reason: Name
    currency: Currency
    amount_minor: Amount
    owners: list[OwnerShare]


class FlagHeld(EntryBody):
    """Nothing may be paid on the flag until it is released; `held` is the code of why."""

    entry_type: ClassVar[str] = "flag.held"

    role: Name
    reason: Name
    held: Name


class FlagReleased(EntryBody):
    """What held the flag holds it no longer; the owners as they are presumed by now, with their shares."""

    entry_type: ClassVar[str] = "flag.released"

    role: Name
    reason: Name
    released: Name
    owners: list[OwnerShare]


class FlagResolved(EntryBody):
    """The end of a flag: its amount was paid, or waived for a reason."""

    entry_type: ClassVar[str] = "flag.resolved"
    clear: ClassVar[frozenset[str]] = frozenset({"outcome"})

    role: Name
    outcome: Literal["paid", "waived"]
    reason: Name | None
    currency: Currency | None
    amount_minor: Amount | None


OUTPUT_BODIES: tuple[type[EntryBody], ...] = (
    PolicyAdopted,
    CheckDecided,
    CheckReviewed,
    FlagRaised,
    FlagReviewed,
    FlagNotified,
    FlagAnswered,
    FlagAssessed,
    FlagHeld,
    FlagReleased,
    FlagResolved,
)
