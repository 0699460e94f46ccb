"""Signals seen after registration: recorded once for each key, the item judged anew."""

import base64

import pytest

from services.ingest.signals.schemas import SignalObservation
from services.ingest.signals.service import observe_signal, show_signals
from shared.errors import ConflictError, InputError, NotFoundError
from shared.ledger.verify import verify_receipt
from shared.workspace import Workspace
from tests.support.factories import png, register

ROBOTS = base64.b64encode(b"User-agent: *\nDisallow: /").decode()


def test_a_denial_is_recorded_and_judges_the_item(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    assert show_signals(workspace, item.id).rights_verdict == "unknown"
    recorded = observe_signal(workspace, item.id, SignalObservation(kind="robots-txt", raw_base64=ROBOTS))
    assert (recorded.rights_verdict, recorded.signal.verdict, recorded.signal.basis) == ("deny", "deny", "read")
    entry = verify_receipt(recorded.receipt, workspace.log.vkey).entry
    assert (entry.type, entry.subject["item"]) == ("signal.observed", item.id)


def test_one_key_records_one_signal(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    request = SignalObservation(kind="letter", raw_sha256="0" * 64, stated="deny")
    receipts = {observe_signal(workspace, item.id, request, "k").receipt for _ in range(2)}
    assert len(receipts) == 1
    assert len(show_signals(workspace, item.id).signals) == 1
    with pytest.raises(ConflictError):
        observe_signal(workspace, item.id, request.model_copy(update={"stated": "allow"}), "k")


def test_more_bytes_than_an_image_may_have_are_refused(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    raw = base64.b64encode(bytes(workspace.limits.max_bytes + 1)).decode()
    with pytest.raises(InputError) as caught:
        observe_signal(workspace, item.id, SignalObservation(kind="robots-txt", raw_base64=raw))
    assert caught.value.code == "signal_too_large"


def test_an_unknown_item_has_no_signals(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError):
        show_signals(workspace, "nothing")
