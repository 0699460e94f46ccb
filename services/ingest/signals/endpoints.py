"""Rights signals over REST: what was seen of an item, and what is seen later."""

from fastapi import APIRouter

from services.ingest.items.access import NEEDS_VISIBILITY
from services.ingest.signals.schemas import ItemSignals, SignalObservation, SignalRecorded
from services.ingest.signals.service import observe_signal, show_signals
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace
from shared.http.idempotency import Key
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/items", tags=["signals"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


@router.get("/{item_id}/signals", dependencies=NEEDS_VISIBILITY, summary="List an item's rights signals")
def get_signals(workspace: CurrentWorkspace, item_id: str) -> ItemSignals:
    """Answer with every signal seen of an item, what they say together, and which manifests and models hold it already."""
    return show_signals(workspace, item_id)


@router.post(
    "/{item_id}/signals",
    status_code=201,
    dependencies=needs("items:write"),
    summary="Record a rights signal that was seen later",
)
def create_signal(
    workspace: CurrentWorkspace, item_id: str, body: SignalObservation, idempotency_key: Key = None
) -> SignalRecorded:
    """Log what was seen and judge the item anew: the most restrictive signal wins, and an error is unknown.

    The verdict is read from the bytes where they are given and their kind is known; otherwise it has to be stated. A denial
    keeps the item out of every manifest sealed from now on; the answer names those, and the models, that hold it already.
    """
    return observe_signal(workspace, item_id, body, idempotency_key)
