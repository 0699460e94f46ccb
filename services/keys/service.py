"""Making and revoking keys.

Rules, in order:

1. Nobody gives what they have not: a key made with a key has no scope beyond its maker's, speaks for no other party, and ends
   no later. The operator, on the command line, may make any.
2. A key is seen and revoked by who could have made it. A revoked key stays on record; to revoke it again changes nothing.
3. A key that was committed is shown, whatever fails after that: its text is nowhere else.
4. The log commits to which scopes a key has, for which party, and until when; its name and its digest stay in the database.
5. Every entry commits to the key that it was made with. Whoever may see the key is shown its entries, with the openings that
   prove it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from services.keys.schemas import CreatedKey, KeyAnswer, KeyEntry, KeyRequest
from shared.auth.caller import OPERATOR, Caller, current_caller
from shared.auth.key_text import KeyText, new_key_text
from shared.auth.scopes import SCOPES, with_included
from shared.clock import format_moment, utc_now
from shared.errors import ForbiddenError, InputError, NotFoundError, SleeveError, UnavailableError
from shared.http.paging import Page, PageRequest
from shared.idempotency import once
from shared.ledger import authorship
from shared.ledger.bodies import KeyCreated, KeyRevoked
from shared.ledger.entries import build_entry
from shared.receipts import prove_entry
from shared.records.api_keys import ApiKey, is_expired, list_keys, load_key, lock_key
from shared.records.entry_rows import append_and_add, append_entry
from shared.records.openings import list_entries_by, load_opened_entries
from shared.records.parties import load_parties
from shared.workspace import Workspace

OPERATION = "keys.create"
# A key that nobody looks after ends by itself.
LIFETIME = timedelta(days=365)

log = structlog.get_logger()


def create_key(workspace: Workspace, request: KeyRequest, idempotency_key: str | None = None) -> CreatedKey:
    """Make a key and log it.

    Returns:
        The key, to be shown once; without it where the same request was sent before.

    Raises:
        InputError: the party is not on record, or the time is over already.
        ForbiddenError: the caller has less than what is asked for.
        ConflictError: the Idempotency-Key was used for another request.
    """
    maker, text = current_caller(), new_key_text()
    made: dict[str, ApiKey] = {}

    def act(session: Session) -> str:
        made[text.id] = _record(session, text, request, maker)
        return text.id

    try:
        key_id = once(workspace, OPERATION, idempotency_key, request.model_dump(mode="json"), act).resource_id
    except (UnavailableError, SQLAlchemyError, OSError):
        # The commit may have been carried out and only its answer lost.
        if not _is_on_record(workspace, text.id):
            raise
        key_id = text.id
    key = made[key_id] if key_id == text.id else _load(workspace, key_id)
    shown = text.text if key_id == text.id else None
    return CreatedKey(**build_key_answer(key).model_dump(), key=shown, **_find_proof(workspace, key, shown))


def _is_on_record(workspace: Workspace, key_id: str) -> bool:
    try:
        return _load(workspace, key_id).id == key_id
    except (SleeveError, SQLAlchemyError, OSError):
        return False


def _load(workspace: Workspace, key_id: str) -> ApiKey:
    with workspace.reading() as session:
        return load_key(session, key_id)


def _find_proof(workspace: Workspace, key: ApiKey, shown: str | None) -> dict[str, Any]:
    """Return receipt and opening of a key's creation. A key that is shown this once is shown even without them."""
    try:
        return prove_entry(workspace, key.entry_id)
    except (SleeveError, SQLAlchemyError, OSError) as error:
        if shown is None:
            raise
        log.warning("receipt_missing", key=key.id, error=type(error).__name__)
        return {"receipt": None, "opening": {}}


def _record(session: Session, text: KeyText, request: KeyRequest, maker: Caller) -> ApiKey:
    now = utc_now()
    if request.party_id is not None and request.party_id not in load_parties(session, [request.party_id]):
        raise InputError(f"expected the id of a party on record, got {request.party_id!r}", code="party_unknown")
    expires_at = _end(session, request, maker, now)
    scopes: list[str] = [scope for scope in SCOPES if scope in request.scopes]
    _verify_within(maker, scopes, request.party_id)
    body = KeyCreated(
        scopes=scopes,
        party=request.party_id,
        expires_at=format_moment(expires_at) if expires_at else None,
        by=maker.key_id or None,
    )
    return append_and_add(
        session,
        build_entry(body, at=now, subject={"key": text.id}),
        lambda entry_id: ApiKey(
            id=text.id,
            sha256=text.sha256,
            name=request.name,
            scopes=scopes,
            party_id=request.party_id,
            created_by=maker.key_id or None,
            created_at=now,
            expires_at=expires_at,
            entry_id=entry_id,
        ),
    )


