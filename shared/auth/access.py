"""What a route asks of its caller, declared at the route: `dependencies=needs("items:read")`, or `PUBLIC`.

Rules, in order:

1. A caller passes with any one of the scopes that a route names. A public route names none and needs no key.
2. A route that declares nothing is closed to everyone but the operator. A test finds such routes.
3. The declaration is checked twice, by the same function: before the body of a request is read, and when the route answers.
   A difference between the two ways of finding the route therefore lets nobody in.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.params import Depends as Dependency
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from shared.auth.caller import OPERATOR, Caller, current_caller
from shared.auth.scopes import SCOPES, Scope
from shared.errors import ForbiddenError

# What the application describes itself with; no route of ours, and the same for everyone.
DESCRIPTION_PATHS = frozenset({"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc", "/static-offline-docs"})


@dataclass(frozen=True)
class Access:
    """Which scopes open a route, any one of them; a public one is open to all."""

    any_of: tuple[Scope, ...]
    public: bool = False

    async def __call__(self) -> None:
        """Hold the present caller against the declaration: what FastAPI runs at the route, without a thread."""
        verify_access(current_caller(), self)


CLOSED = Access(())
OPEN = Access((), public=True)
PUBLIC: Sequence[Dependency] = (Depends(OPEN),)


def needs(*any_of: Scope) -> Sequence[Dependency]:
    """Declare which scopes open a route, any one of them."""
    if unknown := set(any_of) - set(SCOPES):
        raise ValueError(f"expected scopes of {SCOPES}, got {sorted(unknown)}")
    return (Depends(Access(any_of)),)


def verify_access(caller: Caller, access: Access) -> None:
    """Check that a caller may come in.

    Raises:
        ForbiddenError: the caller has none of the scopes.
    """
    if access.public or caller is OPERATOR or any(caller.holds(scope) for scope in access.any_of):
        return
    scopes = " or ".join(access.any_of) or "the operator"
    raise ForbiddenError(f"expected a key with the scope {scopes}", code="scope_missing")


@dataclass(frozen=True)
class DeclaredRoute:
    """A route and what it asks for; `methods` is None where it takes any."""

    path: str
    methods: frozenset[str] | None
    regex: re.Pattern[str]
    access: Access | None


def declared_routes(app: FastAPI) -> Iterator[DeclaredRoute]:
    """Yield every route of an app in the order in which they are tried, with its declaration; None where it has none."""
    for route in iter_route_contexts(app.routes):
        path, methods = route.path or "", route.methods
        regex: re.Pattern[str] = getattr(route, "path_regex", None) or compile_path(path)[0]
        is_ours = path not in DESCRIPTION_PATHS
        access = _declaration(getattr(route, "dependencies", ())) if is_ours else OPEN
        path = (route.path_format or path) if is_ours else path
        yield DeclaredRoute(path, frozenset(methods) if methods else None, regex, access)


def _declaration(dependencies: Sequence[Any]) -> Access | None:
    declarations = [depends.dependency for depends in dependencies if isinstance(depends.dependency, Access)]
    if len(declarations) > 1:
        raise ValueError(f"expected one declaration of access a route, got {declarations}")
    return declarations[0] if declarations else None


def find_route(routes: Sequence[DeclaredRoute], method: str, path: str) -> DeclaredRoute | None:
    """Return the route that answers a request; None where there is none."""
    for route in routes:
        if (route.methods is None or method in route.methods) and route.regex.match(path):
            return route
    return None


def find_access(routes: Sequence[DeclaredRoute], method: str, path: str) -> Access | None:
    """Return what the route of a request asks for; None where no route is there, which the application answers itself."""
    route = find_route(routes, method, path)
    return None if route is None else route.access or CLOSED
