"""Observations as the service and the command line record them: once for each request, and what is answered."""

from services.ingest.signals.observation import observe
from services.ingest.signals.schemas import SignalObservation, SignalRecorded, build_item_signals, build_signal
from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError
from shared.fetching.fetcher import DEFAULT_USER_AGENT
from shared.records.idempotency import bind_effect, find_effect
from shared.records.items import SignalRecord
from shared.workspace import Workspace

OPERATION = "signals.observe"


def record_once(workspace: Workspace, item_id: str, body: SignalObservation, key: str | None) -> int:
    """Record an observation, once for each key; return the id of its entry.

    Raises:
        NotFoundError: no item has this id.
        InputError: the bytes are more than an image may have, or the observation does not hold together.
        ConflictError: the key was used for another request.
    """
    user_agent = workspace.settings.fetch_user_agent or DEFAULT_USER_AGENT
    seen = body.to_observation(user_agent, workspace.trust_anchors_pem)
    if seen.raw is not None and len(seen.raw) > workspace.limits.max_bytes:
        most = workspace.limits.max_bytes
        raise InputError(f"expected at most {most:,} bytes, got {len(seen.raw):,}", code="signal_too_large")
    digest = sha256_hex(canonical_json({"item": item_id, "seen": body.model_dump(mode="json")}))
    with workspace.writing() as session:
        made_before = find_effect(session, OPERATION, key, digest)
        if made_before is not None:
            return int(made_before)
        entry_id = observe(session, item_id, seen).entry_id
        bind_effect(session, OPERATION, key, digest, str(entry_id))
    return entry_id


def build_recorded(workspace: Workspace, item_id: str, entry_id: int) -> SignalRecorded:
    """Build the answer to a recorded observation."""
    receipt = workspace.log.receipt(entry_id)
    with workspace.reading() as session:
        known = build_item_signals(session, item_id)
        recorded = build_signal(session.get_one(SignalRecord, entry_id))
    return SignalRecorded(**dict(known), signal=recorded, receipt=receipt)
