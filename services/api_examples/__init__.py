"""Examples of the API: for each operation what it takes and what it answers, as a client would see them."""

from services.api_examples import acts, flags, provenance, webhooks
from services.api_examples.example import Example

EXAMPLES: dict[str, Example] = provenance.EXAMPLES | acts.EXAMPLES | flags.EXAMPLES | webhooks.EXAMPLES
