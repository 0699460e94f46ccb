"""One effect for each Idempotency-Key.

Rules, in order:

1. An act runs in one write transaction. In it the key is bound to the request's digest and to the id of what the act made.
2. The same key with the same request runs nothing and names what was made the first time. With another request it is a
   conflict.
3. Of two requests with one key at the same time, the loser answers as if it had come second: its own transaction is rolled
   back whole, and it names what the winner made.
4. Without a key every request is a new one.

Why: docs/adr/0024-one-effect-a-key.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from shared.canonical import canonical_json, sha256_hex
from shared.records.idempotency import bind_effect, find_effect
from shared.workspace import Workspace


@dataclass(frozen=True)
class Effect:
    """What a request came to: the id of what was made, and whether this very request made it."""

    resource_id: str
    created: bool


def once(workspace: Workspace, operation: str, key: str | None, request: Any, act: Callable[[Session], str], /) -> Effect:
    """Run an act once for each key.

    Args:
        workspace: whose database is written to.
        operation: such as `items.register`; keys of different operations are different keys.
        key: the request's Idempotency-Key, if it has one.
        request: what tells this request from others, as a JSON value, or the SHA-256 digest of it.
        act: makes the effect in the transaction that it is given, commits nothing, and returns the id of what it made. It may
            run twice, each time in a transaction of its own.

    Raises:
        ConflictError: the key was used for another request.
        UnavailableError: the database is down.
    """
    digest = request if isinstance(request, str) else sha256_hex(canonical_json(request))
    try:
        return _attempt(workspace, operation, key, digest, act)
    except IntegrityError:
        # The winner of a race has committed by now: it is found, or what failed was the act's own.
        return _attempt(workspace, operation, key, digest, act)


def _attempt(workspace: Workspace, operation: str, key: str | None, digest: str, act: Callable[[Session], str]) -> Effect:
    with workspace.writing() as session:
        earlier_id = find_effect(session, operation, key, digest)
        if earlier_id is not None:
            return Effect(earlier_id, created=False)
        resource_id = act(session)
        bind_effect(session, operation, key, digest, resource_id)
    return Effect(resource_id, created=True)
