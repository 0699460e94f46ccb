"""Bodies of media types that Schemathesis does not know: text is sent as it is, anything else as JSON."""

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/jsonl", "application/x-ndjson", "application/toml")
def send_text(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Spell a body as text."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")
