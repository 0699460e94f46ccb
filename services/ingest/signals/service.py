"""Rights signals as the API and the command line record and show them."""

from sqlmodel import Session

from services.ingest.signals.observation import basis_of, record_observation
from services.ingest.signals.schemas import (
    HoldingManifest,
    HoldingModel,
    ItemSignals,
    RecordedSignal,
    SignalObservation,
    SignalRecorded,
)
from shared.clock import format_moment
from shared.errors import InputError
from shared.fetching.fetcher import DEFAULT_USER_AGENT
from shared.idempotency import once
from shared.receipts import prove_entry
from shared.records.item_usage import load_holdings
from shared.records.items import SignalRecord, load_item, load_signals
from shared.workspace import Workspace

OPERATION = "signals.observe"


def observe_signal(
    workspace: Workspace, item_id: str, request: SignalObservation, idempotency_key: str | None = None
) -> SignalRecorded:
    """Record a signal that was seen after an item's registration, and return it with all that is known of the item's rights.

    Raises:
        NotFoundError: no item has this id.
        InputError: the bytes are more than an image may have, or the observation does not hold together.
        ConflictError: the key was used for another request.
    """
    user_agent = workspace.settings.fetch_user_agent or DEFAULT_USER_AGENT
    observation = request.to_observation(user_agent, workspace.trust_anchors_pem)
    max_bytes = workspace.limits.max_bytes
    if observation.raw is not None and len(observation.raw) > max_bytes:
        raise InputError(f"expected at most {max_bytes:,} bytes, got {len(observation.raw):,}", code="signal_too_large")
    effect = once(
        workspace,
        OPERATION,
        idempotency_key,
        {"item": item_id, "seen": request.model_dump(mode="json")},
        lambda session: str(record_observation(session, item_id, observation).entry_id),
    )
    return _build_recorded(workspace, item_id, int(effect.resource_id))


def show_signals(workspace: Workspace, item_id: str) -> ItemSignals:
    """Return every signal of an item, what they say together, and what holds the item already.

    Raises:
        NotFoundError: no item has this id.
    """
    with workspace.reading() as session:
        return _build_item_signals(session, item_id)


def _build_recorded(workspace: Workspace, item_id: str, entry_id: int) -> SignalRecorded:
    proof = prove_entry(workspace, entry_id)
    with workspace.reading() as session:
        item_signals = _build_item_signals(session, item_id)
        signal = _build_signal(session.get_one(SignalRecord, entry_id))
    return SignalRecorded(**dict(item_signals), signal=signal, **proof)


def _build_item_signals(session: Session, item_id: str) -> ItemSignals:
    item, holdings = load_item(session, item_id), load_holdings(session, item_id)
    return ItemSignals(
        rights_verdict=item.rights_verdict,
        signals=[_build_signal(signal) for signal in load_signals(session, item_id)],
        manifests=[
            HoldingManifest(id=manifest.id, name=manifest.name, purpose=manifest.purpose) for manifest in holdings.manifests
        ],
        models=[HoldingModel(id=model.id, name=model.name) for model in holdings.models],
    )


def _build_signal(signal: SignalRecord) -> RecordedSignal:
    fields = signal.model_dump(include={"kind", "verdict", "raw_sha256", "detail"})
    return RecordedSignal(**fields, observed_at=format_moment(signal.observed_at), basis=basis_of(signal))
