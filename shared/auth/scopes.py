"""Scopes: the list of what a key may do. A route names the scopes that open it; a key holds some of them.

Rules, in order:

1. A scope is a thing and a verb. Who may write a thing may read it, and who acts on flags in a role sees flags: `INCLUDED`.
2. `items:own` and `flags:owner` speak for one party. A key with either names the party, and sees of others what anyone may.
3. A scope that is not in this list does not exist. A stored key that names one has less, not more.
"""

from collections.abc import Iterable
from typing import Literal, get_args

Scope = Literal[
    "items:read",
    "items:own",
    "items:write",
    "manifests:read",
    "manifests:write",
    "audits:read",
    "audits:run",
    "checks:write",
    "outputs:read",
    "flags:read",
    "flags:review",
    "flags:compliance",
    "flags:finance",
    "flags:owner",
    "policies:read",
    "policies:write",
    "webhooks:write",
    "keys:write",
    "metrics:read",
]

SCOPES: tuple[Scope, ...] = get_args(Scope)

MEANING: dict[Scope, str] = {
    "items:read": "see every item with its record, and search by picture",
    "items:own": "search by picture; see the items that name the key's party in full, of others what anyone may see",
    "items:write": "register, amend and withdraw items, record signals and searches for owners, have links checked",
    "manifests:read": "see manifests and their leaves",
    "manifests:write": "seal manifests",
    "audits:read": "see models, audits and studies with their files and reports",
    "audits:run": "have models trained and audited, and studies run",
    "checks:write": "have generations checked, and read the answers of the jobs of checks that the key asked for",
    "outputs:read": "see what the gate was shown and what it decided",
    "flags:read": "see flags, reviews and what is owed",
    "flags:review": "act on flags and borderline checks as reviewer",
    "flags:compliance": "act on flags as compliance",
    "flags:finance": "act on flags as finance",
    "flags:owner": "see the flags that name the key's party, and act on them as owner",
    "policies:read": "see policies",
    "policies:write": "adopt policies, and try them on past checks",
    "webhooks:write": "make webhooks, which are told of every check, flag and policy, and delete them",
    "keys:write": "make and revoke keys that may do no more than this one",
    "metrics:read": "see metrics, and the details of readiness",
}

INCLUDED: dict[Scope, tuple[Scope, ...]] = {
    "items:write": ("items:read",),
    "manifests:write": ("manifests:read",),
    "audits:run": ("audits:read",),
    "flags:review": ("flags:read",),
    "flags:compliance": ("flags:read",),
    "flags:finance": ("flags:read",),
    "policies:write": ("policies:read",),
}

# Scopes that say nothing without a party.
OF_A_PARTY: frozenset[Scope] = frozenset({"items:own", "flags:owner"})


def with_included(scopes: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes that a key holds: those given and what they include; unknown words are left out.

    >>> sorted(with_included(["items:write", "anything"]))
    ['items:read', 'items:write']
    """
    known = [scope for scope in SCOPES if scope in set(scopes)]
    return frozenset(known) | frozenset(included for scope in known for included in INCLUDED.get(scope, ()))
