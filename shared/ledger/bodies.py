"""The body of each type of entry: one model a type, strict, without extra fields.

Rules, in order:

1. A field that may be unknown is nullable and still present, so that its absence is a statement.
2. Times are RFC 3339 UTC with milliseconds, digests 64 lower-case hexadecimal digits, sizes carry their unit.
3. The log shows the fields that a type names as `clear`, and only commits to every other one: what describes a thing is for
   who may see the thing. Clear are ids of other things, digests, and what others count: decisions, verdicts, outcomes, sizes
   of manifests. A digest of what can be guessed, such as a policy or a short statement, is hidden like its content.
4. No personal data: people stand here as opaque party ids; their names are commitments of the entry.
5. A body's fields change only with the entry's version; one that came later has a default, which is what its absence says.
6. What the gate and those who work with its flags do stands in `output_bodies`.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.ledger.body_fields import Count, Day, EntryBody, Licence, Name, Part, Positive, Sha256, Share, Timestamp
from shared.ledger.output_bodies import OUTPUT_BODIES


class ArchivalLink(Part):
    """Where the item was found and where a copy of that place is kept: a Robust Link."""

    original_url: Name
    snapshot_url: Name | None
    version_date: Day | None
    sha256: Sha256
    state: Name


class Ownership(Part):
    """A presumed owner, by party id, with the basis of the presumption."""

    party: Name
    role: Name
    basis: Name
    confidence: Share


class DiligenceRecord(Part):
    """One search for the owner and what came of it."""

    source: Name
    searched_at: Timestamp
    jurisdiction: Name | None
    result: Name
    expires_at: Timestamp | None


class ItemRegistered(EntryBody):
    """A training item as acquired from one source; its id and its blob's SHA-256 are the entry's subject.

    `frames` is how many pictures its file holds, where more than one; older entries do not say.
    """

    entry_type: ClassVar[str] = "item.registered"

    dataset: Name
    title: str | None
    media_type: Name
    width_px: Positive
    height_px: Positive
    size_bytes: Positive
    licence: Licence
    licence_url: Name | None
    acquired_at: Timestamp
    acquired_from: Name | None
    source_url: Name | None
    archival_link: ArchivalLink | None
    owners: list[Ownership]
    acquirer: Name
    diligence: list[DiligenceRecord]
    training_permission: Name | None
    frames: Positive | None = None


class SignalObserved(EntryBody):
    """A machine-readable rights statement seen at acquisition, and what it says of training."""

    entry_type: ClassVar[str] = "signal.observed"
    clear: ClassVar[frozenset[str]] = frozenset({"verdict"})

    kind: Name
    verdict: Literal["allow", "deny", "unknown"]
    raw_sha256: Sha256
    detail: dict[str, Any]
    observed_at: Timestamp


class ItemAmended(EntryBody):
    """A change to an item's record; the entry before it stays as it is. Fields that did not change are null."""

    entry_type: ClassVar[str] = "item.amended"

    reason: Name
    title: Name | None
    licence: Licence | None
    licence_url: Name | None
    snapshot_url: Name | None
    version_date: Day | None
    owners: list[Ownership] | None


class ItemWithdrawn(EntryBody):
    """An item that no later manifest may hold; what was sealed and trained before is unchanged."""

    entry_type: ClassVar[str] = "item.withdrawn"

    reason: Name


class ArchiveVerified(EntryBody):
    """What a check of an item's archival link found; the reason says why nothing was learnt, in codes."""

    entry_type: ClassVar[str] = "archive.verified"
    clear: ClassVar[frozenset[str]] = frozenset({"expected_sha256", "state"})

    original_url: Name
    snapshot_url: Name | None
    expected_sha256: Sha256
    state: Literal["verified", "drifted", "missing", "unchecked"]
    reason: Name | None


class ArchiveCaptured(EntryBody):
    """A response of an item's original, kept in our own web archive (`locator`) or a public one (`snapshot_url`).

    It says of which day the response is, and whether its bytes are those acquired.
    """

    entry_type: ClassVar[str] = "archive.captured"
    clear: ClassVar[frozenset[str]] = frozenset({"payload_sha256", "matches"})

    original_url: Name
    locator: Name | None
    snapshot_url: Name | None
    version_date: Day
    payload_sha256: Sha256
    matches: bool


class PartyErased(EntryBody):
    """A person's name and the openings of all commitments to it were deleted; the commitments stay and say nothing."""

    entry_type: ClassVar[str] = "party.erased"
    clear: ClassVar[frozenset[str]] = frozenset({"commitments"})

    reason: Name
    commitments: Count


