"""Authentication of every request, before anything of its body is read.

Rules, in order:

1. Where a route asks for a scope, the request shows a key: `Authorization: Bearer sleeve_…`. Without a key, or with one that
   is malformed, unknown, revoked or expired, the answer is 401. With a key that has none of the scopes, it is 403. What is
   wrong with a key is said only to who has all of it.
2. A public route needs no key. Where one is shown, it counts there as well.
3. Every request looks its key up, so a revocation holds from the next request on, in every process.
4. Failures are limited by address (`shared.auth.failures`), and requests by key, or by address where they show none
   (`shared.auth.quotas`): then the answer is 429, with `Retry-After`.
5. A database that does not answer is waited for by the look-ups under way, each for seconds. The requests that came
   meanwhile are answered with them.
6. Logs name keys by id.

Source: RFC 6750 sections 2.1 and 3 (Bearer, `WWW-Authenticate`); RFC 9110 section 11.6.1.
"""

from collections.abc import Sequence
from datetime import datetime
from math import inf
from time import monotonic

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from shared.auth.access import Access, DeclaredRoute, declared_routes, find_access, verify_access
from shared.auth.caller import ANYONE, Caller, acting_as
from shared.auth.failures import FailureLimit
from shared.auth.key_text import KeyText, parse_key_text
from shared.auth.quotas import Quota
from shared.auth.scopes import with_included
from shared.clock import utc_now
from shared.db import looking_up
from shared.errors import ForbiddenError, SleeveError, UnavailableError
from shared.http.problem_details import status_of
from shared.http.problems import build_problem
from shared.records.api_keys import StoredKey, find_stored_key, is_expired, is_use_noted, note_use
from shared.workspace import Workspace

# Threads of their own: no look-up waits behind long requests. SQLite is read without one: a reader there waits for nobody
# (WAL), and handing over to a thread and back takes several times as long as the reading.
LOOKUP_THREADS = 4
# Where the scope of a request names its key, once it is known.
KEY_ID = "sleeve.key_id"
# What stands in for the digest of a key that is not there, so that looking for it takes as long.
_NO_DIGEST = "0" * 64

log = structlog.get_logger()


class RefusedKeyError(SleeveError):
    """A key that does not let its holder in."""


