"""The header `Idempotency-Key`: a client's name for a request. Sent again under the same name, the request has one effect.

A field value is defined for visible ASCII and spaces only. Programs on the way read other bytes differently (RFC 9110 section
5.5), so one key could become two. What a key does is said in `shared.idempotency`.
"""

from typing import Annotated

from fastapi import Header

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[ -~]+$",
        description="A name of the client's own for this request; sent again with the same name, it has one effect.",
    ),
]
