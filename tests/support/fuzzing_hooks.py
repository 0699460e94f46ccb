"""Bodies of media types that Schemathesis does not know: text is sent as it is, anything else as JSON.

JSON Lines is text whatever it says, and a line that is no registration is an answered row: what is no text is not sent there,
since the bytes of `{}` are those of the text `{}`.
"""

import json
from typing import Any

import schemathesis

LINES = ("application/jsonl", "application/x-ndjson")


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Keep bodies of JSON Lines that are text, and all others."""
    return case.media_type not in LINES or isinstance(case.body, str)


@schemathesis.serializer(*LINES, "application/toml")
def send_text(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Spell a body as text."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")