class Authentication:
    """ASGI middleware that finds the caller of a request and checks what its route asks for.

    Args:
        app: what is behind it.
        workspace: where keys are on record.
    """

    def __init__(self, app: ASGIApp, workspace: Workspace) -> None:
        self._app = app
        self._workspace = workspace
        self._engine = looking_up(workspace.engine, LOOKUP_THREADS)
        self._is_local = workspace.engine.dialect.name == "sqlite"
        self._failures = FailureLimit()
        self._by_key = Quota(workspace.settings.key_requests_per_second)
        self._by_address = Quota(workspace.settings.address_requests_per_second)
        self._lookups = CapacityLimiter(LOOKUP_THREADS)
        self._failed_at = -inf
        self._routes: Sequence[DeclaredRoute] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._routes is None:
            self._routes = tuple(declared_routes(scope["app"]))
        access = find_access(self._routes, scope["method"], scope["path"])
        if access is None:
            if wait := self._by_address.take_for_address(_address_of(scope)):
                await _quota_problem(wait)(scope, receive, send)
                return
            with acting_as(ANYONE):
                await self._app(scope, receive, send)
            return
        admission = await self._let_in(scope, access)
        if isinstance(admission, JSONResponse):
            await admission(scope, receive, send)
            return
        caller, is_noted = admission
        with acting_as(caller), bound_contextvars(**({"key": caller.key_id} if caller.key_id else {})):
            await self._app(scope, receive, send)
        if not is_noted:
            await to_thread.run_sync(self._note_use, caller.key_id, limiter=self._lookups)

    async def _let_in(self, scope: Scope, access: Access) -> tuple[Caller, bool] | JSONResponse:
        """Return the caller and whether this use of its key is noted, or the answer that refuses the request."""
        credentials = _find_credentials(scope)
        if credentials is None:
            return self._let_anyone_in(scope, access)
        address, key = _address_of(scope), parse_key_text(credentials)
        if wait := self._failures.seconds_to_wait(address, key.sha256 if key else None):
            detail = f"too many keys that do not count came from this address; expected the next one in {wait} s"
            return build_problem(429, "too_many_failures", detail, {"Retry-After": str(wait)})
        try:
            if self._is_local:
                admission = self._find_caller(key, utc_now(), monotonic())
            else:
                admission = await to_thread.run_sync(self._find_caller, key, utc_now(), monotonic(), limiter=self._lookups)
            scope[KEY_ID] = admission[0].key_id
            verify_access(admission[0], access)
        except RefusedKeyError as error:
            self._failures.note_failure(address)
            log.warning("authentication_failed", code=error.code, key=key.id if key else None)
            return _refusal(error.code, error.message)
        except ForbiddenError as error:
            scopes = " ".join(access.any_of)
            challenge = f'Bearer realm="sleeve", error="insufficient_scope", scope="{scopes}"'
            return build_problem(403, error.code, error.message, {"WWW-Authenticate": challenge})
        except SleeveError as error:
            return build_problem(status_of(error), error.code, error.message)
        wait = self._by_key.take(admission[0].key_id)
        return _quota_problem(wait) if wait else admission

    def _let_anyone_in(self, scope: Scope, access: Access) -> tuple[Caller, bool] | JSONResponse:
        """Answer who shows no key."""
        if wait := self._by_address.take_for_address(_address_of(scope)):
            return _quota_problem(wait)
        return (ANYONE, True) if access.public else _refusal("key_missing", "expected Authorization: Bearer with a key")

    def _find_caller(self, key: KeyText | None, now: datetime, asked_at: float) -> tuple[Caller, bool]:
        if key is None:
            raise RefusedKeyError("expected a key sleeve_<id>_<secret>, got another text", code="key_malformed")
        if asked_at < self._failed_at:
            raise _no_database()
        record = self._find_record(key.id)
        # Compared although there may be nothing to compare with: both take the same time.
        is_it = key.is_of(record.sha256 if record else _NO_DIGEST)
        if record is None or not is_it:
            raise RefusedKeyError("expected a key of this server, got an unknown one", code="key_unknown")
        if record.revoked_at is not None:
            raise RefusedKeyError("the key was revoked", code="key_revoked")
        if is_expired(record, now):
            raise RefusedKeyError("the key's time is over", code="key_expired")
        self._failures.note_success(key.sha256)
        return Caller(record.id, with_included(record.scopes), record.party_id), is_use_noted(record, now)

    def _find_record(self, key_id: str, *, again: bool = True) -> StoredKey | None:
        try:
            with self._engine.connect() as connection:
                return find_stored_key(connection, key_id)
        except SQLAlchemyError as error:
            if again and isinstance(error, DBAPIError) and error.connection_invalidated:
                # The database was restarted since: all connections are made anew.
                return self._find_record(key_id, again=False)
            self._failed_at = monotonic()
            raise _no_database() from error

    def _note_use(self, key_id: str) -> None:
        try:
            with self._workspace.writing() as session:
                note_use(session, key_id, utc_now())
        except SleeveError as error:
            log.warning("key_use_not_noted", key=key_id, code=error.code)


def _no_database() -> UnavailableError:
    return UnavailableError("the database does not answer")


def _address_of(scope: Scope) -> str:
    address: str = (scope.get("client") or ("",))[0]
    return address


def _quota_problem(wait_seconds: int) -> JSONResponse:
    detail = f"too many requests; expected the next one in {wait_seconds} s"
    return build_problem(429, "too_many_requests", detail, {"Retry-After": str(wait_seconds)})


def _find_credentials(scope: Scope) -> str | None:
    """Return what stands after `Bearer`; None where another scheme, or none, is used."""
    field = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, credentials = field.decode("latin-1").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _refusal(code: str, detail: str) -> JSONResponse:
    # RFC 6750 section 3.1: who shows nothing gets no error code in the challenge.
    error = "" if code == "key_missing" else f', error="invalid_token", error_description="{detail}"'
    return build_problem(401, code, detail, {"WWW-Authenticate": f'Bearer realm="sleeve"{error}'})