class DatasetSealed(EntryBody):
    """A manifest: a set of items sealed under one Merkle root."""

    entry_type: ClassVar[str] = "dataset.sealed"
    clear: ClassVar[frozenset[str]] = frozenset({"purpose", "size", "root"})

    name: Name
    purpose: Literal["train", "control"]
    size: Count
    root: Sha256


class ModelTrained(EntryBody):
    """Weights and the sealed manifest that they were trained on."""

    entry_type: ClassVar[str] = "model.trained"
    clear: ClassVar[frozenset[str]] = frozenset({"manifest_id", "manifest_root", "weights_sha256"})

    name: Name
    manifest_id: Name
    manifest_root: Sha256
    weights_sha256: Sha256
    config_sha256: Sha256
    code_version: Name
    updates: Count
    seed: int | None


class ModelImported(EntryBody):
    """Weights trained elsewhere, and the manifest that their owner says they were trained on."""

    entry_type: ClassVar[str] = "model.imported"
    clear: ClassVar[frozenset[str]] = frozenset({"manifest_id", "manifest_root", "weights_sha256"})

    name: Name
    manifest_id: Name
    manifest_root: Sha256
    weights_sha256: Sha256
    config_sha256: Sha256
    code_version: Name
    updates: Count | None
    seed: int | None


# Cooper and Grimmelmann 2024: a copy in an ordinary generation, or one obtained on purpose.
Attack = Literal["regurgitation", "extraction"]


class AuditCompleted(EntryBody):
    """What an audit of a model found, against an equal-size control."""

    entry_type: ClassVar[str] = "audit.completed"
    clear: ClassVar[frozenset[str]] = frozenset({"model_id", "control_manifest_id", "report_sha256"})

    model_id: Name
    control_manifest_id: Name
    generations: Count
    copies: Count
    distinct_items_copied: Count
    threshold: float
    attainable_rate: Share
    report_sha256: Sha256
    attack: Attack = "regurgitation"


class FailedControl(Part):
    """A control of an audit that came out wrong, and by which rule."""

    control: Name
    rule: Name


class AuditFailed(EntryBody):
    """An audit whose controls came out wrong: its figures are void, so none of them stands here."""

    entry_type: ClassVar[str] = "audit.failed"
    clear: ClassVar[frozenset[str]] = frozenset({"model_id", "control_manifest_id", "report_sha256"})

    model_id: Name
    control_manifest_id: Name
    generations: Count
    failed_controls: Annotated[list[FailedControl], Field(min_length=1)]
    report_sha256: Sha256
    attack: Attack = "regurgitation"


class StudyCompleted(EntryBody):
    """Many models of slices of one data set, audited alike; the report's digest covers every figure of the curve."""

    entry_type: ClassVar[str] = "study.completed"
    clear: ClassVar[frozenset[str]] = frozenset({"audits", "report_sha256"})

    name: Name
    dataset: Name
    config_sha256: Sha256
    audits: list[Name]
    report_sha256: Sha256


class DiligenceSearched(EntryBody):
    """A search for an item's owner made after its registration; one search of many items has one id.

    Who searched stands here as a party id; that name, the query and the note are commitments of the entry.
    """

    entry_type: ClassVar[str] = "diligence.searched"
    clear: ClassVar[frozenset[str]] = frozenset({"search"})

    search: Name
    sources: Annotated[list[Name], Field(min_length=1)]
    work_category: Name
    searched_by: Name
    searched_at: Timestamp
    jurisdiction: Name | None
    result: Literal["owner_located", "owner_identified", "owner_not_found", "inconclusive"]
    expires_at: Timestamp | None


class KeyCreated(EntryBody):
    """An API key: what it may do, for which party it speaks, until when; `by` is the key that made it, null for a command."""

    entry_type: ClassVar[str] = "key.created"

    scopes: Annotated[list[Name], Field(min_length=1)]
    party: Name | None
    expires_at: Timestamp | None
    by: Name | None


class KeyRevoked(EntryBody):
    """An API key is no longer valid; `by` is the key that revoked it, null for a command."""

    entry_type: ClassVar[str] = "key.revoked"

    by: Name | None


_INPUT_AND_AUDIT_BODIES: tuple[type[EntryBody], ...] = (
    ItemRegistered,
    SignalObserved,
    ItemAmended,
    ItemWithdrawn,
    PartyErased,
    ArchiveVerified,
    ArchiveCaptured,
    DatasetSealed,
    ModelTrained,
    ModelImported,
    AuditCompleted,
    AuditFailed,
    StudyCompleted,
    DiligenceSearched,
    KeyCreated,
    KeyRevoked,
)

BODY_BY_TYPE: dict[str, type[EntryBody]] = {body.entry_type: body for body in (*_INPUT_AND_AUDIT_BODIES, *OUTPUT_BODIES)}
