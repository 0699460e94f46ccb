"""Amendments and withdrawals as the API and the command line make them: once for each key, and only of what the caller saw."""

from collections.abc import Callable

from sqlmodel import Session

from services.ingest.items.answers import build_item_answer
from services.ingest.items.schemas import ItemAnswer
from services.ingest.lifecycle.changes import record_amendment, record_withdrawal
from services.ingest.lifecycle.schemas import Amendment, Withdrawal
from shared.http.entity_tags import verify_precondition
from shared.idempotency import once
from shared.records.items import Item, load_item, lock_item
from shared.schemas import StrictModel
from shared.workspace import Workspace


def amend_item(
    workspace: Workspace,
    item_id: str,
    amendment: Amendment,
    *,
    idempotency_key: str | None = None,
    if_match: str | None = None,
) -> ItemAnswer:
    """Change an item's record, log the change, and return the record as it then is.

    Args:
        workspace: whose item.
        item_id: which.
        amendment: what is to change.
        idempotency_key: the request's, if it has one.
        if_match: the tag of the record that the caller saw; None where the caller does not mind.

    Raises:
        NotFoundError: no such item.
        PreconditionError: the record has changed since the caller saw it.
        ConflictError: the item is withdrawn, or the key was used for another request.
        InputError: the amendment does not fit the item.
    """

    def amend(session: Session) -> Item:
        return record_amendment(session, item_id, amendment)

    return _change(workspace, "items.amend", item_id, amendment, amend, idempotency_key, if_match)


def withdraw_item(
    workspace: Workspace,
    item_id: str,
    withdrawal: Withdrawal,
    *,
    idempotency_key: str | None = None,
    if_match: str | None = None,
) -> ItemAnswer:
    """Withdraw an item, log it, and return the record as it then is; arguments and errors as for `amend_item`."""

    def withdraw(session: Session) -> Item:
        return record_withdrawal(session, item_id, withdrawal)

    return _change(workspace, "items.withdraw", item_id, withdrawal, withdraw, idempotency_key, if_match)


def _change(
    workspace: Workspace,
    operation: str,
    item_id: str,
    request: StrictModel,
    change: Callable[[Session], Item],
    idempotency_key: str | None,
    if_match: str | None,
) -> ItemAnswer:
    def change_what_was_seen(session: Session) -> str:
        item = lock_item(session, item_id)
        verify_precondition(if_match, lambda: build_item_answer(session, item))
        return change(session).id

    once(
        workspace, operation, idempotency_key, {"item": item_id, "body": request.model_dump(mode="json")}, change_what_was_seen
    )
    workspace.log.integrate()
    with workspace.reading() as session:
        return build_item_answer(session, load_item(session, item_id))
