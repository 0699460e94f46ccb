"""Raising a flag: which owners it names, with what part of which amount, and what holds it.

Rules, in order:

1. The amount is the tariff's of the policy that the check was decided by; without a tariff it is null until it is assessed.
2. An item whose ownership is contested, by equal bytes or by near duplicates, or whose owner nobody knows, holds the flag:
   nothing is paid before a release.
3. A check raises one flag for the item that decided, and one for each further work that fires: each with the p-value, the
   kind and the duplicate cluster of its own. The entry that calls for them says how many.
4. Flag, entry, place in the review queue and messages are of one transaction, the caller's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from services.output_gate.flags.shares import build_shares
from services.output_gate.policy.policy import PolicyContent
from services.output_gate.results.schemas import RecordedResult
from services.output_gate.webhooks.outbox import queue_event
from shared.clock import utc_now
from shared.errors import CorruptStateError
from shared.ids import new_id
from shared.ledger.body_fields import UNSPECIFIED, MatchKind
from shared.ledger.entries import build_entry
from shared.ledger.output_bodies import FlagRaised, OwnerShare
from shared.records.checks import Check
from shared.records.cluster_owners import Cluster, are_contested_clusters
from shared.records.entry_rows import append_and_add
from shared.records.flags import Flag
from shared.records.item_owners import is_contested, load_owners
from shared.records.items import Item, load_item
from shared.records.reviews import Review

CONTESTED, CONTESTED_CLUSTER, UNKNOWN_OWNER = "contested_ownership", "contested_cluster", "owner_unknown"


@dataclass(frozen=True)
class _Finding:
    """An item that a generation shows, with what its flag rests on."""

    item_id: str
    p_value: float
    kind: MatchKind
    cluster: Sequence[str]


def count_further(result: RecordedResult) -> dict[str, Any]:
    """Return what the entry that calls for a check's flags says of those beside the first; nothing where there are none."""
    items = [work.item for work in result.further_works]
    return {"further_flags": len(items), "further_items": items} if items else {}


def raise_flags(session: Session, check: Check, result: RecordedResult, content: PolicyContent) -> list[Flag]:
    """Raise the flags of a check, the deciding item's first, in the caller's transaction, and queue them for review.

    Args:
        session: an open transaction; nothing is committed here.
        check: which check.
        result: what it came to, with a matched item and a p-value.
        content: the policy that the check was decided by.

    Raises:
        CorruptStateError: the check names no item.
    """
    if result.item_id is None or result.p_value is None:
        raise CorruptStateError(f"check {check.id}: expected a matched item to raise a flag for, got none")
    # Checks that were decided before there were kinds say none.
    deciding = _Finding(result.item_id, result.p_value, result.kind or UNSPECIFIED, result.cluster)
    further = [_Finding(work.item, work.p_value, work.kind, work.cluster) for work in result.further_works]
    return [_raise_flag(session, check, finding, content) for finding in (deciding, *further)]


def _raise_flag(session: Session, check: Check, finding: _Finding, content: PolicyContent) -> Flag:
    item = load_item(session, finding.item_id)
    amount = content.tariff.amount_for(finding.p_value, finding.kind) if content.tariff else None
    shares = presumed_shares(session, item.id, content, amount)
    currency = content.tariff.currency if content.tariff else None
    held = find_hold(session, item, finding.cluster, shares)
    flag_id, now = new_id(), utc_now()
    body = FlagRaised(
        check_id=check.id,
        item=item.id,
        owners=[OwnerShare(**share) for share in shares],
        currency=currency,
        amount_minor=amount,
        held=held,
        kind=finding.kind,
    )
    flag = append_and_add(
        session,
        build_entry(body, at=now, subject={"flag": flag_id, "check": check.id}),
        lambda entry_id: Flag(
            id=flag_id,
            check_id=check.id,
            item_id=item.id,
            shares=shares,
            currency=currency,
            amount_minor=amount,
            held=held,
            kind=finding.kind,
            entry_id=entry_id,
            created_at=now,
        ),
    )
    session.add(Review(subject_id=flag.id, kind="flag", check_id=check.id, opened_at=flag.created_at))
    session.flush()
    queue_event(session, "flag.raised", build_event_data(flag), flag.created_at)
    return flag


def presumed_shares(session: Session, item_id: str, content: PolicyContent, amount_minor: int | None) -> list[dict[str, Any]]:
    """Divide a flag among those who are presumed the item's owners by now."""
    owners = [(party.id, owner.confidence) for owner, party in load_owners(session, [item_id])[item_id]]
    return build_shares(owners, content.shares, amount_minor)


def find_hold(session: Session, item: Item, cluster: Sequence[str], shares: list[dict[str, Any]]) -> str | None:
    """Return the code of what holds a flag, or None; `cluster` are the ids of the item's duplicate cluster."""
    if not shares:
        return UNKNOWN_OWNER
    if is_contested(session, item.blob_sha256):
        return CONTESTED
    [contested] = are_contested_clusters(session, [Cluster(item.id, cluster)])
    return CONTESTED_CLUSTER if contested else None


def build_event_data(flag: Flag) -> dict[str, Any]:
    """Build what a message says of a flag."""
    fields = flag.model_dump(include={"check_id", "item_id", "kind", "state", "currency", "amount_minor", "held"})
    return fields | {"flag_id": flag.id}
