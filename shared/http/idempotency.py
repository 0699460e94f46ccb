"""The header `Idempotency-Key`: what a client may call a request, so that sending it again has one effect.

A field value is defined for visible ASCII and spaces alone; bytes beyond are read differently by different programs on the way
(RFC 9110 section 5.5), so that one key might be two. What a key does: shared/records/idempotency.py.
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
