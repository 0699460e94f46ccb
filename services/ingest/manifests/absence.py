"""Who is shown that a picture is absent from a manifest, and how often others may ask about one.

Rules, in order:

1. Who holds a digest may ask whether it is in a manifest. A proof that it is shows the leaf of that digest alone.
2. A proof that a digest is absent shows the two leaves beside it. A few hundred of them show a whole manifest, so they ask for
   the scope `manifests:read`, or for the picture itself.
3. Anyone can make pictures up, so who shows one without the scope may do so a few times an hour. Questions about digests are
   limited as well, since the log names the digest of every item.
"""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from shared.auth.caller import Caller
from shared.auth.quotas import Quota
from shared.auth.scopes import Scope
from shared.http.dependencies import CurrentCaller
from shared.http.problems import describe_response

SCOPE: Scope = "manifests:read"
# Enough for a person who asks about their pictures, and 20 hours for a manifest of 200.
PICTURES_AN_HOUR = 10
DIGESTS_A_MINUTE = 30

LIMITED: dict[int | str, dict[str, Any]] = {
    403: describe_response("The image is not in the manifest, and the proof of it asks for the scope manifests:read"),
    429: describe_response("The caller asked too often"),
}


class ProofLimits:
    """How often callers without the scope may ask; one of an application."""

    def __init__(self) -> None:
        self.digests = Quota(DIGESTS_A_MINUTE / 60, burst=DIGESTS_A_MINUTE)
        self.pictures = Quota(PICTURES_AN_HOUR / 3600, burst=PICTURES_AN_HOUR)


def get_limits(request: Request) -> ProofLimits:
    """Return the limits of the application."""
    limits: ProofLimits = request.app.state.proof_limits
    return limits


Limits = Annotated[ProofLimits, Depends(get_limits)]


def may_show_absence(request: Request, caller: CurrentCaller, limits: Limits) -> bool:
    """Say whether the caller is shown that a digest is absent; count the request of one who is not.

    Raises:
        HTTPException: 429, the caller asked too often.
    """
    return _has_scope(caller, request, limits.digests)


def verify_may_show_picture(request: Request, caller: CurrentCaller, limits: Limits) -> None:
    """Count a request that brings a picture.

    Raises:
        HTTPException: 429, the caller asked too often.
    """
    _has_scope(caller, request, limits.pictures)


def _has_scope(caller: Caller, request: Request, quota: Quota) -> bool:
    if caller.holds(SCOPE):
        return True
    address = request.client.host if request.client else ""
    if wait := quota.take(caller.key_id) if caller.key_id else quota.take_for_address(address):
        detail = f"too many questions about manifests without the scope {SCOPE}; expected the next one in {wait} s"
        raise HTTPException(429, detail, headers={"Retry-After": str(wait)})
    return False


ShowsAbsence = Annotated[bool, Depends(may_show_absence)]
