"""Examples of the API: for each operation what it takes and what it answers, as a client would see them."""

from services.api.examples import audits, flags, gate, keys, provenance, webhooks
from services.api.examples import log_and_search as acts
from services.api.examples.example import Example

PARTS = (provenance, audits, acts, flags, gate, webhooks, keys)

EXAMPLES: dict[str, Example] = {name: example for part in PARTS for name, example in part.EXAMPLES.items()}