def _end(session: Session, request: KeyRequest, maker: Caller, now: datetime) -> datetime | None:
    """Return when a new key's time is over; None is never."""
    made_by = load_key(session, maker.key_id) if maker.key_id else None
    latest = _utc(made_by.expires_at) if made_by and made_by.expires_at else None
    if request.expires_at is None:
        return min(now + LIFETIME, latest) if latest else now + LIFETIME
    ends_at = None if request.expires_at == "never" else _utc(request.expires_at)
    if ends_at is not None and ends_at <= now:
        raise InputError(f"expected a time to come, got {format_moment(ends_at)}", code="key_expired")
    if latest is not None and (ends_at is None or ends_at > latest):
        raise ForbiddenError(f"expected an end no later than the maker's, {format_moment(latest)}", code="key_beyond_maker")
    return ends_at


def _utc(moment: datetime) -> datetime:
    try:
        aware = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:  # a few hours beyond the first or the last year
        raise InputError("expected a time in the years 1 to 9999 of UTC", code="invalid_request") from error
    return aware.replace(microsecond=aware.microsecond // 1000 * 1000)


def revoke_key(workspace: Workspace, key_id: str) -> KeyAnswer:
    """Let a key count no more, from now on and in every process, and log it.

    Raises:
        NotFoundError: no such key.
        ForbiddenError: the caller could not have made it.
    """
    caller = current_caller()
    with workspace.writing() as session:
        key = lock_key(session, key_id)
        _verify_within(caller, key.scopes, key.party_id)
        if key.revoked_at is None:
            now = utc_now()
            body = KeyRevoked(by=caller.key_id or None)
            append_entry(session, build_entry(body, at=now, subject={"key": key.id}))
            key.revoked_at = now
            session.add(key)
    workspace.log.integrate()
    return build_key_answer(key)


def show_key(workspace: Workspace, key_id: str) -> KeyAnswer:
    """Return a key as recorded.

    Raises:
        NotFoundError: no such key, or none that the caller could have made.
    """
    with workspace.reading() as session:
        key = load_key(session, key_id)
    if not _is_within(current_caller(), key.scopes, key.party_id):
        raise NotFoundError(f"no key {key_id!r}", code="key_not_found")
    return build_key_answer(key)


def page_of_keys(workspace: Workspace, page: PageRequest) -> Page[KeyAnswer]:
    """Return a page of keys, oldest first: of those on it, the ones that the caller could have made.

    Raises:
        InputError: the cursor is none of ours.
    """
    with workspace.reading() as session:
        keys = list_keys(session, page.position, page.rows_to_load)
    caller = current_caller()
    return page.build(
        keys,
        lambda key: key.id,
        lambda rows: [build_key_answer(key) for key in rows if _is_within(caller, key.scopes, key.party_id)],
    )


def page_of_key_entries(workspace: Workspace, key_id: str, page: PageRequest) -> Page[KeyEntry]:
    """Return a page of the log's entries that were made with a key, oldest first, each with what proves it.

    Args:
        workspace: whose log.
        key_id: of the key; `operator` for what was done on the machine itself, which the operator alone is shown.
        page: which page.

    Raises:
        NotFoundError: no such key, or none that the caller could have made.
        InputError: the cursor is none of ours.
    """
    if key_id != authorship.OPERATOR.name or current_caller() is not OPERATOR:
        show_key(workspace, key_id)
    with workspace.reading() as session:
        rows = list_entries_by(session, key_id, _parse_position(page), page.rows_to_load)
    openings = dict(rows)
    return page.build(
        list(openings),
        str,
        lambda entry_ids: [KeyEntry.of(opened) for opened in load_opened_entries(workspace.log, entry_ids, openings)],
    )


def _parse_position(page: PageRequest) -> int:
    position = page.position or "0"
    if not (position.isascii() and position.isdecimal() and len(position) < 19):
        raise InputError(f"cursor cannot be read: {page.cursor!r}", code="cursor_invalid")
    return int(position)


def build_key_answer(key: ApiKey) -> KeyAnswer:
    """Build the answer about a key."""
    state = "revoked" if key.revoked_at else "expired" if is_expired(key, utc_now()) else "active"
    moments = ("created_at", "expires_at", "revoked_at", "last_used_at")
    times = {name: format_moment(value) if (value := getattr(key, name)) else None for name in moments}
    fields = key.model_dump(include={"id", "name", "scopes", "party_id", "created_by"})
    return KeyAnswer.model_validate(fields | times | {"state": state})


def _is_within(caller: Caller, scopes: Sequence[str], party_id: str | None) -> bool:
    """Say whether a caller has these scopes and speaks for this party."""
    if caller is OPERATOR:
        return True
    return with_included(scopes) <= caller.scopes and party_id in {None, caller.party_id}


def _verify_within(caller: Caller, scopes: Sequence[str], party_id: str | None) -> None:
    if not _is_within(caller, scopes, party_id):
        raise ForbiddenError("expected a key with no scope or party beyond the caller's own", code="key_beyond_maker")
